-- The ledger, its projections, and the people it belongs to.
--
-- household_id is the first column of every primary, unique and foreign key of household data, so that a hosted
-- installation can partition by it. SQLite keeps identities as text and instants as microseconds since the Unix epoch.

create table household (
    id text primary key,
    name text not null,
    position integer not null,
    head blob not null,
    last_recorded integer not null,
    created_at integer not null
) strict;

create table account (
    id text primary key,
    email text not null,
    email_key text not null,
    password_hash text not null,
    zone text not null,
    session_epoch integer not null,
    created_at integer not null,
    constraint account_email_key unique (email_key)
) strict;

-- Name, role and disabled are the projection of the household's stream; the account is primary data.
create table member (
    household_id text not null references household (id),
    id text not null,
    account_id text not null references account (id),
    name text not null,
    role text not null,
    disabled integer not null,
    joined_at integer not null,
    primary key (household_id, id)
) strict;

create index member_by_account on member (account_id);

-- A record's identity. It is made with the record's first event and never changes.
create table record (
    household_id text not null references household (id),
    id text not null,
    created_at integer not null,
    primary key (household_id, id)
) strict;

create table record_events (
    household_id text not null references household (id),
    position integer not null,
    event_id text not null,
    record_id text not null,
    version integer not null,
    kind text not null,
    payload_version integer not null,
    payload blob not null,
    salt blob not null,
    actor_id text,
    via text not null,
    via_ref text,
    batch_id text,
    occurred text not null,
    recorded_at integer not null,
    hash blob not null,
    primary key (household_id, position),
    constraint record_events_version unique (household_id, record_id, version),
    constraint record_events_event unique (household_id, event_id)
) strict;

-- Events are append-only, whoever holds the connection.
create trigger record_events_no_update before update on record_events
begin
    select raise(abort, 'record_events is append-only: an event cannot be changed');
end;

create trigger record_events_no_delete before delete on record_events
begin
    select raise(abort, 'record_events is append-only: an event cannot be deleted');
end;

-- "insert or replace" would delete without a word: refuse an insert on any key that exists.
create trigger record_events_no_replace before insert on record_events
when exists (
    select 1 from record_events
    where household_id = new.household_id and position = new.position
) or exists (
    select 1 from record_events
    where household_id = new.household_id and event_id = new.event_id
) or exists (
    select 1 from record_events
    where household_id = new.household_id and record_id = new.record_id and version = new.version
)
begin
    select raise(abort, 'record_events is append-only: this place is taken');
end;

-- One accepted form or request, for ever: the same key is answered as the first time.
create table submission (
    household_id text not null references household (id),
    member_id text not null,
    key text not null,
    digest blob not null,
    record_id text not null,
    first_position integer not null,
    events integer not null,
    primary key (household_id, member_id, key)
) strict;

-- Which record an imported thing became: the projection of record_created's external identity.
create table external_ref (
    household_id text not null references household (id),
    source text not null,
    reference text not null,
    record_id text not null,
    primary key (household_id, source, reference, record_id)
) strict;

-- Which fold wrote the projections below.
create table projection_version (
    name text primary key,
    version integer not null
) strict;

-- The current state, one row a record.
create table record_view (
    household_id text not null references household (id),
    id text not null,
    version integer not null,
    position integer not null,
    owner_id text,
    visibility text not null,
    deleted integer not null,
    title text not null,
    category text,
    category_key text,
    state text not null,
    summary text not null,
    created_at integer not null,
    changed_at integer not null,
    primary key (household_id, id)
) strict;

-- The list, newest activity first: what the household shares, and what each member keeps to herself.
create index record_view_activity on record_view (household_id, visibility, deleted, position);
create index record_view_own_activity on record_view (household_id, owner_id, visibility, deleted, position);
create index record_view_category on record_view (household_id, category_key, visibility, deleted, position);
create index record_view_own_category
    on record_view (household_id, owner_id, category_key, visibility, deleted, position);

-- A record's tags, with what a list needs to walk them in order of activity.
create table record_tag (
    household_id text not null references household (id),
    record_id text not null,
    tag_key text not null,
    tag text not null,
    owner_id text,
    visibility text not null,
    deleted integer not null,
    position integer not null,
    primary key (household_id, record_id, tag_key)
) strict;

create index record_tag_activity on record_tag (household_id, tag_key, visibility, deleted, position);
create index record_tag_own_activity on record_tag (household_id, owner_id, tag_key, visibility, deleted, position);

-- Every event of a record in the order of its story, and whether it was undone or corrected since.
create table record_entry (
    household_id text not null references household (id),
    record_id text not null,
    version integer not null,
    position integer not null,
    event_id text not null,
    kind text not null,
    occurred_from text not null,
    occurred_precision integer not null,
    retracted_by integer,
    corrected_by integer,
    primary key (household_id, record_id, version)
) strict;

create index record_entry_story
    on record_entry (household_id, record_id, occurred_from, occurred_precision, position);

-- What each event changed in each field: histories in words, and a field's own history.
create table record_change (
    household_id text not null references household (id),
    record_id text not null,
    field text not null,
    position integer not null,
    version integer not null,
    label text not null,
    old_value text,
    new_value text,
    effective text,
    in_force integer not null,
    primary key (household_id, record_id, field, position)
) strict;

create index record_change_by_position on record_change (household_id, record_id, position);

-- Tags and categories in use per scope: the household's shared records, or one member's private ones.
create table label_count (
    household_id text not null references household (id),
    scope text not null,
    kind text not null,
    label_key text not null,
    label text not null,
    records integer not null,
    primary key (household_id, scope, kind, label_key)
) strict;
