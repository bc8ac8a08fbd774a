//! What the search asks: terms for the index, and conditions that have to be read off the records.

use std::fmt::Write as _;

use crate::domain::access::Actor;
use crate::domain::analysis;
use crate::domain::query::{Clause, Query};
use crate::domain::searchable::{Kind, mark, term};
use crate::domain::text::fold;
use crate::error::Result;
use crate::store::conditions::{Binds, happened};
use crate::store::db::{Db, Engine, Sql};
use crate::store::filter::{Entered, Filter};
use crate::store::people::LAST_BY;
use crate::store::views::{LISTED, VISIBLE};

use super::{COUNTED, Part, READ, Wanted};

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
pub(super) struct Asking<'a> {
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
    pub(super) fn of(engine: Engine, actor: &'a Actor, wanted: &Wanted<'a>) -> Self {
        let marks = [actor.household.0, actor.member.0].map(|scope| mark(scope, wanted.filter.deleted));
        let Wanted { query, filter, entered } = *wanted;
        Self { engine, actor, query, filter, entered, deleted: filter.deleted, marks }
    }

    /// A statement of the search. On PostgreSQL its text holds the terms, and comes once.
    fn statement(&self, asked: Binds, text: String) -> Sql {
        let sql = asked.into_sql(text);
        if self.engine == Engine::Postgres { sql.once() } else { sql }
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

    fn written(&self, terms: &Terms) -> String {
        let mut text = String::new();
        terms.write(self.engine, &mut text);
        text
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
        self.written(&terms)
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
                // In the text itself, as the household is, so that the plan is made for them: how frequent they are decides it.
                let (terms, household) = (quoted(&terms), self.actor.household);
                let edge =
                    edge.map_or_else(String::new, |position| format!("and s.position {side} {}", asked.add(position)));
                format!(
                    "select s.record_id, s.position, s.title_words, s.words
                     from search_record as s
                     where s.household_id = cast('{household}' as uuid) and s.terms @@ cast('{terms}' as tsquery) {edge}
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

    pub(super) fn page(&self, part: Part, edge: Option<i64>, backward: bool, limit: usize) -> Sql {
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
        let text = format!(
            "select {LISTED}, o.name as owner_name, {LAST_BY}
             from ({narrowed}) as p
             cross join record_view as v
             left join member as o on o.household_id = $1 and o.id = v.owner_id
             left join member as m on m.household_id = $1 and m.id = v.last_by
             where v.household_id = $1 and v.id = p.record_id and v.deleted = $3 and {VISIBLE}
             order by p.position {order}"
        );
        self.statement(asked, text)
    }

    /// A one for each record that holds the terms, at most so many. PostgreSQL is told an order, in which it may walk.
    fn matches(&self, terms: &str, order: &str, most: i64, asked: &mut Binds) -> String {
        match self.engine {
            Engine::Sqlite => format!(
                "select cast(1 as bigint) as one
                 from search_index
                 cross join search_record as s
                 where search_index match {} and s.seq = search_index.rowid and s.household_id = $1
                 limit {most}",
                asked.add(terms)
            ),
            Engine::Postgres => format!(
                "select cast(1 as bigint) as one from search_record as s
                 where s.household_id = cast('{}' as uuid) and s.terms @@ cast('{}' as tsquery)
                 {order}
                 limit {most}",
                self.actor.household,
                quoted(terms)
            ),
        }
    }

    /// How many match, as far as matches are counted. The terms alone are asked: to look a thousand records up would cost
    /// more than the page.
    pub(super) fn count(&self) -> Sql {
        let mut asked = Binds::of(self.actor, self.deleted);
        let matches = self.matches(&self.terms(None), "order by s.position desc", COUNTED + 1, &mut asked);
        let text = format!("select count(*) as records from ({matches}) as p where $1 = $1 and $2 = $2 and $3 = $3");
        self.statement(asked, text)
    }

    /// The position of the last record that was read, if there were more than that.
    pub(super) async fn last_read(
        &self,
        db: &Db,
        part: Part,
        edge: Option<i64>,
        backward: bool,
    ) -> Result<Option<i64>> {
        let mut asked = Binds::of(self.actor, self.deleted);
        let candidates = self.candidates(Some(part), edge, backward, READ, &mut asked);
        let last = if backward { "max" } else { "min" };
        let text = format!(
            "select count(*) as records, {last}(p.position) as position from ({candidates}) as p where $2 = $2 and $3 = $3"
        );
        let row = self.statement(asked, text).one(db).await?;
        Ok(if row.int("records")? < READ { None } else { row.opt_int("position")? })
    }

    /// Which of the clauses stand nowhere, as far as terms tell.
    pub(super) async fn nowhere(&self, db: &Db) -> Result<Vec<usize>> {
        let mut asked = Binds::of(self.actor, self.deleted);
        let somewhere = |(at, clause): (usize, &Clause)| {
            let matches = self.matches(&self.written(&self.clause(Kind::Anything, clause)), "", 1, &mut asked);
            format!("({matches}) as clause_{at}")
        };
        let columns: Vec<String> = self.query.with.iter().enumerate().map(somewhere).collect();
        let text = format!("select {} where $1 = $1 and $2 = $2 and $3 = $3", columns.join(", "));
        let row = self.statement(asked, text).one(db).await?;
        let mut nowhere = Vec::new();
        for at in 0..self.query.with.len() {
            if row.opt_int(&format!("clause_{at}"))?.is_none() {
                nowhere.push(at);
            }
        }
        Ok(nowhere)
    }
}

/// Text inside the quotes of a statement.
fn quoted(text: &str) -> String {
    text.replace('\'', "''")
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
