//! Copies a seeded SQLite database into PostgreSQL, table by table: one event at a time would take hours.

use std::fmt::Write as _;

use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use lifeops::domain::record::Record;
use lifeops::domain::searchable::found_by;
use sqlx::postgres::{PgConnection, PgPoolCopyExt as _};
use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{ConnectOptions as _, Connection as _, Row as _};

use crate::Outcome;

/// How much is sent at once, in bytes.
const BLOCK: usize = 1024 * 1024;

/// Copies every table's rows into a PostgreSQL database that has the same tables, and lets it take statistics.
pub async fn into_postgres(file: &std::path::Path, url: &str) -> Outcome<()> {
    let mut from = SqliteConnectOptions::new().filename(file).read_only(true).connect().await?;
    let pool = sqlx::postgres::PgPoolOptions::new().max_connections(1).connect(url).await?;
    let tables: Vec<String> = sqlx::query_scalar(
        "select table_name::text from information_schema.tables
         where table_schema = 'public' and table_type = 'BASE TABLE' and table_name <> '_sqlx_migrations'
         order by table_name",
    )
    .fetch_all(&pool)
    .await?;
    // Neither foreign keys nor the guards of the events run for a replica: the rows were checked where they came from.
    sqlx::query("set session_replication_role = replica").execute(&pool).await?;
    // Frequencies follow from the terms; who signed in at the seed signs in anew.
    let left_out = ["search_frequency", "tower_sessions", "member_session"];
    for table in tables.into_iter().filter(|table| !left_out.contains(&table.as_str())) {
        let columns: Vec<(String, String)> = sqlx::query_as(
            "select column_name::text, data_type::text from information_schema.columns
             where table_schema = 'public' and table_name = $1 order by ordinal_position",
        )
        .bind(&table)
        .fetch_all(&pool)
        .await?;
        let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join(", ");
        sqlx::query(&format!("delete from {table}")).execute(&pool).await?;
        let mut copy = pool.copy_in_raw(&format!("copy {table} ({names}) from stdin")).await?;
        let mut block = String::with_capacity(BLOCK + 64 * 1024);
        // SQLite has the terms of the search elsewhere, and cannot give them back: they follow from the words.
        let select = match table.as_str() {
            "search_record" => format!(
                "select {}, v.state as state, v.visibility as visibility, v.owner_id as owner
                 from search_record as s
                 join record_view as v on v.household_id = s.household_id and v.id = s.record_id
                 order by s.rowid",
                columns
                    .iter()
                    .map(|(name, _)| if name == "terms" { "'' as terms".to_owned() } else { format!("s.{name}") })
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
            _ => format!("select {names} from {table} order by rowid"),
        };
        let mut rows = sqlx::query(&select).fetch(&mut from);
        while let Some(row) = rows.try_next().await? {
            line(&mut block, &row, &columns)?;
            if block.len() > BLOCK {
                copy.send(block.as_bytes()).await?;
                block.clear();
            }
        }
        copy.send(block.as_bytes()).await?;
        copy.finish().await?;
    }
    sqlx::query(
        "insert into search_frequency (household_id, term, records)
         select s.household_id, t.term, count(*)
         from search_record as s
         cross join lateral unnest(tsvector_to_array(s.terms)) as t (term)
         group by s.household_id, t.term",
    )
    .execute(&pool)
    .await?;
    sqlx::query("analyze").execute(&pool).await?;
    pool.close().await;
    from.close().await?;
    // Everything on disk, and the marks that a first reader would set, before anything is measured.
    let mut to = <PgConnection as sqlx::Connection>::connect(url).await?;
    sqlx::query("vacuum").execute(&mut to).await?;
    sqlx::query("checkpoint").execute(&mut to).await?;
    to.close().await?;
    Ok(())
}

/// A row in the text form of `copy`.
fn line(block: &mut String, row: &SqliteRow, columns: &[(String, String)]) -> Outcome<()> {
    for (at, (name, kind)) in columns.iter().enumerate() {
        if at > 0 {
            block.push('\t');
        }
        let text = match kind.as_str() {
            "boolean" => row.try_get::<Option<i64>, _>(at)?.map(|v| (if v != 0 { "t" } else { "f" }).to_owned()),
            "bigint" | "integer" | "smallint" => row.try_get::<Option<i64>, _>(at)?.map(|v| v.to_string()),
            "bytea" => row.try_get::<Option<Vec<u8>>, _>(at)?.map(|bytes| {
                bytes.iter().fold("\\\\x".to_owned(), |mut text, byte| {
                    let _ = write!(text, "{byte:02x}");
                    text
                })
            }),
            "timestamp with time zone" => match row.try_get::<Option<i64>, _>(at)? {
                Some(micros) => Some(Timestamp::from_microsecond(micros)?.to_string()),
                None => None,
            },
            "tsvector" => Some(terms(row)?),
            "uuid" | "text" | "jsonb" | "json" | "date" | "character varying" => {
                row.try_get::<Option<String>, _>(at)?.map(|text| escaped(&text))
            }
            other => return Err(format!("the column {name} is of type {other}, which is not copied yet").into()),
        };
        block.push_str(text.as_deref().unwrap_or("\\N"));
    }
    block.push('\n');
    Ok(())
}

/// The terms of a record of the search, as PostgreSQL reads a `tsvector`.
fn terms(row: &SqliteRow) -> Outcome<String> {
    let state: Record = serde_json::from_str(row.try_get("state")?)?;
    let scope: Option<&str> = match row.try_get("visibility")? {
        "household" => row.try_get("household_id")?,
        _ => row.try_get("owner")?,
    };
    let Some(scope) = scope else { return Ok(String::new()) };
    let notes: &str = row.try_get("note_terms")?;
    let notes = notes.split(' ').filter_map(|pair| pair.rsplit_once(':')).map(|(term, _)| term);
    let terms = found_by(&state, scope.parse()?, row.try_get("title_words")?, row.try_get("words")?, notes);
    Ok(terms.iter().map(|term| format!("'{term}'")).collect::<Vec<_>>().join(" "))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r")
}
