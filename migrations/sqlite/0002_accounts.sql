-- What an installation knows of itself: one row, so that of two set-ups at once one waits for the other.
create table installation (
    one integer primary key not null check (one = 1),
    key_check blob check (length(key_check) = 32),
    claimed_at integer
) strict;

insert into installation (one) values (1);

-- Whose a session is. The id is a digest of what the cookie holds.
create table member_session (
    id text primary key not null,
    household_id text not null,
    member_id text not null,
    account_id text not null references account (id) on delete cascade,
    created_at integer not null,
    last_seen integer not null,
    device text not null,
    address text not null,
    foreign key (household_id, member_id) references member (household_id, id) on delete cascade
) strict;

-- An account's own sessions, last used first; and what must go when an account signs out everywhere.
create index member_session_account on member_session (account_id, last_seen);

create index member_session_member on member_session (household_id, member_id);

-- The session library's own table, in its own shape (not strict: it keeps its dates as text). Referring to
-- member_session is ours: a session that was signed out cannot be written back.
create table tower_sessions (
    id text primary key not null references member_session (id) on delete cascade,
    data blob not null,
    expiry_date integer not null
);

-- Tries that are counted. The subject is a digest: the table names nobody.
create table sign_in_attempt (
    scope text not null,
    subject blob not null,
    failures integer not null,
    last_at integer not null,
    next_at integer not null,
    primary key (scope, subject)
) strict;

create index sign_in_attempt_last on sign_in_attempt (last_at);
