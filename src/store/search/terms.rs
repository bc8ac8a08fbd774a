//! Conditions on the terms of the index, and how either engine reads them.

use std::fmt::Write as _;

use crate::store::db::Engine;

/// A condition on terms.
pub(super) enum Terms {
    /// A term; or, if so it says, any that begins with it.
    One(String, bool),
    /// All of them.
    All(Vec<Terms>),
    /// Any of them.
    Any(Vec<Terms>),
    /// The first without the second.
    Less(Box<Terms>, Box<Terms>),
}

impl Terms {
    /// As FTS5 and as `tsquery` read it. Terms are letters, digits and symbols alone, so that nothing has to be escaped.
    pub(super) fn write(&self, engine: Engine) -> String {
        let mut text = String::new();
        self.write_to(engine, &mut text);
        text
    }

    fn write_to(&self, engine: Engine, text: &mut String) {
        let joined = |text: &mut String, list: &[Self], with: &str| {
            text.push('(');
            for (at, one) in list.iter().enumerate() {
                text.push_str(if at == 0 { "" } else { with });
                one.write_to(engine, text);
            }
            text.push(')');
        };
        match (self, engine) {
            (Self::One(term, begins), Engine::Sqlite) => {
                let _ = write!(text, "\"{term}\"{}", if *begins { " *" } else { "" });
            }
            (Self::One(term, begins), Engine::Postgres) => {
                let _ = write!(text, "'{term}'{}", if *begins { ":*" } else { "" });
            }
            (Self::All(list), Engine::Sqlite) => joined(text, list, " AND "),
            (Self::All(list), Engine::Postgres) => joined(text, list, " & "),
            (Self::Any(list), Engine::Sqlite) => joined(text, list, " OR "),
            (Self::Any(list), Engine::Postgres) => joined(text, list, " | "),
            (Self::Less(one, other), engine) => {
                text.push('(');
                one.write_to(engine, text);
                text.push_str(if engine == Engine::Sqlite { " NOT " } else { " & !" });
                other.write_to(engine, text);
                text.push(')');
            }
        }
    }

    /// Whether it is one word, in all its forms.
    pub(super) fn is_one(&self) -> bool {
        match self {
            Self::One(..) => true,
            Self::Any(list) => list.iter().all(Self::is_one),
            Self::All(list) => matches!(&list[..], [one] if one.is_one()),
            Self::Less(..) => false,
        }
    }

    /// Each term in it, and whether it may go on.
    pub(super) fn leaves(&self, leaves: &mut Vec<(String, bool)>) {
        match self {
            Self::One(term, begins) => {
                let leaf = (term.clone(), *begins);
                if !leaves.contains(&leaf) {
                    leaves.push(leaf);
                }
            }
            Self::All(list) | Self::Any(list) => list.iter().for_each(|one| one.leaves(leaves)),
            Self::Less(one, other) => [one, other].into_iter().for_each(|one| one.leaves(leaves)),
        }
    }

    /// Whether any term in it may go on.
    pub(super) fn has_beginnings(&self) -> bool {
        match self {
            Self::One(_, begins) => *begins,
            Self::All(list) | Self::Any(list) => list.iter().any(Self::has_beginnings),
            Self::Less(one, other) => one.has_beginnings() || other.has_beginnings(),
        }
    }
}
