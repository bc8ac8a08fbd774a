-- The household's timeline. The entries of a record's story get what a timeline needs: whose timeline shows them, and when
-- they were entered. Projections are made anew from the events when the program starts, so the old table is dropped.

drop table record_entry;

-- Every event of a record in the order of its story, and whether it was undone or corrected since. happening: it tells of
-- something that happened and still holds. scope: in whose timeline it stands (the household's id, or the member who
-- keeps the record to herself); null if it is no happening, or the record is deleted.
create table timeline_entry (
    household_id uuid not null references household (id),
    record_id uuid not null,
    version bigint not null,
    position bigint not null,
    event_id uuid not null,
    kind text collate "C" not null,
    occurred_from text collate "C" not null,
    occurred_precision bigint not null,
    recorded_at timestamptz not null,
    retracted_by bigint,
    corrected_by bigint,
    happening boolean not null,
    scope uuid,
    primary key (household_id, record_id, version)
);

create index timeline_entry_story
    on timeline_entry (household_id, record_id, occurred_from, occurred_precision, position);
create index timeline_entry_occurred
    on timeline_entry (household_id, scope, occurred_from, occurred_precision, position) where scope is not null;
create index timeline_entry_recorded
    on timeline_entry (household_id, scope, recorded_at, position) where scope is not null;

-- How many happenings each year has in a scope: of unknown month (m0), and by month.
create table timeline_year (
    household_id uuid not null references household (id),
    scope uuid not null,
    year bigint not null,
    m0 bigint not null,
    m1 bigint not null,
    m2 bigint not null,
    m3 bigint not null,
    m4 bigint not null,
    m5 bigint not null,
    m6 bigint not null,
    m7 bigint not null,
    m8 bigint not null,
    m9 bigint not null,
    m10 bigint not null,
    m11 bigint not null,
    m12 bigint not null,
    primary key (household_id, scope, year)
);
