-- What members were called when, and how far each has read.

-- Every name that a member has had, from the event on that gave it: histories show the name of their time. A projection
-- of the household's own stream, filled when the program starts.
create table member_name (
    household_id text not null references household (id),
    member_id text not null,
    position integer not null,
    name text not null,
    primary key (household_id, member_id, position)
) strict;

-- Since which event a member has been called as now: only what is older asks for the names of its time.
alter table member add column named_at integer not null default 0;

-- Up to which event of the household a member has seen what the others wrote: in one record, or in all of them where
-- record_id is the household's own stream. Primary data. Without a row everything since the member joined is new.
create table seen (
    household_id text not null references household (id),
    member_id text not null,
    record_id text not null,
    position integer not null,
    primary key (household_id, member_id, record_id),
    foreign key (household_id, member_id) references member (household_id, id)
) strict;

-- For those who are here already, what is there already is nothing new.
insert into seen (household_id, member_id, record_id, position)
select member.household_id, member.id, member.household_id, household.position
from member
join household on household.id = member.household_id;
