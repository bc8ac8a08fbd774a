-- How often something changed that is no event, but that pages of others show or that is remembered of a member: a time zone,
-- a saved view. The household's position does not tell it; what is remembered holds only as long as neither has moved.
alter table household add column quiet_changes bigint not null default 0;

-- A record belongs to one household. Where that is not known, the two are taken for independent: then a household's record
-- seems to have hardly a row, any index of the two seems as good as one with a further column, and all of a long story is
-- read where one entry was asked for.
create statistics record_events_of_record (dependencies) on household_id, record_id from record_events;
create statistics timeline_entry_of_record (dependencies) on household_id, record_id from timeline_entry;
create statistics record_change_of_record (dependencies) on household_id, record_id from record_change;
do $$
begin
    if exists (select 1 from record_events) then
        analyze record_events, timeline_entry, record_change;
    end if;
end $$;
