-- When an account's recovery codes were made: for a minute, the same form sent once more shows them again.
alter table second_factor add column codes_made_at integer;
