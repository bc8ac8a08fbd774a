-- What the search looks in. Filled when the program starts, with the other projections.

-- A record's words: of its title, of everything that is said of it, and how often each word stands in its notes. seq is
-- where its terms stand in search_index: a record that was touched gets a new one, so that the order of seq is that of
-- activity.
create table search_record (
    seq integer primary key autoincrement,
    household_id text not null references household (id),
    record_id text not null,
    position integer not null,
    title_words text not null,
    words text not null,
    note_terms text not null,
    unique (household_id, record_id)
) strict;

create unique index search_record_position on search_record (household_id, position);

-- The terms of each record: opaque words, made by the program. Each begins with what it is and whose it is, and prefixes
-- of one, two and three letters after that have an index of their own.
create virtual table search_index using fts5 (
    terms, content = '', contentless_delete = 1, detail = 'none', tokenize = 'ascii', prefix = '10 11 12'
);

-- The words of each note that holds, by the version of the event that added it; shown is that of the event that tells it
-- as it is now.
create table search_note (
    household_id text not null references household (id),
    record_id text not null,
    version integer not null,
    shown integer not null,
    words text not null,
    primary key (household_id, record_id, version)
) strict;

-- Nothing asks for the records that hold one content; the index was only kept up.
drop index attachment_by_blob;
