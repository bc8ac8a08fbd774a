-- What the search looks in. Filled when the program starts, with the other projections.

-- A record's words: of its title, of everything that is said of it, and how often each word stands in its notes. terms is
-- what is looked up: opaque words, made by the program, each beginning with what it is and whose it is.
create table search_record (
    household_id uuid not null references household (id),
    record_id uuid not null,
    position bigint not null,
    title_words text collate "C" not null,
    words text collate "C" not null,
    note_terms text collate "C" not null,
    terms tsvector not null,
    primary key (household_id, record_id)
);

create unique index search_record_position on search_record (household_id, position);

-- Without a list of pending entries: it would make searches slower the longer it is, and now and then a write.
create index search_record_terms on search_record using gin (terms) with (fastupdate = off);

-- Of the usual hundred, a word that is not among the thousand most frequent is taken for so frequent that walking the
-- household looks cheaper than the index.
alter table search_record alter column terms set statistics 300;

-- The words of each note that holds, by the version of the event that added it; shown is that of the event that tells it
-- as it is now.
create table search_note (
    household_id uuid not null references household (id),
    record_id uuid not null,
    version bigint not null,
    shown bigint not null,
    words text collate "C" not null,
    primary key (household_id, record_id, version)
);

-- Nothing asks for the records that hold one content; the index was only kept up.
drop index attachment_by_blob;
