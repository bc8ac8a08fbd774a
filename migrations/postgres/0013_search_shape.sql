-- How many records each term of the search finds: by it the search decides whether to walk the latest records until a page
-- is full, or to read off the index which records there are, and knows of a common word that more than a thousand have it.
-- Filled when the program starts, with the other projections.
create table search_frequency (
    household_id uuid not null references household (id),
    term text collate "C" not null,
    records bigint not null,
    primary key (household_id, term)
);
