-- From when on a member is removed, if at all; until then a grace period runs. A projection of the household's stream,
-- like name, role and disabled.
alter table member add column removed_at integer;

-- When a member was last here, to some five minutes. It outlives the sessions, and follows from no event.
alter table member add column seen_at integer;

-- Invitations. Only a digest of the token is kept. A link dies with its use, its revocation or its time. The token is
-- looked up before anybody knows whose it is; that it is unique follows from its 160 random bits.
create table invitation (
    household_id text not null,
    id text not null,
    token_digest blob not null check (length(token_digest) = 32),
    role text not null,
    days integer not null,
    made_by text,
    made_at integer not null,
    expires_at integer not null,
    revoked_at integer,
    accepted_at integer,
    accepted_by text,
    primary key (household_id, id),
    foreign key (household_id) references household (id),
    foreign key (household_id, made_by) references member (household_id, id),
    foreign key (household_id, accepted_by) references member (household_id, id)
) strict;

create index invitation_token on invitation (token_digest);

create index invitation_made on invitation (household_id, made_at);
