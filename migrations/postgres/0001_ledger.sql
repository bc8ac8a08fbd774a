-- The ledger, its projections, and the people it belongs to.
--
-- household_id is the first column of every primary, unique and foreign key of household data, so that a hosted
-- installation can partition by it. Text sorts by code point (collate "C") whatever the server's locale is.

create table household (
    id uuid primary key,
    name text collate "C" not null,
    position bigint not null,
    head bytea not null,
    last_recorded timestamptz not null,
    created_at timestamptz not null
);

create table account (
    id uuid primary key,
    email text collate "C" not null,
    email_key text collate "C" not null,
    password_hash text collate "C" not null,
    zone text collate "C" not null,
    session_epoch bigint not null,
    created_at timestamptz not null,
    constraint account_email_key unique (email_key)
);

-- Name, role and disabled are the projection of the household's stream; the account is primary data.
create table member (
    household_id uuid not null references household (id),
    id uuid not null,
    account_id uuid not null references account (id),
    name text collate "C" not null,
    role text collate "C" not null,
    disabled boolean not null,
    joined_at timestamptz not null,
    primary key (household_id, id)
);

create index member_by_account on member (account_id);

-- A record's identity. It is made with the record's first event and never changes.
create table record (
    household_id uuid not null references household (id),
    id uuid not null,
    created_at timestamptz not null,
    primary key (household_id, id)
);

create table record_events (
    household_id uuid not null references household (id),
    position bigint not null,
    event_id uuid not null,
    record_id uuid not null,
    version bigint not null,
    kind text collate "C" not null,
    payload_version bigint not null,
    payload bytea not null,
    salt bytea not null,
    actor_id uuid,
    via text collate "C" not null,
    via_ref text collate "C",
    batch_id uuid,
    occurred text collate "C" not null,
    recorded_at timestamptz not null,
    hash bytea not null,
    primary key (household_id, position),
    constraint record_events_version unique (household_id, record_id, version),
    constraint record_events_event unique (household_id, event_id)
);

-- Events are append-only, whoever holds the connection.
create function record_events_append_only() returns trigger language plpgsql as $$
begin
    raise exception 'record_events is append-only: an event cannot be changed, deleted or truncated';
end;
$$;

create trigger record_events_no_change before update or delete on record_events
    for each row execute function record_events_append_only();

create trigger record_events_no_truncate before truncate on record_events
    for each statement execute function record_events_append_only();

-- One accepted form or request, for ever: the same key is answered as the first time.
create table submission (
    household_id uuid not null references household (id),
    member_id uuid not null,
    key uuid not null,
    digest bytea not null,
    record_id uuid not null,
    first_position bigint not null,
    events bigint not null,
    primary key (household_id, member_id, key)
);

-- Which record an imported thing became: the projection of record_created's external identity.
create table external_ref (
    household_id uuid not null references household (id),
    source text collate "C" not null,
    reference text collate "C" not null,
    record_id uuid not null,
    primary key (household_id, source, reference, record_id)
);

-- Which fold wrote the projections below.
create table projection_version (
    name text collate "C" primary key,
    version bigint not null
);

-- The current state, one row a record.
create table record_view (
    household_id uuid not null references household (id),
    id uuid not null,
    version bigint not null,
    position bigint not null,
    owner_id uuid,
    visibility text collate "C" not null,
    deleted boolean not null,
    title text collate "C" not null,
    category text collate "C",
    category_key text collate "C",
    state text collate "C" not null,
    summary text collate "C" not null,
    created_at timestamptz not null,
    changed_at timestamptz not null,
    primary key (household_id, id)
);

-- The list, newest activity first: what the household shares, and what each member keeps to herself.
create index record_view_activity on record_view (household_id, visibility, deleted, position);
create index record_view_own_activity on record_view (household_id, owner_id, visibility, deleted, position);
create index record_view_category on record_view (household_id, category_key, visibility, deleted, position);
create index record_view_own_category
    on record_view (household_id, owner_id, category_key, visibility, deleted, position);

-- A record's tags, with what a list needs to walk them in order of activity.
create table record_tag (
    household_id uuid not null references household (id),
    record_id uuid not null,
    tag_key text collate "C" not null,
    tag text collate "C" not null,
    owner_id uuid,
    visibility text collate "C" not null,
    deleted boolean not null,
    position bigint not null,
    primary key (household_id, record_id, tag_key)
);

create index record_tag_activity on record_tag (household_id, tag_key, visibility, deleted, position);
create index record_tag_own_activity on record_tag (household_id, owner_id, tag_key, visibility, deleted, position);

-- Every event of a record in the order of its story, and whether it was undone or corrected since.
create table record_entry (
    household_id uuid not null references household (id),
    record_id uuid not null,
    version bigint not null,
    position bigint not null,
    event_id uuid not null,
    kind text collate "C" not null,
    occurred_from text collate "C" not null,
    occurred_precision bigint not null,
    retracted_by bigint,
    corrected_by bigint,
    primary key (household_id, record_id, version)
);

create index record_entry_story
    on record_entry (household_id, record_id, occurred_from, occurred_precision, position);

-- What each event changed in each field: histories in words, and a field's own history.
create table record_change (
    household_id uuid not null references household (id),
    record_id uuid not null,
    field text collate "C" not null,
    position bigint not null,
    version bigint not null,
    label text collate "C" not null,
    old_value text collate "C",
    new_value text collate "C",
    effective text collate "C",
    in_force boolean not null,
    primary key (household_id, record_id, field, position)
);

create index record_change_by_position on record_change (household_id, record_id, position);

-- Tags and categories in use per scope: the household's shared records, or one member's private ones.
create table label_count (
    household_id uuid not null references household (id),
    scope uuid not null,
    kind text collate "C" not null,
    label_key text collate "C" not null,
    label text collate "C" not null,
    records bigint not null,
    primary key (household_id, scope, kind, label_key)
);
