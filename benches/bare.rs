//! The yardstick: the same rows by the same libraries, and nothing else. No session, no layout, no permissions beyond
//! the scope of the rows, no sentences; as many connections to the database as the program has.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use sqlx::postgres::{PgPool, PgPoolOptions, PgRow};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow};
use sqlx::{Column as _, Row as _, TypeInfo as _, ValueRef as _};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Outcome;
use crate::taped::{Bound, Pages, Taped};

/// How the bare server is started: by the bench itself.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    #[arg(long)]
    listen: SocketAddr,
    /// A file, or a PostgreSQL address.
    #[arg(long)]
    database: String,
    /// A file with what the pages ask.
    #[arg(long)]
    statements: PathBuf,
}

/// The newest 50 of what the household shares and of what the member keeps.
const LIST: &str = "select v.id, v.title, v.category, v.visibility, v.state, v.summary, m.name
    from (select * from (select * from (select record_id, position from record_label
                                        where household_id = $1 and scope = $1 and deleted = $3 and kind = 'all'
                                          and label_key = ''
                                        order by position desc limit 50) as shared
                         union all
                         select * from (select record_id, position from record_label
                                        where household_id = $1 and scope = $2 and deleted = $3 and kind = 'all'
                                          and label_key = ''
                                        order by position desc limit 50) as own) as both_scopes
          order by position desc limit 50) as p
    join record_view as v on v.household_id = $1 and v.id = p.record_id
    left join member as m on m.household_id = $1 and m.id = v.owner_id
    order by p.position desc";

const RECORD: &str = "select v.title, v.state, v.created_at, v.changed_at, v.has_files, m.name
    from record_view as v
    left join member as m on m.household_id = v.household_id and m.id = v.owner_id
    where v.household_id = $1 and v.id = $3
      and (v.visibility = 'household' or (v.visibility = 'private' and v.owner_id = $2))";

/// The newest 25 events of a record, and what became of them.
const STORY: &str = "select e.position, e.version, e.event_id, e.kind, e.payload, e.occurred, e.recorded_at, m.name,
        s.retracted_by, s.corrected_by
    from (select position, retracted_by, corrected_by from timeline_entry
          where household_id = $1 and record_id = $2
          order by occurred_from desc, occurred_precision desc, position desc
          limit 25) as s
    join record_events as e on e.household_id = $1 and e.position = s.position
    left join member as m on m.household_id = $1 and m.id = e.actor_id";

/// A record's present files.
const FILES: &str = "select file_name, media_type, size, occurred from attachment
    where household_id = $1 and record_id = $2 and standing = 'present'
    order by position desc limit 60";

enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

struct Bare {
    pool: Pool,
    pages: Pages,
    memory: Vec<[String; 4]>,
}

pub async fn serve(arguments: Arguments) -> Outcome<()> {
    let pool = match arguments.database.starts_with("postgres") {
        true => Pool::Postgres(PgPoolOptions::new().max_connections(10).connect(&arguments.database).await?),
        false => {
            let options =
                SqliteConnectOptions::new().filename(&arguments.database).journal_mode(SqliteJournalMode::Wal);
            Pool::Sqlite(SqlitePoolOptions::new().max_connections(4).connect_with(options).await?)
        }
    };
    let pages: Pages = serde_json::from_slice(&std::fs::read(&arguments.statements)?)?;
    let memory = (0..50)
        .map(|n| [format!("{n}"), "A row of <words> & more".repeat(4), "Category".into(), "3 May 2019".into()])
        .collect();
    let router = Router::new().route("/memory", get(memory_page));
    let router = match pages.taped.is_empty() {
        true => router
            .route("/records", get(list))
            .route("/records/{record}", get(record))
            .route("/timeline", get(timeline)),
        false => router.fallback(get(taped)),
    };
    let router = router.with_state(Arc::new(Bare { pool, pages, memory }));
    let listener = tokio::net::TcpListener::bind(arguments.listen).await?;
    axum::serve(listener, router).await?;
    Ok(())
}

async fn memory_page(State(bare): State<Arc<Bare>>) -> Response {
    told(page(|html| {
        bare.memory.iter().for_each(|row| item(html, row));
        Ok(())
    }))
}

/// The statements that the program asks for an address, one after the other, and their rows.
async fn taped(State(bare): State<Arc<Bare>>, uri: Uri) -> Response {
    let address = uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let Some(asked) = bare.pages.taped.get(&address) else { return StatusCode::NOT_FOUND.into_response() };
    let mut all = Vec::new();
    for ask in asked {
        match bare.pool.all(ask).await {
            Ok(rows) => all.extend(rows),
            Err(error) => return told(Err(error)),
        }
    }
    told(page(|html| all.iter().try_for_each(|row| texts(row).map(|cells| item(html, &cells)))))
}

/// What a list needs of a record's state.
#[derive(Deserialize)]
struct Tags {
    tags: Vec<String>,
}

/// What a list needs of a record's latest happening.
#[derive(Deserialize)]
struct Latest {
    kind: String,
    occurred: String,
    text: String,
}

async fn list(State(bare): State<Arc<Bare>>) -> Response {
    let mut ask = Taped::new(LIST, &[bare.pages.household, bare.pages.member]);
    ask.values.push(Bound::Bool(Some(false)));
    told(bare.pool.all(&ask).await.and_then(|rows| page(|html| rows.iter().try_for_each(|row| list_row(html, row)))))
}

fn list_row(html: &mut String, row: &Row) -> Outcome<()> {
    let tags: Tags = serde_json::from_str(&row.text("state")?)?;
    let latest: Latest = serde_json::from_str(&row.text("summary")?)?;
    let category = row.opt_text("category")?.unwrap_or_default();
    let mut cells = vec![row.uuid("id")?.to_string(), row.text("title")?, category, row.text("visibility")?];
    cells.extend([row.text("name")?, latest.kind, latest.occurred, latest.text]);
    cells.extend(tags.tags);
    item(html, &cells);
    Ok(())
}

async fn record(State(bare): State<Arc<Bare>>, Path(id): Path<Uuid>) -> Response {
    told(record_page(&bare, id).await)
}

/// What a record's page needs of its state.
#[derive(Deserialize)]
struct Fields {
    held: Vec<Held>,
    tags: Vec<String>,
}

#[derive(Deserialize)]
struct Held {
    label: String,
    value: Option<Typed>,
}

#[derive(Deserialize)]
struct Typed {
    value: String,
}

/// What a story needs of an event.
#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    text: String,
    note: Option<Uuid>,
}

async fn record_page(bare: &Bare, id: Uuid) -> Outcome<Html<String>> {
    let Pages { household, member, .. } = bare.pages;
    let found = bare.pool.all(&Taped::new(RECORD, &[household, member, id])).await?;
    let view = found.first().ok_or("there is no such record")?;
    let story = bare.pool.all(&Taped::new(STORY, &[household, id])).await?;
    let files = match view.bool("has_files")? {
        true => bare.pool.all(&Taped::new(FILES, &[household, id])).await?,
        false => Vec::new(),
    };
    // What the page says of entries that stand elsewhere in the story: who undid or corrected them, and how a note read before.
    let mut here = Vec::new();
    let mut marking = Vec::new();
    let mut reworded = Vec::new();
    for row in &story {
        here.push(row.int("position")?.ok_or("no position")?);
        marking.extend([row.int("retracted_by")?, row.int("corrected_by")?].into_iter().flatten());
        if row.text("kind")? == "note_corrected" {
            let said: Said = serde_json::from_slice(&row.bytes("payload")?)?;
            reworded.extend(said.note.zip(row.int("version")?));
        }
    }
    marking.retain(|position| !here.contains(position));
    let marks = match marks(household, &marking) {
        Some(ask) => bare.pool.all(&ask).await?,
        None => Vec::new(),
    };
    let former = match former(household, id, &reworded) {
        Some(ask) if story.len() == 25 => bare.pool.all(&ask).await?,
        _ => Vec::new(),
    };
    page(|html| {
        let fields: Fields = serde_json::from_str(&view.text("state")?)?;
        item(html, &[view.text("title")?, view.text("name")?, view.instant("created_at")?.to_string()]);
        for held in fields.held {
            item(html, &[held.label, held.value.map(|typed| typed.value).unwrap_or_default()]);
        }
        item(html, &fields.tags);
        for row in &story {
            let said: Said = serde_json::from_slice(&row.bytes("payload")?)?;
            item(html, &[row.text("kind")?, row.text("occurred")?, said.text, row.text("name")?]);
        }
        for row in files.iter().chain(&marks).chain(&former) {
            item(html, &texts(row)?);
        }
        Ok(())
    })
}

/// The events at some positions, and who did them.
fn marks(household: Uuid, positions: &[i64]) -> Option<Taped> {
    let places: Vec<String> = (0..positions.len()).map(|at| format!("${}", at + 2)).collect();
    let text = format!(
        "select e.kind, e.payload, e.recorded_at, m.name from record_events as e
         left join member as m on m.household_id = $1 and m.id = e.actor_id
         where e.household_id = $1 and e.position in ({})",
        places.join(", ")
    );
    let mut ask = Taped::new(&text, &[household]);
    ask.values.extend(positions.iter().map(|position| Bound::Int(Some(*position))));
    (!positions.is_empty()).then_some(ask)
}

/// How notes read before corrections at some versions.
fn former(household: Uuid, record: Uuid, corrections: &[(Uuid, i64)]) -> Option<Taped> {
    let mut ask = Taped::new("", &[household, record]);
    let mut looks = Vec::new();
    for (note, version) in corrections {
        let at = ask.values.len();
        ask.values.extend([
            Bound::Text(Some(format!("note:{note}"))),
            Bound::Int(Some(*version)),
            Bound::Uuid(Some(*note)),
        ]);
        looks.push(format!(
            "select e.kind, e.payload, e.occurred from record_events as e
             where e.household_id = $1 and e.position = coalesce(
                 (select c.position from record_change as c
                  where c.household_id = $1 and c.record_id = $2 and c.field = ${} and c.version < ${}
                  order by c.position desc limit 1),
                 (select n.position from record_events as n where n.household_id = $1 and n.event_id = ${}))",
            at + 1,
            at + 2,
            at + 3,
        ));
    }
    ask.text = looks.join(" union all ");
    (!looks.is_empty()).then_some(ask)
}

/// The program's own statement with the names of who did it, every column as it comes.
async fn timeline(State(bare): State<Arc<Bare>>) -> Response {
    let Some(ask) = &bare.pages.timeline else { return StatusCode::NOT_FOUND.into_response() };
    told(bare.pool.all(ask).await.and_then(|rows| {
        page(|html| {
            rows.iter().try_for_each(|row| {
                item(html, &texts(row)?);
                Ok(())
            })
        })
    }))
}

fn texts(row: &Row) -> Outcome<Vec<String>> {
    match row {
        Row::Sqlite(row) => row.columns().iter().map(|column| sqlite_text(row, column.ordinal())).collect(),
        Row::Postgres(row) => row.columns().iter().map(|column| postgres_text(row, column.ordinal())).collect(),
    }
}

fn sqlite_text(row: &SqliteRow, at: usize) -> Outcome<String> {
    let kind = row.try_get_raw(at)?.type_info().name().to_owned();
    Ok(match kind.as_str() {
        "INTEGER" => row.try_get::<Option<i64>, _>(at)?.map(|n| n.to_string()),
        "BLOB" => row.try_get::<Option<Vec<u8>>, _>(at)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        "NULL" => None,
        _ => row.try_get::<Option<String>, _>(at)?,
    }
    .unwrap_or_default())
}

fn postgres_text(row: &PgRow, at: usize) -> Outcome<String> {
    Ok(match row.column(at).type_info().name() {
        "INT8" => row.try_get::<Option<i64>, _>(at)?.map(|n| n.to_string()),
        "INT4" => row.try_get::<Option<i32>, _>(at)?.map(|n| n.to_string()),
        "BOOL" => row.try_get::<Option<bool>, _>(at)?.map(|n| n.to_string()),
        "UUID" => row.try_get::<Option<Uuid>, _>(at)?.map(|id| id.to_string()),
        "TIMESTAMPTZ" => row.try_get::<Option<OffsetDateTime>, _>(at)?.map(|at| at.unix_timestamp().to_string()),
        "BYTEA" => row.try_get::<Option<Vec<u8>>, _>(at)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        _ => row.try_get::<Option<String>, _>(at)?,
    }
    .unwrap_or_default())
}

fn told(page: Outcome<Html<String>>) -> Response {
    page.map_or_else(|e| (StatusCode::INTERNAL_SERVER_ERROR, e.to_string()).into_response(), Html::into_response)
}

fn page(fill: impl FnOnce(&mut String) -> Outcome<()>) -> Outcome<Html<String>> {
    let mut html = String::with_capacity(16 * 1024);
    html.push_str("<!DOCTYPE html><html lang=\"en\"><head><title>Bare</title></head><body><ul>\n");
    fill(&mut html)?;
    html.push_str("</ul></body></html>\n");
    Ok(Html(html))
}

/// A row, with its text escaped as every page must.
fn item(html: &mut String, cells: &[String]) {
    html.push_str("<li>");
    for cell in cells {
        html.push_str("<span>");
        for c in cell.chars() {
            match c {
                '<' => html.push_str("&lt;"),
                '>' => html.push_str("&gt;"),
                '&' => html.push_str("&amp;"),
                '"' => html.push_str("&quot;"),
                '\'' => html.push_str("&#39;"),
                c => html.push(c),
            }
        }
        html.push_str("</span> ");
    }
    html.push_str("</li>\n");
}

/// A row as the driver gives it.
enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    fn text(&self, column: &str) -> Outcome<String> {
        Ok(self.opt_text(column)?.ok_or("no text")?)
    }

    fn opt_text(&self, column: &str) -> Outcome<Option<String>> {
        Ok(match self {
            Self::Sqlite(row) => row.try_get(column)?,
            Self::Postgres(row) => row.try_get(column)?,
        })
    }

    fn int(&self, column: &str) -> Outcome<Option<i64>> {
        Ok(match self {
            Self::Sqlite(row) => row.try_get(column)?,
            Self::Postgres(row) => row.try_get(column)?,
        })
    }

    fn bool(&self, column: &str) -> Outcome<bool> {
        Ok(match self {
            Self::Sqlite(row) => row.try_get::<i64, _>(column)? != 0,
            Self::Postgres(row) => row.try_get(column)?,
        })
    }

    fn bytes(&self, column: &str) -> Outcome<Vec<u8>> {
        Ok(match self {
            Self::Sqlite(row) => row.try_get(column)?,
            Self::Postgres(row) => row.try_get(column)?,
        })
    }

    fn uuid(&self, column: &str) -> Outcome<Uuid> {
        Ok(match self {
            Self::Sqlite(row) => row.try_get::<String, _>(column)?.parse()?,
            Self::Postgres(row) => row.try_get(column)?,
        })
    }

    fn instant(&self, column: &str) -> Outcome<OffsetDateTime> {
        Ok(match self {
            Self::Sqlite(row) => {
                OffsetDateTime::from_unix_timestamp_nanos(i128::from(row.try_get::<i64, _>(column)?) * 1000)?
            }
            Self::Postgres(row) => row.try_get(column)?,
        })
    }
}

impl Pool {
    async fn all(&self, ask: &Taped) -> Outcome<Vec<Row>> {
        Ok(match self {
            Self::Sqlite(pool) => ask.sqlite()?.fetch_all(pool).await?.into_iter().map(Row::Sqlite).collect(),
            Self::Postgres(pool) => ask.postgres()?.fetch_all(pool).await?.into_iter().map(Row::Postgres).collect(),
        })
    }
}
