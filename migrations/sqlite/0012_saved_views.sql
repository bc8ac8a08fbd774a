-- Filters that members gave a name, each the member's own. Primary data. name_key is the name folded.
create table saved_view (
    household_id text not null references household (id),
    member_id text not null,
    name_key text not null,
    name text not null,
    address text not null,
    created_at integer not null,
    primary key (household_id, member_id, name_key),
    foreign key (household_id, member_id) references member (household_id, id)
) strict;
