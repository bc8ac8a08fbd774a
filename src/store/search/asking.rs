//! What the search asks: terms for the index, and conditions that have to be read off the records.

use std::fmt::Write as _;

use crate::domain::access::Actor;
use crate::domain::analysis;
use crate::domain::query::{Clause, Query};
use crate::domain::searchable::{FIRST, Kind, mark, term};
use crate::domain::text::fold;
use crate::error::Result;
use crate::store::conditions::{Binds, happened};
use crate::store::db::{Db, Engine};
use crate::store::filter::{Entered, Filter};

use super::frequency::Frequencies;
use super::terms::Terms;
use super::{Part, Wanted};

/// A search, made ready to be asked.
pub(super) struct Asking<'a> {
    pub(super) engine: Engine,
    pub(super) actor: &'a Actor,
    pub(super) query: &'a Query,
    pub(super) filter: &'a Filter,
    pub(super) entered: Entered,
    pub(super) deleted: bool,
    /// The household's and the member's own.
    pub(super) marks: [String; 2],
    /// On PostgreSQL: how many records the terms find.
    pub(super) frequencies: Frequencies,
}

impl<'a> Asking<'a> {
    pub(super) fn of(engine: Engine, actor: &'a Actor, wanted: &Wanted<'a>) -> Self {
        let marks = [actor.household.0, actor.member.0].map(|scope| mark(scope, wanted.filter.deleted));
        let Wanted { query, filter, entered } = *wanted;
        let frequencies = Frequencies::default();
        Self { engine, actor, query, filter, entered, deleted: filter.deleted, marks, frequencies }
    }

    /// Every term that is asked for.
    pub(super) fn leaves(&self) -> Vec<(String, bool)> {
        let mut leaves = Vec::new();
        for part in [Part::Title, Part::Rest] {
            self.terms(Some(part)).leaves(&mut leaves);
        }
        leaves
    }

    /// Asks how frequent its terms are, where that decides how they are found.
    pub(super) async fn learn(&mut self, db: &Db, records: i64) -> Result<()> {
        if self.engine == Engine::Postgres {
            let told = Frequencies::statement(self.actor, &self.leaves()).all(db).await?;
            self.frequencies = Frequencies::read(&told, self.leaves(), records)?;
        }
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

    pub(super) fn clause(&self, kind: Kind, clause: &Clause) -> Terms {
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

    pub(super) fn terms(&self, part: Option<Part>) -> Terms {
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

    /// What has to be read off a record, `r`, of a part or of both.
    pub(super) fn conditions(&self, part: Option<Part>, asked: &mut Binds) -> String {
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
