//! What the search looks in: the words of records and of their notes, and the terms under which records are found.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use uuid::Uuid;

use crate::domain::analysis::{self, Language, terms};
use crate::domain::event::{Event, Fact, Payload};
use crate::domain::fold::{happenings, marks};
use crate::domain::ids::{HouseholdId, RecordId};
use crate::domain::searchable::{found_by, record_texts, spelt_out, texts_of};
use crate::error::Result;
use crate::store::db::{Db, Engine, Tx, rows_of, sql};

use super::View;

/// How many different words of a record's notes count.
const MOST: usize = 20_000;

/// How many file names of a record count, the latest first.
const FILES: i64 = 500;

/// How often each word and stem stands in a record's notes.
#[derive(Clone, PartialEq, Debug, Default)]
struct Counts(BTreeMap<String, u32>);

impl Counts {
    fn read(text: &str) -> Self {
        let pair =
            |pair: &str| pair.rsplit_once(':').and_then(|(term, count)| Some((term.to_owned(), count.parse().ok()?)));
        Self(text.split(' ').filter_map(pair).collect())
    }

    fn write(&self) -> String {
        let mut text = String::new();
        for (term, count) in &self.0 {
            let gap = if text.is_empty() { "" } else { " " };
            let _ = write!(text, "{gap}{term}:{count}");
        }
        text
    }

    fn add(&mut self, words: &str) {
        for term in terms(words) {
            let known = self.0.len();
            match self.0.get_mut(&term) {
                Some(count) => *count += 1,
                None if known < MOST => drop(self.0.insert(term, 1)),
                None => {}
            }
        }
    }

    fn take(&mut self, words: &str) {
        for term in terms(words) {
            if let Some(count) = self.0.get_mut(&term) {
                *count -= 1;
                if *count == 0 {
                    self.0.remove(&term);
                }
            }
        }
    }
}

/// A record's words, as they are kept.
#[derive(Clone, Debug, Default)]
pub(super) struct Entry {
    title_words: String,
    words: String,
    notes: Counts,
}

/// Takes an event's effect on a record's words into its entry; notes are written at once, the entry by [`write`].
/// `stream` is the whole stream if the event is a retraction.
pub(super) async fn take_in(
    tx: &mut Tx,
    entry: Option<Entry>,
    event: &Event,
    fact: &Fact,
    view: &View,
    stream: Option<&[Fact]>,
) -> Result<Entry> {
    let mut entry = match entry {
        Some(entry) => entry,
        None => load(tx, event.household, event.record).await?.unwrap_or_default(),
    };
    match (stream, &fact.payload) {
        (Some(stream), _) => again(tx, event, stream, &mut entry.notes).await?,
        (None, Payload::NoteAdded(_)) => {
            if let Some(words) = note_words(tx.language(), &fact.payload) {
                entry.notes.add(&words);
                put_notes(tx, event, &[(fact.version, fact.version, words)]).await?;
            }
        }
        (None, Payload::NoteCorrected(correction)) => {
            let old = sql("
                select n.version, n.words
                from record_events as e
                join search_note as n on n.household_id = e.household_id and n.record_id = e.record_id and n.version = e.version
                where e.household_id = $1 and e.event_id = $3 and e.record_id = $2")
            .bind(event.household)
            .bind(event.record)
            .bind(correction.note)
            .optional(&mut *tx)
            .await?;
            if let (Some(old), Some(words)) = (old, note_words(tx.language(), &fact.payload)) {
                entry.notes.take(&old.text("words")?);
                entry.notes.add(&words);
                sql("update search_note set shown = $4, words = $5 where household_id = $1 and record_id = $2 and version = $3")
                    .bind(event.household)
                    .bind(event.record)
                    .bind(old.int("version")?)
                    .bind(fact.version)
                    .bind(words)
                    .later(&mut *tx)
                    .await?;
            }
        }
        _ => {}
    }
    let says_more = matches!(
        fact.payload,
        Payload::RecordCreated(_)
            | Payload::RecordUpdated(_)
            | Payload::AttachmentAdded(_)
            | Payload::AttachmentChanged(_)
            | Payload::AttachmentRemoved(_)
            | Payload::EventRetracted(_)
    );
    if says_more {
        let texts = record_texts(&view.state);
        let files = files(tx, event).await?;
        let language = tx.language();
        entry.title_words = analysis::sequence(language, texts.first().map(|(_, title)| title.as_str()));
        let all = texts.iter().map(|(_, text)| text.as_str()).chain(files.iter().map(String::as_str));
        entry.words = analysis::sequence(language, all);
    }
    Ok(entry)
}

fn note_words(language: Language, payload: &Payload) -> Option<String> {
    texts_of(payload).map(|texts| analysis::sequence(language, texts.iter().map(String::as_str)))
}

/// The notes of a stream anew, after something in it was undone.
async fn again(tx: &mut Tx, event: &Event, stream: &[Fact], counts: &mut Counts) -> Result<()> {
    sql("delete from search_note where household_id = $1 and record_id = $2")
        .bind(event.household)
        .bind(event.record)
        .later(&mut *tx)
        .await?;
    *counts = Counts::default();
    let happened = happenings(stream, &marks(stream));
    let mut notes = Vec::new();
    for (fact, _) in stream.iter().zip(&happened).filter(|(_, happened)| **happened) {
        let Some(words) = note_words(tx.language(), &fact.payload) else { continue };
        let version = match &fact.payload {
            Payload::NoteCorrected(correction) => {
                stream.iter().find(|known| known.event == correction.note).map_or(fact.version, |note| note.version)
            }
            _ => fact.version,
        };
        counts.add(&words);
        notes.push((version, fact.version, words));
    }
    put_notes(tx, event, &notes).await
}

async fn put_notes(tx: &mut Tx, event: &Event, notes: &[(i64, i64, String)]) -> Result<()> {
    for chunk in notes.chunks(100) {
        let mut statement = sql(format!(
            "insert into search_note (household_id, record_id, version, shown, words) values {}",
            rows_of(chunk.len(), 5)
        ));
        for (version, shown, words) in chunk {
            statement = statement.bind(event.household).bind(event.record).bind(*version).bind(*shown).bind(words);
        }
        statement.later(&mut *tx).await?;
    }
    Ok(())
}

async fn load(tx: &mut Tx, household: HouseholdId, record: RecordId) -> Result<Option<Entry>> {
    let row =
        sql("select title_words, words, note_terms from search_record where household_id = $1 and record_id = $2")
            .bind(household)
            .bind(record)
            .optional(&mut *tx)
            .await?;
    let Some(row) = row else { return Ok(None) };
    let notes = Counts::read(&row.text("note_terms")?);
    Ok(Some(Entry { title_words: row.text("title_words")?, words: row.text("words")?, notes }))
}

async fn files(tx: &mut Tx, event: &Event) -> Result<Vec<String>> {
    let rows = sql(format!(
        "select file_name from attachment
         where household_id = $1 and record_id = $2 and standing = 'present'
         order by position desc
         limit {FILES}"
    ))
    .bind(event.household)
    .bind(event.record)
    .all(&mut *tx)
    .await?;
    Ok(rows.iter().map(|row| row.text("file_name")).collect::<std::result::Result<_, _>>()?)
}

/// Writes a record's entry, and the terms under which it is found.
pub(super) async fn write(
    tx: &mut Tx,
    household: HouseholdId,
    view: &View,
    scope: Option<Uuid>,
    entry: &Entry,
) -> Result<()> {
    let found_by = scope.map_or_else(Default::default, |scope| {
        let notes = entry.notes.0.keys().map(String::as_str);
        found_by(&view.state, scope, &entry.title_words, &entry.words, notes)
    });
    let joined = |terms: BTreeSet<String>| terms.into_iter().collect::<Vec<_>>().join(" ");
    match tx.engine() {
        Engine::Sqlite => {
            sql("
                delete from search_index
                where rowid = (select seq from search_record where household_id = $1 and record_id = $2)")
            .bind(household)
            .bind(view.record)
            .later(&mut *tx)
            .await?;
            sql("delete from search_record where household_id = $1 and record_id = $2")
                .bind(household)
                .bind(view.record)
                .later(&mut *tx)
                .await?;
            sql("
                insert into search_record (household_id, record_id, position, title_words, words, note_terms)
                values ($1, $2, $3, $4, $5, $6)")
            .bind(household)
            .bind(view.record)
            .bind(view.position)
            .bind(&entry.title_words)
            .bind(&entry.words)
            .bind(entry.notes.write())
            .later(&mut *tx)
            .await?;
            sql("insert into search_index (rowid, terms) values (last_insert_rowid(), $1)")
                .bind(joined(spelt_out(found_by)))
                .later(&mut *tx)
                .await?;
        }
        Engine::Postgres => {
            let found_by = joined(found_by);
            sql("
                with changed as (
                    select b.term, sum(b.records) as records
                    from (
                        select unnest(string_to_array($3, ' ')) as term, 1 as records
                        union all
                        select unnest(tsvector_to_array(s.terms)), -1
                        from search_record as s
                        where s.household_id = $1 and s.record_id = $2
                    ) as b
                    group by b.term
                    having sum(b.records) <> 0
                )
                insert into search_frequency (household_id, term, records)
                select $1, term, records from changed order by term
                on conflict (household_id, term) do update set records = search_frequency.records + excluded.records")
            .bind(household)
            .bind(view.record)
            .bind(&found_by)
            .later(&mut *tx)
            .await?;
            sql("
                insert into search_record (household_id, record_id, position, title_words, words, note_terms, terms)
                values ($1, $2, $3, $4, $5, $6, array_to_tsvector(string_to_array($7, ' ')))
                on conflict (household_id, record_id) do update set
                    position = excluded.position, title_words = excluded.title_words, words = excluded.words,
                    note_terms = excluded.note_terms, terms = excluded.terms")
            .bind(household)
            .bind(view.record)
            .bind(view.position)
            .bind(&entry.title_words)
            .bind(&entry.words)
            .bind(entry.notes.write())
            .bind(found_by)
            .later(&mut *tx)
            .await?;
        }
    }
    Ok(())
}

/// Empties what the search looks in, for a rebuild.
pub(super) async fn clear(tx: &mut Tx, household: HouseholdId) -> Result<()> {
    let text = match tx.engine() {
        Engine::Sqlite => {
            "delete from search_index where rowid in (select seq from search_record where household_id = $1)"
        }
        Engine::Postgres => "delete from search_frequency where household_id = $1",
    };
    sql(text).bind(household).later(&mut *tx).await?;
    Ok(())
}

/// How many pages of the index are written anew in one transaction.
const PAGES: i64 = 500;

/// How many records are written before the index is put in order again.
const PUT_IN_ORDER: i64 = 200;

/// What was put in order so far.
#[derive(Debug, Default)]
pub struct Order {
    /// Up to where records had been written when the index was put in order last, and when all of it was written anew.
    parts: i64,
    whole: Option<i64>,
}

/// Puts SQLite's index in order: what is written lands in small pieces, and a search looks into each of them. As long as
/// little was written since, it does nothing; of much, pieces of like size become one; and now and then all of them do.
/// Writers get their turn in between.
///
/// # Errors
/// If the database refuses.
pub async fn put_in_order(db: &Db, order: &mut Order) -> Result<()> {
    if db.engine() == Engine::Postgres {
        return Ok(());
    }
    let written = sql("select coalesce(max(seq), 0) as written from search_record").one(db).await?.int("written")?;
    if written < order.parts + PUT_IN_ORDER {
        return Ok(());
    }
    let records = sql("select count(*) as records from search_record").one(db).await?.int("records")?;
    let whole = *order.whole.get_or_insert(written);
    let all = written - whole > records / 10 + PUT_IN_ORDER;
    let mut pages = if all { -PAGES } else { PAGES };
    while merge(db, pages).await? {
        pages = PAGES;
    }
    order.parts = written;
    if all {
        order.whole = Some(written);
    }
    Ok(())
}

/// Merges some pages of the index, and says whether there may be more; a number below zero begins to merge all of it.
async fn merge(db: &Db, pages: i64) -> Result<bool> {
    let mut tx = db.begin().await?;
    let changes = "select total_changes() as made";
    let before = sql(changes).one(&mut tx).await?.int("made")?;
    sql("insert into search_index (search_index, rank) values ('merge', $1)").bind(pages).run(&mut tx).await?;
    let after = sql(changes).one(&mut tx).await?.int("made")?;
    tx.commit().await?;
    // The statement itself counts as one.
    Ok(after - before > 1)
}

/// Brings the index into its best shape after much was written, and PostgreSQL's knowledge of it up to date.
pub(super) async fn settle(tx: &mut Tx) -> Result<()> {
    let text = match tx.engine() {
        Engine::Sqlite => "insert into search_index (search_index) values ('optimize')",
        Engine::Postgres => "analyze search_record",
    };
    sql(text).later(&mut *tx).await?;
    Ok(())
}
