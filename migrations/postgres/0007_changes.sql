-- What an event changed stands in its entry too, as it is shown: a page of a story reads one row an event. Filled when the
-- program starts, with the other projections.
alter table timeline_entry add column changes text collate "C";

-- Whose event is a record's latest: a list need not look it up.
alter table record_view add column last_by uuid;
