//! The search: records that hold all the words that were typed, those with them in the title first, then the latest.
//!
//! The index is asked for terms that begin with whose records they find; it narrows, and the record itself decides who
//! sees it. Nothing is ranked: an order by activity is the one that stays as fast at a million records. What terms cannot
//! tell (whether words follow each other, when something happened) is read off the records in that order, of at most
//! [`READ`] of them at a time.

use std::collections::HashMap;
use std::fmt::Write as _;

use crate::domain::access::Actor;
use crate::domain::event::Payload;
use crate::domain::ids::{AttachmentId, RecordId};
use crate::domain::query::{Clause, Query};
use crate::domain::record::Record;
use crate::domain::searchable::{Kind, mark, term};
use crate::domain::text::fold;
use crate::domain::when::{Occurred, Precision};
use crate::domain::{analysis, searchable};
use crate::error::{Error, Result};

use super::db::{Db, Engine, Row, Sql, Value, bad, sql};
use super::filter::{Entered, Filter};
use super::history::Place;
use super::people::{self, LAST_BY, People};
use super::views::{self, LISTED, Listed, Suggestions, VISIBLE};

/// How many records a page shows.
pub const PAGE: usize = 20;

/// How many records are read at a time to find those whose words follow each other, or whose time fits.
pub const READ: i64 = 5000;

/// How far matches are counted.
pub const COUNTED: i64 = 1000;

/// Which of the two parts of an answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Part {
    /// Records with every word in their title.
    Title,
    /// The others.
    Rest,
}

/// Where a page begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cursor {
    /// At the beginning.
    First,
    /// After the record at this position.
    Before(Part, i64),
    /// In front of it.
    After(Part, i64),
}

/// A record that was found.
#[derive(Clone, Debug)]
pub struct Hit {
    /// As lists show it.
    pub listed: Listed,
    /// All that it says.
    pub state: Record,
    /// The notes and files in which words were found that stand nowhere else in it.
    pub spots: Vec<Spot>,
}

/// Where words were found that a record itself does not say.
#[derive(Clone, Debug)]
pub enum Spot {
    /// In a note.
    Note {
        /// The version of the event that tells it.
        version: i64,
        /// Its place in the story.
        place: Place,
        /// When it happened.
        occurred: Occurred,
        /// What it says: its words, and its figures.
        texts: Vec<String>,
    },
    /// In the name of a file.
    File {
        /// The file.
        id: AttachmentId,
        /// Its name.
        name: String,
    },
}

/// A page of what was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The records.
    pub hits: Vec<Hit>,
    /// The page in front.
    pub newer: Option<Cursor>,
    /// The page after.
    pub older: Option<Cursor>,
    /// Whether `older` goes on because enough was read, not because the page is full.
    pub stopped: bool,
    /// How many match: beyond [`COUNTED`] it is [`COUNTED`] + 1; none if that is not known.
    pub count: Option<i64>,
    /// What the filter suggests.
    pub known: Suggestions,
    /// Everybody in the household.
    pub people: People,
}

/// What the search of a member looks for.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// What was typed.
    pub query: &'a Query,
    /// What else was chosen. Its order means nothing here.
    pub filter: &'a Filter,
    /// What its range means in instants.
    pub entered: Entered,
}

/// A page of the records that match, of those that the member may see.
///
/// # Errors
/// If the database refuses.
pub async fn search(db: &Db, actor: &Actor, wanted: &Wanted<'_>, cursor: Cursor) -> Result<Found> {
    let asking = Asking::of(db.engine(), actor, wanted);
    let backward = matches!(cursor, Cursor::After(..));
    let mut parts = if wanted.query.with.is_empty() { vec![Part::Rest] } else { vec![Part::Title, Part::Rest] };
    let edge = match cursor {
        Cursor::First => None,
        Cursor::Before(part, position) => {
            parts.retain(|known| *known >= part);
            Some((part, position))
        }
        Cursor::After(part, position) => {
            parts.retain(|known| *known <= part);
            parts.reverse();
            Some((part, position))
        }
    };
    let edge_of = |part: Part| edge.filter(|(known, _)| *known == part).map(|(_, position)| position);
    let mut asked: Vec<Sql> = parts.iter().map(|part| asking.page(*part, edge_of(*part), backward, PAGE + 1)).collect();
    let counts = cursor == Cursor::First && !asking.reads();
    if counts {
        asked.push(asking.count());
    }
    asked.extend([views::suggestions_statement(actor), people::statement(actor)]);
    let mut answers = db.one_by_one(asked).await?;
    let people = people::read(&answers.pop().unwrap_or_default())?;
    let known = views::read_suggestions(&answers.pop().unwrap_or_default())?;
    let mut found: Vec<(Part, &Row)> = Vec::new();
    let mut stopped = None;
    for (part, rows) in parts.iter().zip(&answers) {
        found.extend(rows.iter().map(|row| (*part, row)));
        if asking.reads() && rows.len() <= PAGE && found.len() <= PAGE {
            stopped = asking.last_read(db, *part, edge_of(*part), backward).await?.map(|position| (*part, position));
            if stopped.is_some() {
                break;
            }
        }
    }
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    if backward {
        found.reverse();
    }
    let mut hits = Vec::with_capacity(found.len());
    for (_, row) in &found {
        hits.push(Hit { listed: Listed::read(row)?, state: row.json("state")?, spots: Vec::new() });
    }
    spot(db, actor, wanted.query, &mut hits).await?;
    let place =
        |at: Option<&(Part, &Row)>| at.map(|(part, row)| Ok::<_, Error>((*part, row.int("position")?))).transpose();
    let (first, last) = (place(found.first())?, place(found.last())?);
    let stop = stopped.filter(|_| !more);
    let (newer, older) = match (cursor, backward) {
        (Cursor::First, _) => (None, last.filter(|_| more).or(stop)),
        (_, false) => (first, last.filter(|_| more).or(stop)),
        (_, true) => (first.filter(|_| more).or(stop), last),
    };
    let count = match answers.get(parts.len()) {
        Some(counted) if counts => counted.first().map(|row| row.int("records")).transpose()?,
        _ if cursor == Cursor::First && !more && stop.is_none() => i64::try_from(hits.len()).ok(),
        _ => None,
    };
    Ok(Found {
        hits,
        newer: newer.map(|(part, position)| Cursor::After(part, position)),
        older: older.map(|(part, position)| Cursor::Before(part, position)),
        stopped: stop.is_some(),
        count,
        known,
        people,
    })
}

/// A condition on terms.
enum Terms {
    One(String, bool),
    All(Vec<Terms>),
    Any(Vec<Terms>),
    Less(Box<Terms>, Box<Terms>),
}

impl Terms {
    /// As FTS5 and as `tsquery` read it. Terms are letters, digits and symbols alone, so that nothing has to be escaped.
    fn write(&self, engine: Engine, text: &mut String) {
        let joined = |text: &mut String, list: &[Self], with: &str| {
            text.push('(');
            for (at, one) in list.iter().enumerate() {
                text.push_str(if at == 0 { "" } else { with });
                one.write(engine, text);
            }
            text.push(')');
        };
        match (self, engine) {
            (Self::One(term, prefix), Engine::Sqlite) => {
                let _ = write!(text, "\"{term}\"{}", if *prefix { " *" } else { "" });
            }
            (Self::One(term, prefix), Engine::Postgres) => {
                let _ = write!(text, "'{term}'{}", if *prefix { ":*" } else { "" });
            }
            (Self::All(list), Engine::Sqlite) => joined(text, list, " AND "),
            (Self::All(list), Engine::Postgres) => joined(text, list, " & "),
            (Self::Any(list), Engine::Sqlite) => joined(text, list, " OR "),
            (Self::Any(list), Engine::Postgres) => joined(text, list, " | "),
            (Self::Less(one, other), engine) => {
                text.push('(');
                one.write(engine, text);
                text.push_str(if engine == Engine::Sqlite { " NOT " } else { " & !" });
                other.write(engine, text);
                text.push(')');
            }
        }
    }
}

/// A search, made ready to be asked.
struct Asking<'a> {
    engine: Engine,
    actor: &'a Actor,
    query: &'a Query,
    filter: &'a Filter,
    entered: Entered,
    deleted: bool,
    /// The household's and the member's own.
    marks: [String; 2],
}

impl<'a> Asking<'a> {
    fn of(engine: Engine, actor: &'a Actor, wanted: &Wanted<'a>) -> Self {
        let marks = [actor.household.0, actor.member.0].map(|scope| mark(scope, wanted.filter.deleted));
        let Wanted { query, filter, entered } = *wanted;
        Self { engine, actor, query, filter, entered, deleted: filter.deleted, marks }
    }

    /// Whether records have to be read to know which match.
    fn reads(&self) -> bool {
        let (query, filter) = (self.query, self.filter);
        query.with.iter().chain(&query.without).any(Clause::wants_order)
            || query.after.is_some()
            || query.before.is_some()
            || filter.from.is_some()
            || filter.until.is_some()
            || filter.by.is_some()
            || filter.files
    }

    /// A word in either scope.
    fn word(&self, kind: Kind, word: &str, prefix: bool) -> Vec<Terms> {
        self.marks.iter().map(|mark| Terms::One(term(kind, mark, word), prefix)).collect()
    }

    fn clause(&self, kind: Kind, clause: &Clause) -> Terms {
        if let ([word], stem) = (&clause.words[..], &clause.stem) {
            let mut any = self.word(kind, word, clause.prefix);
            if let Some(stem) = stem {
                any.extend(self.word(kind, &format!("{}{stem}", analysis::STEM), false));
                if stem != word {
                    any.extend(self.word(kind, stem, false));
                }
            }
            return Terms::Any(any);
        }
        let mut all = Vec::new();
        let is_character = |at: usize| clause.words.get(at).is_some_and(|word| analysis::is_character(word));
        for (at, word) in clause.words.iter().enumerate().filter(|(_, word)| *word != analysis::APART) {
            match clause.words.get(at + 1) {
                Some(next) if is_character(at) && is_character(at + 1) => {
                    all.push(Terms::Any(self.word(kind, &format!("{word}{next}"), false)));
                }
                // It is the end of a pair.
                _ if at > 0 && is_character(at) && is_character(at - 1) => {}
                next => all.push(Terms::Any(self.word(kind, word, next.is_none() && clause.prefix))),
            }
        }
        Terms::All(all)
    }

    fn terms(&self, part: Option<Part>) -> String {
        let query = self.query;
        let mut all: Vec<Terms> = match part {
            Some(Part::Title) => query.with.iter().map(|clause| self.clause(Kind::Title, clause)).collect(),
            _ => query.with.iter().map(|clause| self.clause(Kind::Anything, clause)).collect(),
        };
        all.extend(query.tags.iter().map(|tag| Terms::Any(self.word(Kind::Tag, &fold(tag), false))));
        let tags: Vec<Vec<Terms>> =
            self.filter.tags.iter().map(|tag| self.word(Kind::Tag, &fold(tag), false)).collect();
        match self.filter.any_tag {
            true if !tags.is_empty() => all.push(Terms::Any(tags.into_iter().flatten().collect())),
            _ => all.extend(tags.into_iter().map(Terms::Any)),
        }
        all.extend(self.filter.category.iter().map(|name| Terms::Any(self.word(Kind::Category, &fold(name), false))));
        all.extend(query.categories.iter().map(|name| Terms::Any(self.word(Kind::Category, &fold(name), false))));
        if all.is_empty() {
            all.push(Terms::Any(self.word(Kind::Present, "", false)));
        }
        let mut less: Vec<Terms> = query
            .without
            .iter()
            .filter(|clause| !clause.wants_order())
            .map(|clause| self.clause(Kind::Anything, clause))
            .collect();
        less.extend(query.without_tags.iter().map(|tag| Terms::Any(self.word(Kind::Tag, &fold(tag), false))));
        less.extend(
            query.without_categories.iter().map(|name| Terms::Any(self.word(Kind::Category, &fold(name), false))),
        );
        let in_order = query.with.iter().any(Clause::wants_order);
        if part == Some(Part::Rest) && !query.with.is_empty() && !in_order {
            less.push(Terms::All(query.with.iter().map(|clause| self.clause(Kind::Title, clause)).collect()));
        }
        let all = Terms::All(all);
        let terms = if less.is_empty() { all } else { Terms::Less(Box::new(all), Box::new(Terms::Any(less))) };
        let mut text = String::new();
        terms.write(self.engine, &mut text);
        text
    }

    /// Records that hold the terms, in order of activity; the bound stands in the text, so that the planner knows it.
    fn candidates(
        &self,
        part: Option<Part>,
        edge: Option<i64>,
        backward: bool,
        limit: i64,
        asked: &mut Binds,
    ) -> String {
        let terms = self.terms(part);
        let (side, order) = if backward { (">", "asc") } else { ("<", "desc") };
        match self.engine {
            Engine::Sqlite => {
                let terms = asked.add(terms);
                // The order of the rows of the index is that of activity.
                let edge = edge.map_or_else(String::new, |position| {
                    let position = asked.add(position);
                    format!(
                        "and search_index.rowid {side}= coalesce((
                             select seq from search_record
                             where household_id = $1 and position {side} {position}
                             order by position {order}
                             limit 1), {none})",
                        none = if backward { i64::MAX } else { -1 },
                    )
                });
                format!(
                    "select s.record_id, s.position, s.title_words, s.words
                     from search_index
                     cross join search_record as s
                     where search_index match {terms} {edge} and s.seq = search_index.rowid and s.household_id = $1
                     order by search_index.rowid {order}
                     limit {limit}"
                )
            }
            Engine::Postgres => {
                // In the text itself, so that the plan is made for these terms: how frequent they are decides it.
                let terms = terms.replace('\'', "''");
                let edge =
                    edge.map_or_else(String::new, |position| format!("and s.position {side} {}", asked.add(position)));
                format!(
                    "select s.record_id, s.position, s.title_words, s.words
                     from search_record as s
                     where s.household_id = $1 and s.terms @@ cast('{terms}' as tsquery) {edge}
                     order by s.position {order}
                     limit {limit}"
                )
            }
        }
    }

    /// What has to be read off a record, `r`.
    fn conditions(&self, part: Part, asked: &mut Binds) -> String {
        let query = self.query;
        let mut conditions = String::new();
        for clause in query.with.iter().filter(|clause| clause.wants_order()) {
            let condition = match part {
                Part::Title => like("r.title_words", clause, asked),
                Part::Rest => said(clause, asked),
            };
            let _ = write!(conditions, " and {condition}");
        }
        if part == Part::Rest && query.with.iter().any(Clause::wants_order) {
            let title: Vec<String> = query.with.iter().map(|clause| like("r.title_words", clause, asked)).collect();
            let _ = write!(conditions, " and not ({})", title.join(" and "));
        }
        for clause in query.without.iter().filter(|clause| clause.wants_order()) {
            let _ = write!(conditions, " and not {}", said(clause, asked));
        }
        if query.after.is_some() || query.before.is_some() {
            let _ = write!(conditions, " and {}", happened("r.record_id", query.after, query.before, asked));
        }
        // Tags and the category are terms.
        let filter = Filter { tags: Vec::new(), category: None, ..self.filter.clone() };
        conditions.push_str(&filter.in_record("r", asked));
        conditions.push_str(&filter.by_and_when("r", self.entered, asked));
        conditions
    }

    fn page(&self, part: Part, edge: Option<i64>, backward: bool, limit: usize) -> Sql {
        let mut asked = Binds::of(self.actor, self.deleted);
        let order = if backward { "asc" } else { "desc" };
        let narrowed = if self.reads() {
            let candidates = self.candidates(Some(part), edge, backward, READ, &mut asked);
            let conditions = self.conditions(part, &mut asked);
            // They come in their order. To ask for it again would make SQLite read them all first.
            format!("select r.record_id, r.position from ({candidates}) as r where 1 = 1 {conditions} limit {limit}")
        } else {
            self.candidates(Some(part), edge, backward, i64::try_from(limit).unwrap_or(i64::MAX), &mut asked)
        };
        asked.into_sql(format!(
            "select {LISTED}, o.name as owner_name, {LAST_BY}
             from ({narrowed}) as p
             cross join record_view as v
             left join member as o on o.household_id = $1 and o.id = v.owner_id
             left join member as m on m.household_id = $1 and m.id = v.last_by
             where v.household_id = $1 and v.id = p.record_id and v.deleted = $3 and {VISIBLE}
             order by p.position {order}"
        ))
    }

    /// How many match, as far as matches are counted. The terms alone are asked: to look a thousand records up would cost
    /// more than the page.
    fn count(&self) -> Sql {
        let mut asked = Binds::of(self.actor, self.deleted);
        let terms = self.terms(None);
        let most = COUNTED + 1;
        let matches = match self.engine {
            Engine::Sqlite => {
                format!("select 1 as one from search_index where search_index match {} limit {most}", asked.add(terms))
            }
            Engine::Postgres => format!(
                "select 1 as one from search_record as s
                 where s.household_id = $1 and s.terms @@ cast('{}' as tsquery)
                 order by s.position desc
                 limit {most}",
                terms.replace('\'', "''")
            ),
        };
        asked
            .into_sql(format!("select count(*) as records from ({matches}) as p where $1 = $1 and $2 = $2 and $3 = $3"))
    }

    /// The position of the last record that was read, if there were more than that.
    async fn last_read(&self, db: &Db, part: Part, edge: Option<i64>, backward: bool) -> Result<Option<i64>> {
        let mut asked = Binds::of(self.actor, self.deleted);
        let candidates = self.candidates(Some(part), edge, backward, READ, &mut asked);
        let last = if backward { "max" } else { "min" };
        let row = asked
            .into_sql(format!(
                "select count(*) as records, {last}(p.position) as position from ({candidates}) as p where $2 = $2 and $3 = $3"
            ))
            .one(db)
            .await?;
        Ok(if row.int("records")? < READ { None } else { row.opt_int("position")? })
    }
}

/// The values of a statement that is put together: `$1` is the household, `$2` the member, `$3` whether deleted records
/// are meant.
pub(super) struct Binds(Vec<Value>);

impl Binds {
    pub(super) fn of(actor: &Actor, deleted: bool) -> Self {
        Self(vec![actor.household.into(), actor.member.into(), deleted.into()])
    }

    /// The same without the third.
    pub(super) fn two(actor: &Actor) -> Self {
        Self(vec![actor.household.into(), actor.member.into()])
    }

    /// Adds a value and gives its place.
    pub(super) fn add(&mut self, value: impl Into<Value>) -> String {
        self.0.push(value.into());
        format!("${}", self.0.len())
    }

    pub(super) fn into_sql(self, text: String) -> Sql {
        sql(text).bind_all(self.0)
    }
}

/// That a text of words matches a clause.
fn like(column: &str, clause: &Clause, asked: &mut Binds) -> String {
    let patterns: Vec<String> = clause
        .patterns()
        .into_iter()
        .map(|pattern| format!("{column} like {}", asked.add(format!("%{pattern}%"))))
        .collect();
    format!("({})", patterns.join(" or "))
}

/// That the record `r`, or one of its notes, matches a clause.
fn said(clause: &Clause, asked: &mut Binds) -> String {
    format!(
        "({} or (select 1 from search_note as n
                where n.household_id = $1 and n.record_id = r.record_id and {}
                limit 1) is not null)",
        like("r.words", clause, asked),
        like("n.words", clause, asked),
    )
}

/// That something happened in a record from the beginning of one date to the end of another.
pub(super) fn happened(record: &str, from: Option<Occurred>, until: Option<Occurred>, asked: &mut Binds) -> String {
    let range = in_range("t", from, until, asked);
    format!(
        "(select 1 from timeline_entry as t
          where t.household_id = $1 and t.record_id = {record} and t.happening {range}
          limit 1) is not null"
    )
}

/// That an entry of a story lies between two dates; a coarser date counts if any of it can be meant.
pub(super) fn in_range(alias: &str, from: Option<Occurred>, until: Option<Occurred>, asked: &mut Binds) -> String {
    let mut range = String::new();
    if let Some(until) = until {
        let _ = write!(range, " and {alias}.occurred_from <= {}", asked.add(until.until_key()));
    }
    if let Some(from) = from {
        let (year, month, first) =
            (asked.add(from.year_key()), asked.add(from.month_key()), asked.add(from.from_key()));
        let (of_year, of_month) = (asked.add(Precision::Year.rank()), asked.add(Precision::Month.rank()));
        let _ = write!(
            range,
            " and {alias}.occurred_from >= {year}
              and ({alias}.occurred_from >= {first} or {alias}.occurred_precision = {of_year}
                   or ({alias}.occurred_precision = {of_month} and {alias}.occurred_from >= {month}))"
        );
    }
    range
}

/// Finds the notes and files behind words that a record itself does not say: at most two a record.
async fn spot(db: &Db, actor: &Actor, query: &Query, hits: &mut [Hit]) -> Result<()> {
    let language = db.language();
    let mut missing: Vec<Vec<usize>> = Vec::with_capacity(hits.len());
    for hit in hits.iter() {
        let texts = searchable::record_texts(&hit.state);
        let sequences: Vec<String> =
            texts.iter().map(|(_, text)| analysis::sequence(language, [text.as_str()])).collect();
        let is_missing = |clause: &Clause| !sequences.iter().any(|sequence| clause.is_in(sequence));
        missing.push((0..query.with.len()).filter(|at| is_missing(&query.with[*at])).collect());
    }
    let mut clauses: Vec<usize> = missing.iter().flatten().copied().collect();
    clauses.sort_unstable();
    clauses.dedup();
    if clauses.is_empty() {
        return Ok(());
    }
    let wanted: Vec<RecordId> =
        hits.iter().zip(&missing).filter(|(_, missing)| !missing.is_empty()).map(|(hit, _)| hit.listed.id).collect();
    let notes = notes(db, actor, query, &clauses, &wanted).await?;
    let mut told = Vec::new();
    for (hit, missing) in hits.iter().zip(&mut missing) {
        let mut shown: Vec<i64> = Vec::new();
        missing.retain(|at| match notes.get(&(hit.listed.id, *at)) {
            Some(version) => {
                if !shown.contains(version) && shown.len() < 2 {
                    shown.push(*version);
                }
                false
            }
            None => true,
        });
        told.extend(shown.into_iter().map(|version| (hit.listed.id, version)));
    }
    let mut told = tell(db, actor, &told).await?;
    let in_files: Vec<RecordId> =
        hits.iter().zip(&missing).filter(|(_, missing)| !missing.is_empty()).map(|(hit, _)| hit.listed.id).collect();
    let files = files(db, actor, &in_files).await?;
    for (hit, missing) in hits.iter_mut().zip(&missing) {
        hit.spots = told.remove(&hit.listed.id).unwrap_or_default();
        for (id, name) in files.get(&hit.listed.id).into_iter().flatten() {
            let sequence = analysis::sequence(language, [name.as_str()]);
            if missing.iter().any(|at| query.with[*at].is_in(&sequence)) && hit.spots.len() < 2 {
                hit.spots.push(Spot::File { id: *id, name: name.clone() });
            }
        }
    }
    Ok(())
}

/// For each record and clause the latest note that matches, as the version of the event that tells it.
async fn notes(
    db: &Db,
    actor: &Actor,
    query: &Query,
    clauses: &[usize],
    records: &[RecordId],
) -> Result<HashMap<(RecordId, usize), i64>> {
    let mut asked = Binds(vec![actor.household.into()]);
    let columns: Vec<String> = clauses
        .iter()
        .map(|at| {
            format!(
                "(select n.shown from search_note as n
                  where n.household_id = $1 and n.record_id = s.record_id and {}
                  order by n.version desc
                  limit 1) as note_{at}",
                like("n.words", &query.with[*at], &mut asked)
            )
        })
        .collect();
    let ids: Vec<String> = records.iter().map(|record| asked.add(*record)).collect();
    let rows = asked
        .into_sql(format!(
            "select s.record_id, {} from search_record as s where s.household_id = $1 and s.record_id in ({})",
            columns.join(", "),
            ids.join(", ")
        ))
        .all(db)
        .await?;
    let mut notes = HashMap::new();
    for row in &rows {
        let record = RecordId(row.uuid("record_id")?);
        for at in clauses {
            if let Some(version) = row.opt_int(&format!("note_{at}"))? {
                notes.insert((record, *at), version);
            }
        }
    }
    Ok(notes)
}

/// The notes that these events tell.
async fn tell(db: &Db, actor: &Actor, events: &[(RecordId, i64)]) -> Result<HashMap<RecordId, Vec<Spot>>> {
    let mut told: HashMap<RecordId, Vec<Spot>> = HashMap::new();
    if events.is_empty() {
        return Ok(told);
    }
    let mut asked = Binds(vec![actor.household.into()]);
    let wanted: Vec<String> = events
        .iter()
        .enumerate()
        .map(|(nth, (record, version))| {
            format!("select {nth} as nth, {} as record_id, {} as version", asked.add(*record), asked.add(*version))
        })
        .collect();
    let rows = asked
        .into_sql(format!(
            "select w.record_id, w.version, e.position, e.kind, e.payload_version, e.payload, e.occurred
             from ({}) as w
             cross join record_events as e
             where e.household_id = $1 and e.record_id = w.record_id and e.version = w.version
             order by w.nth",
            wanted.join(" union all ")
        ))
        .all(db)
        .await?;
    for row in &rows {
        let position = row.int("position")?;
        let payload = Payload::decode(&row.text("kind")?, row.int("payload_version")?, &row.bytes("payload")?)
            .map_err(|problem| Error::internal(format!("event {position}: {problem}")))?;
        let occurred = Occurred::parse_iso(&row.text("occurred")?).map_err(|e| bad("occurred", &e.0))?;
        told.entry(RecordId(row.uuid("record_id")?)).or_default().push(Spot::Note {
            version: row.int("version")?,
            place: Place { from: occurred.from_key(), precision: occurred.precision().rank(), position },
            occurred,
            texts: searchable::texts_of(&payload).unwrap_or_default(),
        });
    }
    Ok(told)
}

/// The names of files of records, the latest first.
async fn files(db: &Db, actor: &Actor, records: &[RecordId]) -> Result<HashMap<RecordId, Vec<(AttachmentId, String)>>> {
    let mut files: HashMap<RecordId, Vec<(AttachmentId, String)>> = HashMap::new();
    if records.is_empty() {
        return Ok(files);
    }
    let mut asked = Binds(vec![actor.household.into()]);
    let ids: Vec<String> = records.iter().map(|record| asked.add(*record)).collect();
    let rows = asked
        .into_sql(format!(
            "select record_id, id, file_name from attachment
             where household_id = $1 and record_id in ({}) and standing = 'present'
             order by position desc
             limit {READ}",
            ids.join(", ")
        ))
        .all(db)
        .await?;
    for row in &rows {
        let file = (AttachmentId(row.uuid("id")?), row.text("file_name")?);
        files.entry(RecordId(row.uuid("record_id")?)).or_default().push(file);
    }
    Ok(files)
}
