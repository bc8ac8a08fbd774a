-- Files. The bytes lie sealed in the blob store; here is which file a record has, and which object holds what.

-- Every file that an event ever added to a record, and what became of it. A projection. Removed and undone ones stay, so
-- that every content that an event mentions is known.
create table attachment (
    household_id uuid not null references household (id),
    id uuid not null,
    record_id uuid not null,
    event_id uuid not null,
    position bigint not null,
    blob bytea not null,
    file_name text collate "C" not null,
    media_type text collate "C" not null,
    size bigint not null,
    label text collate "C",
    note_id uuid,
    supersedes_id uuid,
    occurred text collate "C" not null,
    standing text collate "C" not null,
    primary key (household_id, id)
);

create index attachment_of_record on attachment (household_id, record_id, standing, position);

create index attachment_by_blob on attachment (household_id, blob);

-- Contents, by the SHA-256 of their plain bytes: the object that holds one sealed, and its data key, wrapped under the
-- master key that key_id names. Primary data. A row is written in the transaction of the event that first mentions it.
create table blob (
    household_id uuid not null references household (id),
    digest bytea not null check (length(digest) = 32),
    size bigint not null,
    object text collate "C" not null,
    key_id text collate "C" not null,
    wrapped_key bytea not null,
    created_at timestamptz not null,
    primary key (household_id, digest)
);

-- Bytes that arrived, or are arriving, and that no event mentions yet. The row is there before the object, so that nothing
-- is ever left behind unknown. A doomed one is nobody's any more: its object is deleted first, then the row.
create table upload (
    household_id uuid not null,
    id uuid not null,
    member_id uuid not null,
    object text collate "C" not null,
    multipart_id text collate "C",
    expires_at timestamptz not null,
    doomed boolean not null,
    digest bytea check (length(digest) = 32),
    size bigint,
    key_id text collate "C",
    wrapped_key bytea,
    file_name text collate "C",
    media_type text collate "C",
    primary key (household_id, id),
    foreign key (household_id, member_id) references member (household_id, id)
);

create index upload_expires on upload (expires_at);

-- Small pictures of contents, sealed like them. They can be made again; object is null where none can be made.
create table thumbnail (
    household_id uuid not null,
    digest bytea not null,
    object text collate "C",
    size bigint,
    key_id text collate "C",
    wrapped_key bytea,
    primary key (household_id, digest),
    foreign key (household_id, digest) references blob (household_id, digest)
);

-- A change of the master key while it is under way and shortly after: each key sealed under the other, so that a server
-- that runs with either learns of both.
create table key_change (
    one bigint primary key not null check (one = 1),
    old_id text collate "C" not null,
    new_id text collate "C" not null,
    new_under_old bytea not null,
    old_under_new bytea not null,
    done_at timestamptz
);
