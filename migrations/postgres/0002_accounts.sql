-- What an installation knows of itself: one row, so that of two set-ups at once one waits for the other.
create table installation (
    one bigint primary key not null check (one = 1),
    key_check bytea check (length(key_check) = 32),
    claimed_at timestamptz
);

insert into installation (one) values (1);

-- Whose a session is. The id is a digest of what the cookie holds.
create table member_session (
    id text collate "C" primary key not null,
    household_id uuid not null,
    member_id uuid not null,
    account_id uuid not null references account (id) on delete cascade,
    created_at timestamptz not null,
    last_seen timestamptz not null,
    device text not null,
    address text not null,
    foreign key (household_id, member_id) references member (household_id, id) on delete cascade
);

-- An account's own sessions, last used first; and what must go when an account signs out everywhere.
create index member_session_account on member_session (account_id, last_seen);

create index member_session_member on member_session (household_id, member_id);

-- The session library's own table, in its own shape. Referring to member_session is ours: a session that was signed
-- out cannot be written back.
create table tower_sessions (
    id text collate "C" primary key not null references member_session (id) on delete cascade,
    data bytea not null,
    expiry_date timestamptz not null
);

-- Tries that are counted. The subject is a digest: the table names nobody.
create table sign_in_attempt (
    scope text collate "C" not null,
    subject bytea not null,
    failures bigint not null,
    last_at timestamptz not null,
    next_at timestamptz not null,
    primary key (scope, subject)
);

create index sign_in_attempt_last on sign_in_attempt (last_at);
