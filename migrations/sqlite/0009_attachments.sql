-- Files. The bytes lie sealed in the blob store; here is which file a record has, and which object holds what.

-- Every file that an event ever added to a record, and what became of it. A projection. Removed and undone ones stay, so
-- that every content that an event mentions is known.
create table attachment (
    household_id text not null references household (id),
    id text not null,
    record_id text not null,
    event_id text not null,
    position integer not null,
    blob blob not null,
    file_name text not null,
    media_type text not null,
    size integer not null,
    label text,
    note_id text,
    supersedes_id text,
    occurred text not null,
    standing text not null,
    primary key (household_id, id)
) strict;

create index attachment_of_record on attachment (household_id, record_id, standing, position);

create index attachment_by_blob on attachment (household_id, blob);

-- Contents, by the SHA-256 of their plain bytes: the object that holds one sealed, and its data key, wrapped under the
-- master key that key_id names. Primary data. A row is written in the transaction of the event that first mentions it.
create table blob (
    household_id text not null references household (id),
    digest blob not null check (length(digest) = 32),
    size integer not null,
    object text not null,
    key_id text not null,
    wrapped_key blob not null,
    created_at integer not null,
    primary key (household_id, digest)
) strict;

-- Bytes that arrived, or are arriving, and that no event mentions yet. The row is there before the object, so that nothing
-- is ever left behind unknown. A doomed one is nobody's any more: its object is deleted first, then the row.
create table upload (
    household_id text not null,
    id text not null,
    member_id text not null,
    object text not null,
    multipart_id text,
    expires_at integer not null,
    doomed integer not null,
    digest blob check (length(digest) = 32),
    size integer,
    key_id text,
    wrapped_key blob,
    file_name text,
    media_type text,
    primary key (household_id, id),
    foreign key (household_id, member_id) references member (household_id, id)
) strict;

create index upload_expires on upload (expires_at);

-- Small pictures of contents, sealed like them. They can be made again; object is null where none can be made.
create table thumbnail (
    household_id text not null,
    digest blob not null,
    object text,
    size integer,
    key_id text,
    wrapped_key blob,
    primary key (household_id, digest),
    foreign key (household_id, digest) references blob (household_id, digest)
) strict;

-- A change of the master key while it is under way and shortly after: each key sealed under the other, so that a server
-- that runs with either learns of both.
create table key_change (
    one integer primary key not null check (one = 1),
    old_id text not null,
    new_id text not null,
    new_under_old blob not null,
    old_under_new blob not null,
    done_at integer
) strict;
