//! Projection tables as text, so that two databases, on whichever engines, can be compared row by row.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use uuid::Uuid;

use super::db::{DbError, On, Row, sql};
use crate::domain::chain::hex;
use crate::domain::ids::HouseholdId;

/// How a column is read.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Text,
    Int,
    Bool,
    Uuid,
    Instant,
    Bytes,
}

use Kind::{Bool, Instant, Int, Text};

/// A projection table.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    name: &'static str,
    /// The column by which the table is walked in ranges.
    walk: &'static str,
    /// The rest of the key after household and `walk`.
    key: &'static [&'static str],
    columns: &'static [(&'static str, Kind)],
}

/// A table's rows: the key, and each column as text (none if it is null).
pub type Rows = BTreeMap<String, Vec<Option<String>>>;

/// Every table that follows from the events. In `member`, account and joining are primary data, copied beside them.
pub const TABLES: &[Table] = &[
    Table { name: "household", walk: "id", key: &[], columns: &[("name", Text)] },
    Table {
        name: "member",
        walk: "id",
        key: &[],
        columns: &[("name", Text), ("role", Text), ("disabled", Bool), ("named_at", Int), ("removed_at", Instant)],
    },
    Table { name: "member_name", walk: "member_id", key: &["position"], columns: &[("position", Int), ("name", Text)] },
    Table { name: "record", walk: "id", key: &[], columns: &[("created_at", Instant)] },
    Table {
        name: "record_view",
        walk: "id",
        key: &[],
        columns: &[
            ("version", Int),
            ("position", Int),
            ("owner_id", Kind::Uuid),
            ("visibility", Text),
            ("deleted", Bool),
            ("title", Text),
            ("category", Text),
            ("category_key", Text),
            ("state", Text),
            ("summary", Text),
            ("created_at", Instant),
            ("changed_at", Instant),
            ("last_by", Kind::Uuid),
            ("has_files", Bool),
            ("happened", Text),
        ],
    },
    Table {
        name: "record_label",
        walk: "record_id",
        key: &["kind", "label_key"],
        columns: &[
            ("kind", Text),
            ("label_key", Text),
            ("label", Text),
            ("scope", Kind::Uuid),
            ("deleted", Bool),
            ("position", Int),
            ("happened", Text),
            ("title_key", Kind::Bytes),
        ],
    },
    Table {
        name: "search_record",
        walk: "record_id",
        key: &[],
        columns: &[("position", Int), ("title_words", Text), ("words", Text), ("note_terms", Text)],
    },
    Table {
        name: "search_note",
        walk: "record_id",
        key: &["version"],
        columns: &[("version", Int), ("shown", Int), ("words", Text)],
    },
    Table {
        name: "timeline_entry",
        walk: "record_id",
        key: &["version"],
        columns: &[
            ("version", Int),
            ("position", Int),
            ("event_id", Kind::Uuid),
            ("kind", Text),
            ("occurred_from", Text),
            ("occurred_precision", Int),
            ("recorded_at", Instant),
            ("retracted_by", Int),
            ("corrected_by", Int),
            ("happening", Bool),
            ("scope", Kind::Uuid),
            ("deleted_scope", Kind::Uuid),
            ("changes", Text),
        ],
    },
    Table {
        name: "timeline_year",
        walk: "scope",
        key: &["year"],
        columns: &[
            ("year", Int),
            ("m0", Int),
            ("m1", Int),
            ("m2", Int),
            ("m3", Int),
            ("m4", Int),
            ("m5", Int),
            ("m6", Int),
            ("m7", Int),
            ("m8", Int),
            ("m9", Int),
            ("m10", Int),
            ("m11", Int),
            ("m12", Int),
        ],
    },
    Table {
        name: "record_change",
        walk: "record_id",
        key: &["field", "position"],
        columns: &[
            ("field", Text),
            ("position", Int),
            ("version", Int),
            ("label", Text),
            ("old_value", Text),
            ("new_value", Text),
            ("effective", Text),
            ("in_force", Bool),
        ],
    },
    Table {
        name: "external_ref",
        walk: "record_id",
        key: &["source", "reference"],
        columns: &[("source", Text), ("reference", Text)],
    },
    Table {
        name: "label_count",
        walk: "scope",
        key: &["kind", "label_key"],
        columns: &[("kind", Text), ("label_key", Text), ("label", Text), ("records", Int)],
    },
];

impl Table {
    /// The table's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The ids by which the household's rows can be walked, in order.
    pub async fn keys<'a>(&self, on: impl Into<On<'a>>, household: HouseholdId) -> Result<Vec<Uuid>, DbError> {
        let (name, walk, whose) = (self.name, self.walk, self.whose());
        let rows = sql(format!("select distinct {walk} from {name} where {whose} = $1 order by {walk}"))
            .bind(household)
            .all(on)
            .await?;
        rows.iter().map(|row| row.uuid(walk)).collect()
    }

    /// The household's rows from one id to another.
    pub async fn rows<'a>(
        &self,
        on: impl Into<On<'a>>,
        household: HouseholdId,
        from: Uuid,
        to: Uuid,
    ) -> Result<Rows, DbError> {
        let columns: Vec<&str> = self.columns.iter().map(|(column, _)| *column).collect();
        let rows = sql(format!(
            "select {walk}, {columns} from {name} where {whose} = $1 and {walk} >= $2 and {walk} <= $3",
            walk = self.walk,
            columns = columns.join(", "),
            name = self.name,
            whose = self.whose(),
        ))
        .bind(household)
        .bind(from)
        .bind(to)
        .all(on)
        .await?;
        rows.iter().map(|row| self.read(row)).collect()
    }

    /// What `stored` says otherwise than `told`, the rows that follow from the events, in sentences.
    pub fn differences(&self, stored: &Rows, told: &Rows) -> Vec<String> {
        let mut differences = Vec::new();
        for (key, row) in told {
            match stored.get(key) {
                None => differences.push(format!("{} lacks the row {key}, which follows from the events.", self.name)),
                Some(other) => {
                    for ((column, _), (is, should)) in self.columns.iter().zip(other.iter().zip(row)) {
                        if is != should {
                            differences.push(format!(
                                "{}, row {key}: {column} is {}, but by the events it is {}.",
                                self.name,
                                short(is.as_deref()),
                                short(should.as_deref())
                            ));
                        }
                    }
                }
            }
        }
        for key in stored.keys().filter(|key| !told.contains_key(*key)) {
            differences.push(format!("{} has the row {key}, of which no event tells.", self.name));
        }
        differences
    }

    fn read(&self, row: &Row) -> Result<(String, Vec<Option<String>>), DbError> {
        let mut key = row.uuid(self.walk)?.to_string();
        let mut values = Vec::with_capacity(self.columns.len());
        for (column, kind) in self.columns {
            let value = match kind {
                Text => row.opt_text(column)?,
                Int => row.opt_int(column)?.map(|n| n.to_string()),
                Bool => row.opt_bool(column)?.map(|b| b.to_string()),
                Kind::Uuid => row.opt_uuid(column)?.map(|id| id.to_string()),
                Instant => row.opt_instant(column)?.map(|at| at.to_string()),
                Kind::Bytes => row.opt_bytes(column)?.map(|bytes| hex(&bytes)),
            };
            if self.key.contains(column) {
                let _ = write!(key, " {}", value.as_deref().unwrap_or("null"));
            }
            values.push(value);
        }
        Ok((key, values))
    }

    fn whose(&self) -> &'static str {
        if self.name == "household" { "id" } else { "household_id" }
    }
}

/// A value short enough for a line.
fn short(value: Option<&str>) -> String {
    match value {
        None => "null".to_owned(),
        Some(text) if text.chars().count() <= 60 => format!("\u{201c}{text}\u{201d}"),
        Some(text) => format!("\u{201c}{}…\u{201d}", text.chars().take(60).collect::<String>()),
    }
}
