//! What the search asks: terms for the index, and conditions that have to be read off the records.

use std::fmt::Write as _;

use crate::domain::access::Actor;
use crate::domain::analysis;
use crate::domain::query::{Clause, Query};
use crate::domain::searchable::{FIRST, Kind, mark, term};
use crate::domain::text::fold;
use crate::error::Result;
use crate::store::conditions::{Binds, happened};
use crate::store::db::{Db, Engine, Row, Sql};
use crate::store::filter::{Entered, Filter, Key, Sort, beyond, order};
use crate::store::people::LAST_BY;
use crate::store::projection::labels;
use crate::store::views::{LISTED, VISIBLE};

use super::frequency::Frequencies;
use super::terms::Terms;
use super::{COUNTED, Part, READ, Wanted};

/// How PostgreSQL is to find the records of a part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    /// Down the latest records, each of which is looked at; at most so many.
    Walk(i64),
    /// By the index: all that hold the terms, put in order.
    Index,
}

/// How many records are walked over in vain before the index is asked after all.
const WALKED: i64 = 50_000;

/// A search, made ready to be asked.
pub(super) struct Asking<'a> {
    engine: Engine,
    actor: &'a Actor,
    query: &'a Query,
    filter: &'a Filter,
    entered: Entered,
    deleted: bool,
    /// The household's and the member's own.
    marks: [String; 2],
    /// On PostgreSQL: how many records the terms find.
    frequencies: Frequencies,
}

impl<'a> Asking<'a> {
    pub(super) fn of(engine: Engine, actor: &'a Actor, wanted: &Wanted<'a>) -> Self {
        let marks = [actor.household.0, actor.member.0].map(|scope| mark(scope, wanted.filter.deleted));
        let Wanted { query, filter, entered } = *wanted;
        let frequencies = Frequencies::default();
        Self { engine, actor, query, filter, entered, deleted: filter.deleted, marks, frequencies }
    }

    /// Every term that is asked for.
    fn leaves(&self) -> Vec<(String, bool)> {
        let mut leaves = Vec::new();
        for part in [Part::Title, Part::Rest] {
            self.terms(Some(part)).leaves(&mut leaves);
        }
        leaves
    }

    /// What has to be known of the terms before they are looked for, if anything.
    pub(super) fn frequencies(&self) -> Option<Sql> {
        (self.engine == Engine::Postgres).then(|| Frequencies::statement(self.actor, &self.leaves()))
    }

    /// Takes the answer, and how many records there are.
    pub(super) fn learn(&mut self, rows: &[Row], records: i64) -> Result<()> {
        self.frequencies = Frequencies::read(rows, self.leaves(), records)?;
        Ok(())
    }

    /// Whether records have to be read to know which match.
    pub(super) fn reads(&self) -> bool {
        let (query, filter) = (self.query, self.filter);
        query.with.iter().chain(&query.without).any(Clause::wants_order)
            || query.after.is_some()
            || query.before.is_some()
            || filter.from.is_some()
            || filter.until.is_some()
            || filter.by.is_some()
            || filter.files
    }

    /// A word in either scope, or what begins with it. SQLite reads all records of all words that begin alike before it
    /// gives the first; so there the beginnings are terms themselves, up to a length.
    fn word(&self, kind: Kind, word: &str, prefix: bool) -> Vec<Terms> {
        let (kind, prefix) = match (kind, self.engine) {
            _ if !prefix || word.chars().count() > FIRST => (kind, prefix),
            (Kind::Title, Engine::Sqlite) => (Kind::TitleBegins, false),
            (Kind::Anything, Engine::Sqlite) => (Kind::AnythingBegins, false),
            _ => (kind, prefix),
        };
        self.marks.iter().map(|mark| Terms::One(term(kind, mark, word), prefix)).collect()
    }

    fn clause(&self, kind: Kind, clause: &Clause) -> Terms {
        if let ([word], stem) = (&clause.words[..], &clause.stem) {
            // There every word is among the stems as well.
            if let (Some(stem), Engine::Sqlite) = (stem, self.engine) {
                let mut any = self.word(kind, &format!("{}{stem}", analysis::STEM), false);
                if clause.prefix {
                    any.extend(self.word(kind, word, true));
                }
                return Terms::Any(any);
            }
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

    fn terms(&self, part: Option<Part>) -> Terms {
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
        if less.is_empty() { all } else { Terms::Less(Box::new(all), Box::new(Terms::Any(less))) }
    }

    /// The terms as a value of a statement. PostgreSQL would read the text anew for each record if it stood there bare.
    fn wanted(&self, terms: &Terms, asked: &mut Binds) -> String {
        let wanted = asked.add(terms.write(self.engine));
        match self.engine {
            Engine::Sqlite => wanted,
            Engine::Postgres => format!("(select cast({wanted} as tsquery))"),
        }
    }

    /// How PostgreSQL finds so many records of a part with the least work.
    fn way(&self, terms: &Terms, wanted: i64) -> Way {
        if self.frequencies.walks(terms, wanted) { Way::Walk(WALKED) } else { Way::Index }
    }

    /// Records that hold the terms, in order of activity; the bound stands in the text, so that the planner knows it.
    fn candidates(&self, terms: &Terms, way: Way, from: &Edge, limit: i64, asked: &mut Binds) -> String {
        let (side, order) = if from.backward { (">", "asc") } else { ("<", "desc") };
        let wanted = self.wanted(terms, asked);
        let edge = from.edge.map(|position| asked.add(position));
        let beyond = edge.as_ref().map_or_else(String::new, |edge| format!("and s.position {side} {edge}"));
        match (self.engine, way) {
            (Engine::Sqlite, _) => {
                // The order of the rows of the index is that of activity.
                let beyond = edge.map_or_else(String::new, |edge| {
                    format!(
                        "and search_index.rowid {side}= coalesce((
                             select seq from search_record
                             where household_id = $1 and position {side} {edge}
                             order by position {order}
                             limit 1), {none})",
                        none = if from.backward { i64::MAX } else { -1 },
                    )
                });
                format!(
                    "select s.record_id, s.position, s.title_words, s.words
                     from search_index
                     cross join search_record as s
                     where search_index match {wanted} {beyond} and s.seq = search_index.rowid and s.household_id = $1
                     order by search_index.rowid {order}
                     limit {limit}"
                )
            }
            // What has a limit is done before what stands around it.
            (Engine::Postgres, Way::Walk(most)) => format!(
                "select s.record_id, s.position, s.title_words, s.words
                 from (
                     select s.record_id, s.position, s.title_words, s.words, s.terms
                     from search_record as s
                     where s.household_id = $1 {beyond}
                     order by s.position {order}
                     limit {most}
                 ) as s
                 where s.terms @@ {wanted}
                 order by s.position {order}
                 limit {limit}"
            ),
            (Engine::Postgres, Way::Index) => format!(
                "select s.record_id, s.position, s.title_words, s.words
                 from (
                     select s.household_id, s.record_id, s.position, s.title_words, s.words
                     from search_record as s
                     where s.terms @@ {wanted}
                     offset 0
                 ) as s
                 where s.household_id = $1 {beyond}
                 order by s.position {order}
                 limit {limit}"
            ),
        }
    }

    /// What has to be read off a record, `r`, of a part or of both.
    fn conditions(&self, part: Option<Part>, asked: &mut Binds) -> String {
        let query = self.query;
        let mut conditions = String::new();
        for clause in query.with.iter().filter(|clause| clause.wants_order()) {
            let condition = match part {
                Some(Part::Title) => like("r.title_words", clause, asked),
                _ => said(clause, asked),
            };
            let _ = write!(conditions, " and {condition}");
        }
        if part == Some(Part::Rest) && query.with.iter().any(Clause::wants_order) {
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

    /// A page of the parts, one after the other: the second is looked for only as far as the first leaves room.
    fn page(&self, parts: &[(Part, Way)], from: &From, limit: usize) -> Sql {
        let mut asked = Binds::of(self.actor, self.deleted);
        let many = i64::try_from(limit).unwrap_or(i64::MAX);
        let arms: Vec<String> = parts
            .iter()
            .map(|(part, way)| {
                let from = from.of(*part);
                let terms = self.terms(Some(*part));
                let narrowed = if self.reads() {
                    let candidates = self.candidates(&terms, *way, &from, READ, &mut asked);
                    let conditions = self.conditions(Some(*part), &mut asked);
                    // They come in their order. To ask for it again would make SQLite read them all first.
                    format!(
                        "select r.record_id, r.position, r.words from ({candidates}) as r
                         where 1 = 1 {conditions}
                         limit {limit}"
                    )
                } else {
                    self.candidates(&terms, *way, &from, many, &mut asked)
                };
                let part = part.number();
                format!(
                    "select cast({part} as bigint) as part, a{part}.record_id, a{part}.position, a{part}.words
                     from ({narrowed}) as a{part}"
                )
            })
            .collect();
        let (first, second) = if from.backward { ("desc", "asc") } else { ("asc", "desc") };
        asked.into_sql(format!(
            "select p.part, p.words, v.has_files, {LISTED}, o.name as owner_name, {LAST_BY}
             from ({arms} limit {limit}) as p
             cross join record_view as v
             left join member as o on o.household_id = $1 and o.id = v.owner_id
             left join member as m on m.household_id = $1 and m.id = v.last_by
             where v.household_id = $1 and v.id = p.record_id and v.deleted = $3 and {VISIBLE}
             order by p.part {first}, p.position {second}",
            arms = arms.join(" union all "),
        ))
    }

    fn ways(&self, parts: &[Part], limit: usize) -> Vec<(Part, Way)> {
        let many = i64::try_from(limit).unwrap_or(i64::MAX);
        // Words in a row stand in some of those alone that have them at all.
        let many = if self.reads() { (many * 20).min(READ) } else { many };
        parts.iter().map(|part| (*part, self.way(&self.terms(Some(*part)), many))).collect()
    }

    /// The first statement for a page of some parts: for SQLite the only one.
    pub(super) fn first(&self, parts: &[Part], from: &From, limit: usize) -> Sql {
        self.page(&self.ways(parts, limit), from, limit)
    }

    /// A page of some parts.
    pub(super) async fn find(&self, db: &Db, parts: &[Part], from: &From, limit: usize) -> Result<Vec<Row>> {
        let mut ways = self.ways(parts, limit);
        let mut found = self.page(&ways, from, limit).all(db).await?;
        // The words are frequent, but not together.
        if found.len() < limit && self.frequencies.records() > WALKED && ways.iter().any(|(_, way)| *way != Way::Index)
        {
            ways.iter_mut().for_each(|(_, way)| *way = Way::Index);
            found = self.page(&ways, from, limit).all(db).await?;
        }
        Ok(found)
    }

    /// A one for each record that holds the terms, at most so many. A mark is one scope's alone, so that SQLite need not
    /// look up whose they are: that would take longer than finding them.
    fn matches(&self, terms: &Terms, most: i64, asked: &mut Binds) -> String {
        let wanted = self.wanted(terms, asked);
        let one = "cast(1 as bigint) as one";
        match self.engine {
            Engine::Sqlite => format!("select {one} from search_index where search_index match {wanted} limit {most}"),
            Engine::Postgres if self.frequencies.walks(terms, most) => format!(
                "select {one}
                 from (
                     select s.terms from search_record as s
                     where s.household_id = $1
                     order by s.position desc
                     limit {all}
                 ) as s
                 where s.terms @@ {wanted}
                 limit {most}",
                all = i64::MAX,
            ),
            Engine::Postgres => format!(
                "select {one}
                 from (
                     select s.household_id from search_record as s
                     where s.terms @@ {wanted}
                     offset 0
                 ) as s
                 where s.household_id = $1
                 limit {most}"
            ),
        }
    }

    /// How many match, as far as matches are counted.
    pub(super) async fn count(&self, db: &Db) -> Result<i64> {
        let terms = self.terms(None);
        if self.engine == Engine::Postgres && self.frequencies.of(&terms).least > COUNTED {
            return Ok(COUNTED + 1);
        }
        let mut asked = Binds::two(self.actor);
        let matches = self.matches(&terms, COUNTED + 1, &mut asked);
        let text = format!("select count(*) as records from ({matches}) as p where $1 = $1 and $2 = $2");
        Ok(asked.into_sql(text).one(db).await?.int("records")?)
    }

    /// A page in another order than that of activity: of the records that hold the terms, as many of the latest as are
    /// read at a time, put in order.
    pub(super) fn sorted(&self, place: &Place, limit: usize) -> Sql {
        let mut asked = Binds::of(self.actor, self.deleted);
        let terms = self.terms(None);
        let window = Edge { edge: place.window, backward: false };
        let candidates = self.candidates(&terms, self.way(&terms, READ), &window, READ, &mut asked);
        let mut conditions = self.conditions(None, &mut asked);
        if let Some(key) = &place.key {
            let _ = write!(conditions, " and {}", beyond(key, "l", place.descends(self.filter.sort), &mut asked));
        }
        asked.into_sql(format!(
            "select p.happened, p.title_key, p.words, v.has_files, {LISTED}, o.name as owner_name, {LAST_BY}
             from (
                 select r.record_id, r.words, l.position, l.happened, l.title_key
                 from ({candidates}) as r
                 cross join record_label as l
                 where l.household_id = $1 and l.record_id = r.record_id and l.kind = '{kind}' and l.label_key = ''
                   and l.deleted = $3 {conditions}
                 order by {inner}
                 limit {limit}
             ) as p
             cross join record_view as v
             left join member as o on o.household_id = $1 and o.id = v.owner_id
             left join member as m on m.household_id = $1 and m.id = v.last_by
             where v.household_id = $1 and v.id = p.record_id and v.deleted = $3 and {VISIBLE}
             order by {outer}",
            kind = labels::ALL,
            inner = place.order(self.filter.sort, "l"),
            outer = place.order(self.filter.sort, "p"),
        ))
    }

    /// The position of the last record that was read of a part, or of both, if there were more than that.
    pub(super) async fn last_read(&self, db: &Db, part: Option<Part>, from: &From) -> Result<Option<i64>> {
        let mut asked = Binds::two(self.actor);
        let terms = self.terms(part);
        let edge = part.map_or(Edge { edge: from.at.map(|(_, at)| at), backward: from.backward }, |part| from.of(part));
        let candidates = self.candidates(&terms, self.way(&terms, READ), &edge, READ, &mut asked);
        let last = if from.backward { "max" } else { "min" };
        let text = format!(
            "select count(*) as records, {last}(p.position) as position from ({candidates}) as p where $2 = $2"
        );
        let row = asked.into_sql(text).one(db).await?;
        Ok(if row.int("records")? < READ { None } else { row.opt_int("position")? })
    }

    /// Which of the clauses stand nowhere, as far as terms tell.
    pub(super) async fn nowhere(&self, db: &Db) -> Result<Vec<usize>> {
        let mut asked = Binds::two(self.actor);
        let somewhere = |(at, clause): (usize, &Clause)| {
            let matches = self.matches(&self.clause(Kind::Anything, clause), 1, &mut asked);
            format!("({matches}) as clause_{at}")
        };
        let columns: Vec<String> = self.query.with.iter().enumerate().map(somewhere).collect();
        let text = format!("select {} where $1 = $1 and $2 = $2", columns.join(", "));
        let row = asked.into_sql(text).one(db).await?;
        let mut nowhere = Vec::new();
        for at in 0..self.query.with.len() {
            if row.opt_int(&format!("clause_{at}"))?.is_none() {
                nowhere.push(at);
            }
        }
        Ok(nowhere)
    }
}

/// Where a page begins, and which way it goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct From {
    /// The part, and the position in it.
    pub(super) at: Option<(Part, i64)>,
    /// Towards what changed later.
    pub(super) backward: bool,
}

/// Where a page in another order begins.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Place {
    /// Below which position records are read and put in order.
    pub window: Option<i64>,
    /// Beyond which key, in that order.
    pub key: Option<Key>,
    /// In front of it.
    pub backward: bool,
}

impl Place {
    fn descends(&self, sort: Sort) -> bool {
        (sort != Sort::Title) != self.backward
    }

    fn order(&self, sort: Sort, alias: &str) -> String {
        order(sort, alias, self.descends(sort))
    }
}

/// The same within a part.
struct Edge {
    edge: Option<i64>,
    backward: bool,
}

impl From {
    fn of(&self, part: Part) -> Edge {
        let edge = self.at.filter(|(known, _)| *known == part).map(|(_, position)| position);
        Edge { edge, backward: self.backward }
    }
}

/// That a text of words matches a clause.
pub(super) fn like(column: &str, clause: &Clause, asked: &mut Binds) -> String {
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
