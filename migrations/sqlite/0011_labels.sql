-- What lists are filtered and ordered by. Filled when the program starts, with the other projections.

drop table record_tag;

-- Everything that a record can be found by in lists: that it is there (all), its category, its tags, that it has files,
-- and each member who wrote in it (by); each with what a list needs to walk such records in any of its orders. scope is
-- who has the record: the household, or the member who keeps it private.
create table record_label (
    household_id text not null references household (id),
    record_id text not null,
    kind text not null,
    label_key text not null,
    label text not null,
    scope text,
    deleted integer not null,
    position integer not null,
    happened text not null,
    title_key blob not null,
    primary key (household_id, record_id, kind, label_key)
) strict;

create index record_label_activity on record_label (household_id, scope, deleted, kind, label_key, position);
create index record_label_happened on record_label (household_id, scope, deleted, kind, label_key, happened, position);
create index record_label_title on record_label (household_id, scope, deleted, kind, label_key, title_key, record_id);

-- Lists walk record_label now.
drop index record_view_activity;
drop index record_view_category;
drop index record_view_own_category;

-- Whether a record has files, and when something happened in it last, as it is ordered by.
alter table record_view add column has_files integer not null default 0;
alter table record_view add column happened text not null default '';
