-- In whose timeline the happenings of a deleted record stand, for whoever asks for deleted ones; null for all others, so that
-- nothing else pays for it. Filled when the program starts, with the other projections.
alter table timeline_entry add column deleted_scope uuid;

create index timeline_entry_deleted_occurred
    on timeline_entry (household_id, deleted_scope, occurred_from, occurred_precision, position)
    where deleted_scope is not null;
create index timeline_entry_deleted_recorded
    on timeline_entry (household_id, deleted_scope, recorded_at, position)
    where deleted_scope is not null;
