-- The household's timeline. The entries of a record's story get what a timeline needs: whose timeline shows them, and when
-- they were entered. Projections are made anew from the events when the program starts, so the old table is dropped.

drop table record_entry;

-- Every event of a record in the order of its story, and whether it was undone or corrected since. happening: it tells of
-- something that happened and still holds. scope: in whose timeline it stands (the household's id, or the member who
-- keeps the record to herself); null if it is no happening, or the record is deleted.
create table timeline_entry (
    household_id text not null references household (id),
    record_id text not null,
    version integer not null,
    position integer not null,
    event_id text not null,
    kind text not null,
    occurred_from text not null,
    occurred_precision integer not null,
    recorded_at integer not null,
    retracted_by integer,
    corrected_by integer,
    happening integer not null,
    scope text,
    primary key (household_id, record_id, version)
) strict;

create index timeline_entry_story
    on timeline_entry (household_id, record_id, occurred_from, occurred_precision, position);
create index timeline_entry_occurred
    on timeline_entry (household_id, scope, occurred_from, occurred_precision, position) where scope is not null;
create index timeline_entry_recorded
    on timeline_entry (household_id, scope, recorded_at, position) where scope is not null;

-- How many happenings each year has in a scope: of unknown month (m0), and by month.
create table timeline_year (
    household_id text not null references household (id),
    scope text not null,
    year integer not null,
    m0 integer not null,
    m1 integer not null,
    m2 integer not null,
    m3 integer not null,
    m4 integer not null,
    m5 integer not null,
    m6 integer not null,
    m7 integer not null,
    m8 integer not null,
    m9 integer not null,
    m10 integer not null,
    m11 integer not null,
    m12 integer not null,
    primary key (household_id, scope, year)
) strict;
