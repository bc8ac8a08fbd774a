-- Who sees a new record unless its form says otherwise; and what whoever runs the server did to an account, until its
-- person was told.
alter table account add column default_visibility text not null default 'household'
    check (default_visibility in ('private', 'household'));
alter table account add column password_reset_at integer;
alter table account add column second_factor_reset_at integer;

-- The second factor of an account that has one. The secret is sealed under the master key. Codes up to and including
-- last_step were used or passed over: none of them counts again.
create table second_factor (
    account_id text primary key not null references account (id) on delete cascade,
    secret blob not null,
    last_step integer not null,
    turned_on_at integer not null
) strict;

-- Recovery codes, as digests. Each works once.
create table recovery_code (
    account_id text not null references account (id) on delete cascade,
    digest blob not null check (length(digest) = 32),
    used_at integer,
    primary key (account_id, digest)
) strict;

-- Browsers that an account was signed in with: they have a count of their own when tries are counted. The digest is of
-- what their cookie holds.
create table known_device (
    account_id text not null references account (id) on delete cascade,
    digest blob not null check (length(digest) = 32),
    expires_at integer not null,
    primary key (account_id, digest)
) strict;

create index known_device_digest on known_device (digest);

create index known_device_expires on known_device (expires_at);

-- The one link with which an account may set a new password; a newer one replaces it.
create table reset_link (
    account_id text primary key not null references account (id) on delete cascade,
    digest blob not null unique check (length(digest) = 32),
    expires_at integer not null
) strict;
