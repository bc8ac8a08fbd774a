-- Filters that members gave a name, each the member's own. Primary data. name_key is the name folded.
create table saved_view (
    household_id uuid not null references household (id),
    member_id uuid not null,
    name_key text collate "C" not null,
    name text collate "C" not null,
    address text collate "C" not null,
    created_at timestamptz not null,
    primary key (household_id, member_id, name_key),
    foreign key (household_id, member_id) references member (household_id, id)
);
