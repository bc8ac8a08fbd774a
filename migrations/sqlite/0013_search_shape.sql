-- The index of the search anew: every beginning of a word is a term of its own now, so that the first letters of a common
-- word are found as fast as a rare word. Filled when the program starts.
drop table search_index;

create virtual table search_index using fts5 (
    terms, content = '', contentless_delete = 1, detail = 'none', tokenize = 'ascii'
);

-- Two pieces of like size are enough to make one of them, when the program puts the index in order.
insert into search_index (search_index, rank) values ('usermerge', 2);
