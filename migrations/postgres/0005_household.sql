-- From when on a member is removed, if at all; until then a grace period runs. A projection of the household's stream,
-- like name, role and disabled.
alter table member add column removed_at timestamptz;

-- When a member was last here, to some five minutes. It outlives the sessions, and follows from no event.
alter table member add column seen_at timestamptz;

-- Invitations. Only a digest of the token is kept. A link dies with its use, its revocation or its time. The token is
-- looked up before anybody knows whose it is; that it is unique follows from its 160 random bits.
create table invitation (
    household_id uuid not null,
    id uuid not null,
    token_digest bytea not null check (length(token_digest) = 32),
    role text collate "C" not null,
    days bigint not null,
    made_by uuid,
    made_at timestamptz not null,
    expires_at timestamptz not null,
    revoked_at timestamptz,
    accepted_at timestamptz,
    accepted_by uuid,
    primary key (household_id, id),
    foreign key (household_id) references household (id),
    foreign key (household_id, made_by) references member (household_id, id),
    foreign key (household_id, accepted_by) references member (household_id, id)
);

create index invitation_token on invitation (token_digest);

create index invitation_made on invitation (household_id, made_at);
