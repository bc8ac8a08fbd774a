-- How often something changed that is no event, but that pages of others show or that is remembered of a member: a time zone,
-- a saved view. The household's position does not tell it; what is remembered holds only as long as neither has moved.
alter table household add column quiet_changes integer not null default 0;
