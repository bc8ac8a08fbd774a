//! How what a search asks for is found: the statements of a page, of either order, and how many there are.

use crate::domain::query::Clause;
use crate::domain::searchable::Kind;
use crate::error::{Error, Result};
use crate::store::conditions::Binds;
use crate::store::count::COUNTED;
use crate::store::db::{Db, Engine, Row, Sql};
use crate::store::views::{LISTED, VISIBLE};

use super::asking::Asking;
use super::frequency::Frequencies;
use super::terms::Terms;
use super::{Part, READ};

/// How PostgreSQL is to find the records of a part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    /// Down the latest records, each of which is looked at; at most so many.
    Walk(i64),
    /// By the index: all that hold the terms, put in order.
    Index,
}

/// How many records are walked over for a page in vain before the index is asked after all.
const WALKED: i64 = 50_000;

/// The rows of a page, each with the part that it is of, and how many match, as far as that was told along with them.
pub(super) struct Rows {
    pub(super) rows: Vec<(Part, Row)>,
    pub(super) counted: Option<i64>,
}

/// One of the searches that a page is put together from.
struct Arm {
    /// What it looks for: a part, or both.
    part: Option<Part>,
    way: Way,
    from: Edge,
}

/// Where a page begins, and which way it goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct From {
    /// The part, and the position in it.
    pub(super) at: Option<(Part, i64)>,
    /// Towards what changed later.
    pub(super) backward: bool,
}

/// The same within a part.
pub(super) struct Edge {
    pub(super) edge: Option<i64>,
    pub(super) backward: bool,
}

impl From {
    fn of(&self, part: Part) -> Edge {
        let edge = self.at.filter(|(known, _)| *known == part).map(|(_, position)| position);
        Edge { edge, backward: self.backward }
    }
}

impl Asking<'_> {
    /// The terms as a value of a statement. PostgreSQL would read the text anew for each record if it stood there bare.
    fn wanted(&self, terms: &Terms, asked: &mut Binds) -> String {
        let wanted = asked.add(terms.write(self.engine));
        match self.engine {
            Engine::Sqlite => wanted,
            Engine::Postgres => format!("(select cast({wanted} as tsquery))"),
        }
    }

    /// How PostgreSQL finds so many records of a part with the least work. Whoever has to know of all of them must not stop
    /// at a bound.
    pub(super) fn way(&self, terms: &Terms, wanted: i64) -> Way {
        if self.frequencies.walks(terms, wanted) { Way::Walk(i64::MAX) } else { Way::Index }
    }

    /// Records that hold the terms, in order of activity; the bound stands in the text, so that the planner knows it.
    pub(super) fn candidates(&self, terms: &Terms, way: Way, from: &Edge, limit: i64, asked: &mut Binds) -> String {
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

    /// A page of the parts, one after the other: the second is looked for only as far as the first leaves room.
    fn page(&self, parts: &[(Part, Way)], from: &From, limit: usize) -> Sql {
        let arms = parts.iter().map(|(part, way)| Arm { part: Some(*part), way: *way, from: from.of(*part) }).collect();
        self.arms(arms, from.backward, limit)
    }

    /// Both parts together, where it is known that they fit on a page. They are told apart afterwards, by
    /// [`Self::is_by_title`].
    fn whole(&self, limit: usize) -> Sql {
        let way = self.way(&self.terms(None), i64::try_from(limit).unwrap_or(i64::MAX));
        self.arms(vec![Arm { part: None, way, from: Edge { edge: None, backward: false } }], false, limit)
    }

    fn arms(&self, arms: Vec<Arm>, backward: bool, limit: usize) -> Sql {
        let mut asked = Binds::of(self.actor, self.deleted);
        let many = i64::try_from(limit).unwrap_or(i64::MAX);
        let columns = "record_id, position, title_words, words";
        let arms: Vec<String> = arms
            .into_iter()
            .map(|Arm { part, way, from }| {
                let terms = self.terms(part);
                let narrowed = if self.reads() {
                    let candidates = self.candidates(&terms, way, &from, READ, &mut asked);
                    let conditions = self.conditions(part, &mut asked);
                    // They come in their order. To ask for it again would make SQLite read them all first.
                    format!("select {columns} from ({candidates}) as r where 1 = 1 {conditions} limit {limit}")
                } else {
                    self.candidates(&terms, way, &from, many, &mut asked)
                };
                let part = part.unwrap_or(Part::Rest).number();
                format!("select cast({part} as bigint) as part, {columns} from ({narrowed}) as a{part}")
            })
            .collect();
        let (first, second) = if backward { ("desc", "asc") } else { ("asc", "desc") };
        asked.into_sql(format!(
            "select p.part, p.title_words, p.words, v.has_files, {LISTED}
             from ({arms} limit {limit}) as p
             cross join record_view as v
             where v.household_id = $1 and v.id = p.record_id and v.deleted = $3 and {VISIBLE}
             order by p.part {first}, p.position {second}",
            arms = arms.join(" union all "),
        ))
    }

    fn ways(&self, parts: &[Part], limit: usize) -> Vec<(Part, Way)> {
        let many = i64::try_from(limit).unwrap_or(i64::MAX);
        // Words in a row stand in some of those alone that have them at all.
        let many = if self.reads() { (many * 20).min(READ) } else { many };
        let bounded = |way| if way == Way::Index { way } else { Way::Walk(WALKED) };
        parts.iter().map(|part| (*part, bounded(self.way(&self.terms(Some(*part)), many)))).collect()
    }

    /// What a search asks first: on PostgreSQL how frequent its terms are; else the page and, where nothing has to be read for
    /// it, how many there are.
    pub(super) fn first(&self, parts: &[Part], from: &From, limit: usize) -> Vec<Sql> {
        if self.engine == Engine::Postgres {
            return vec![Frequencies::statement(self.actor, &self.leaves())];
        }
        let mut asked = vec![self.page(&self.ways(parts, limit), from, limit)];
        asked.extend((!self.reads()).then(|| self.counting()));
        asked
    }

    fn may_be_whole(&self, parts: &[Part], from: &From) -> bool {
        from.at.is_none() && parts.len() > 1 && !self.reads()
    }

    /// What is found, from the answers to what was asked [first](Self::first) on; on PostgreSQL all of it by one look, if it
    /// fits on a page.
    pub(super) async fn find(
        &mut self,
        db: &Db,
        parts: &[Part],
        from: &From,
        limit: usize,
        first: Vec<Vec<Row>>,
        records: i64,
    ) -> Result<Rows> {
        let counted = |told: Option<Vec<Row>>| {
            Ok::<_, Error>(told.iter().flatten().next().map(|row| row.int("records")).transpose()?)
        };
        let mut first = first.into_iter();
        let told = first.next().unwrap_or_default();
        if self.engine == Engine::Sqlite {
            return Self::in_parts(told, counted(first.next())?);
        }
        self.frequencies = Frequencies::read(&told, self.leaves(), records)?;
        let most = self.frequencies.of(&self.terms(None)).most;
        let is_whole = self.may_be_whole(parts, from) && usize::try_from(most).is_ok_and(|most| most < limit);
        if is_whole {
            let rows = self.whole(limit).all(db).await?;
            if rows.len() < limit {
                let mut found = Vec::with_capacity(rows.len());
                for row in rows {
                    found.push((if self.is_by_title(&row)? { Part::Title } else { Part::Rest }, row));
                }
                found.sort_by_key(|(part, _)| *part);
                return Ok(Rows { rows: found, counted: None });
            }
        }
        let mut ways = self.ways(parts, limit);
        let counts = !self.reads() && self.is_many().is_none();
        let mut asked = vec![self.page(&ways, from, limit)];
        asked.extend(counts.then(|| self.counting()));
        let mut answers = db.one_by_one(asked).await?.into_iter();
        let mut rows = answers.next().unwrap_or_default();
        let counted = counted(answers.next())?;
        if self.fell_short(&ways, &rows, limit)? {
            ways.iter_mut().for_each(|(_, way)| *way = Way::Index);
            rows = self.page(&ways, from, limit).all(db).await?;
        }
        Self::in_parts(rows, counted)
    }

    /// Whether a walk ended at its bound before the page was full: the words are frequent, but not together. What other
    /// parts found after it would stand in the place of what it did not reach.
    fn fell_short(&self, ways: &[(Part, Way)], rows: &[Row], limit: usize) -> Result<bool> {
        let mut reached = 0;
        for (part, way) in ways {
            for row in rows {
                reached += usize::from(row.int("part")? == part.number());
            }
            if reached < limit && *way != Way::Index {
                return Ok(self.frequencies.records() > WALKED);
            }
        }
        Ok(false)
    }

    /// Rows of a page with the part that each is of.
    fn in_parts(rows: Vec<Row>, counted: Option<i64>) -> Result<Rows> {
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            found.push((if row.int("part")? == Part::Title.number() { Part::Title } else { Part::Rest }, row));
        }
        Ok(Rows { rows: found, counted })
    }

    /// Whether a record says everything in its title.
    fn is_by_title(&self, row: &Row) -> Result<bool> {
        let title = row.text("title_words")?;
        Ok(self.query.with.iter().all(|clause| clause.is_in(&title)))
    }

    /// A one for each record that holds the terms, at most so many. A mark is one scope's alone, so that SQLite need not
    /// look up whose they are: that would take longer than finding them.
    fn matches(&self, terms: &Terms, most: i64, asked: &mut Binds) -> String {
        let wanted = self.wanted(terms, asked);
        let one = "cast(1 as bigint) as one";
        match self.engine {
            Engine::Sqlite => format!("select {one} from search_index where search_index match {wanted} limit {most}"),
            // Of one word it is known how many there are. Several may never stand together.
            Engine::Postgres if terms.is_one() && self.frequencies.walks(terms, most) => format!(
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

    /// More than are counted, if that much is known.
    fn is_many(&self) -> Option<i64> {
        let many = self.engine == Engine::Postgres && self.frequencies.of(&self.terms(None)).least > COUNTED;
        many.then_some(COUNTED + 1)
    }

    fn counting(&self) -> Sql {
        let mut asked = Binds::two(self.actor);
        let matches = self.matches(&self.terms(None), COUNTED + 1, &mut asked);
        asked.into_sql(format!("select count(*) as records from ({matches}) as p where $1 = $1 and $2 = $2"))
    }

    /// How many match, as far as matches are counted.
    pub(super) async fn count(&self, db: &Db) -> Result<i64> {
        match self.is_many() {
            Some(many) => Ok(many),
            None => Ok(self.counting().one(db).await?.int("records")?),
        }
    }

    /// How many match, as far as matches are counted, of so many that are read for it.
    pub(super) async fn count_read(&self, db: &Db, read: i64) -> Result<i64> {
        let mut asked = Binds::two(self.actor);
        let terms = self.terms(None);
        let begin = Edge { edge: None, backward: false };
        let candidates = self.candidates(&terms, self.way(&terms, read), &begin, read, &mut asked);
        let conditions = self.conditions(None, &mut asked);
        let text = format!(
            "select count(*) as records
             from (
                 select cast(1 as bigint) as one
                 from ({candidates}) as r
                 where 1 = 1 {conditions}
                 limit {}
             ) as p
             where $2 = $2",
            COUNTED + 1
        );
        Ok(asked.into_sql(text).one(db).await?.int("records")?)
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
