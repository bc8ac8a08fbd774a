//! Reading SQLite without the driver's own thread. The driver hands every row from its thread to the one that asked,
//! and that handing over costs twice as much as the reading; here a statement, or several, run in one piece on a thread
//! of its own, and all their rows come back at once. There are as many threads as connections: whichever thread of the
//! runtime's many came along would keep a heap of its own for what it reads.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant as Moment};

use rusqlite::config::DbConfig;
use rusqlite::types::Value as Cell;
use rusqlite::{Connection, OpenFlags, ToSql};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::{DbError, Row, Sql, Value, WAITING, bad};

/// How many statements at once, and how many connections at most: one more than there are cores, since one may wait for
/// the disk. More would only hold more memory.
fn at_once() -> usize {
    std::thread::available_parallelism().map_or(2, std::num::NonZero::get).saturating_add(1).min(4)
}

/// After how many steps of SQLite's machine it is seen whether a statement took too long: some milliseconds.
const STEPS: i32 = 100_000;

/// How many prepared statements a connection keeps.
const PREPARED: usize = 128;

/// Connections that only read.
#[derive(Clone, Debug)]
pub(in crate::store) struct Readers(Arc<Shelf>);

#[derive(Debug)]
struct Shelf {
    path: PathBuf,
    seats: Arc<Semaphore>,
    most: usize,
    /// The ways to threads that rest, the last one that worked last.
    free: Mutex<Vec<Sender<Job>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What a thread is given to read.
struct Job {
    statements: Arc<Vec<Sql>>,
    patience: Option<Duration>,
    reply: oneshot::Sender<Result<Vec<Vec<Row>>, DbError>>,
    /// The way to the thread, which it puts back when it has read.
    way: Sender<Job>,
    seat: OwnedSemaphorePermit,
}

/// A row that was read to its end: its columns' names, shared with the other rows, and its values.
#[derive(Clone, Debug)]
pub struct Cells {
    names: Arc<[Box<str>]>,
    values: Vec<Cell>,
}

impl Cells {
    /// What it holds in some columns.
    pub(super) fn print(&self, of: impl Fn(&str) -> bool) -> Vec<u8> {
        let mut print = Vec::new();
        for (_, value) in self.names.iter().zip(&self.values).filter(|(name, _)| of(name)) {
            let (kind, bytes) = match value {
                Cell::Null => (0, Vec::new()),
                Cell::Integer(n) => (1, n.to_le_bytes().into()),
                Cell::Real(n) => (2, n.to_le_bytes().into()),
                Cell::Text(text) => (3, text.clone().into_bytes()),
                Cell::Blob(bytes) => (4, bytes.clone()),
            };
            print.push(kind);
            print.extend(bytes.len().to_le_bytes());
            print.extend(bytes);
        }
        print
    }

    /// The value of a column; none if there is no such column.
    pub(super) fn get(&self, column: &str) -> Option<&Cell> {
        let at = self.names.iter().position(|name| **name == *column)?;
        self.values.get(at)
    }
}

impl Readers {
    /// Readers of a database file that is there. They open as they are needed.
    pub(super) fn new(path: &Path) -> Self {
        let most = at_once();
        Self(Arc::new(Shelf {
            path: path.to_owned(),
            seats: Arc::new(Semaphore::new(most)),
            most,
            free: Mutex::default(),
            threads: Mutex::default(),
        }))
    }

    /// Runs statements one after the other on one connection. A caller that is gone by then changes nothing.
    pub(super) async fn all(
        &self,
        statements: Arc<Vec<Sql>>,
        patience: Option<Duration>,
    ) -> Result<Vec<Vec<Row>>, DbError> {
        let seat = match Arc::clone(&self.0.seats).try_acquire_owned() {
            Ok(seat) => seat,
            Err(_) => {
                let waiting = tokio::time::timeout(WAITING, Arc::clone(&self.0.seats).acquire_owned());
                waiting.await.map_err(|_| DbError::Busy)?.map_err(|_| DbError::Busy)?
            }
        };
        let resting = locked(&self.0.free).pop();
        let way = match resting {
            Some(way) => way,
            None => self.begin()?,
        };
        let (reply, answer) = oneshot::channel();
        let gone = || DbError::Engine(sqlx::Error::WorkerCrashed);
        let job = Job { statements, patience, reply, way: way.clone(), seat };
        way.send(job).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Closes what rests; nothing new opens.
    pub(super) async fn close(&self) {
        // Whoever reads now holds a seat.
        let _ = self.0.seats.acquire_many(u32::try_from(self.0.most).unwrap_or(1)).await;
        self.0.seats.close();
        locked(&self.0.free).clear();
        let threads = std::mem::take(&mut *locked(&self.0.threads));
        let ended = tokio::task::spawn_blocking(|| threads.into_iter().map(JoinHandle::join).for_each(drop));
        let _ = ended.await;
    }

    /// Begins a thread more.
    fn begin(&self) -> Result<Sender<Job>, DbError> {
        let (way, jobs) = channel();
        let shelf = Arc::downgrade(&self.0);
        let thread = std::thread::Builder::new().name("sqlite-reader".to_owned());
        let thread = thread.spawn(move || work(&shelf, jobs)).map_err(|error| DbError::Engine(error.into()))?;
        let mut threads = locked(&self.0.threads);
        threads.retain(|thread| !thread.is_finished());
        threads.push(thread);
        Ok(way)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads what comes until nobody can ask any more.
fn work(shelf: &Weak<Shelf>, jobs: Receiver<Job>) {
    let mut connection = None;
    for Job { statements, patience, reply, way, seat } in jobs {
        let Some(shelf) = shelf.upgrade() else { return };
        let read = read(&mut connection, &shelf.path, &statements, patience);
        locked(&shelf.free).push(way);
        drop(shelf);
        drop(seat);
        // Whoever asked may be gone.
        let _ = reply.send(read);
    }
}

fn read(
    connection: &mut Option<Connection>,
    path: &Path,
    statements: &[Sql],
    patience: Option<Duration>,
) -> Result<Vec<Vec<Row>>, DbError> {
    let connection = match connection {
        Some(connection) => connection,
        None => connection.insert(open(path)?),
    };
    if let Some(patience) = patience {
        let begun = Moment::now();
        connection.progress_handler(STEPS, Some(move || begun.elapsed() > patience));
    }
    let read = statements.iter().map(|sql| rows(connection, sql)).collect();
    if patience.is_some() {
        connection.progress_handler(0, None::<fn() -> bool>);
    }
    read
}

fn open(path: &Path) -> Result<Connection, DbError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.pragma_update(None, "query_only", "on")?;
    connection.pragma_update(None, "trusted_schema", "off")?;
    // A plan made for one value serves every other: otherwise each new value would plan anew.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(PREPARED);
    Ok(connection)
}

fn rows(connection: &Connection, sql: &Sql) -> Result<Vec<Row>, DbError> {
    let mut statement = connection.prepare_cached(sql.text())?;
    let names: Arc<[Box<str>]> = statement.column_names().into_iter().map(Box::from).collect();
    for at in 1..=statement.parameter_count() {
        // To SQLite "$3" is a name, and its number is where it first stands in the text.
        let number = statement.parameter_name(at).and_then(|name| name.get(1..)?.parse::<usize>().ok());
        let value = number.and_then(|number| sql.values().get(number.checked_sub(1)?));
        let value = value.ok_or_else(|| bad("$", "a parameter has no number"))?;
        statement.raw_bind_parameter(at, Bound(value))?;
    }
    let mut found = statement.raw_query();
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        let values = (0..names.len()).map(|at| row.get(at)).collect::<Result<Vec<Cell>, _>>()?;
        rows.push(Row::Direct(Cells { names: Arc::clone(&names), values }));
    }
    Ok(rows)
}

/// A value in the form in which SQLite keeps it.
struct Bound<'a>(&'a Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        use rusqlite::types::{ToSqlOutput, ValueRef};
        let null = ToSqlOutput::Borrowed(ValueRef::Null);
        let int = |n: Option<i64>| n.map_or(null.clone(), |n| ToSqlOutput::Borrowed(ValueRef::Integer(n)));
        Ok(match self.0 {
            Value::Text(v) => v.as_ref().map_or(null, |v| ToSqlOutput::Borrowed(ValueRef::Text(v.as_bytes()))),
            Value::Bytes(v) => v.as_ref().map_or(null, |v| ToSqlOutput::Borrowed(ValueRef::Blob(v))),
            Value::Int(v) => int(*v),
            Value::Bool(v) => int(v.map(i64::from)),
            Value::Instant(v) => int(v.map(crate::domain::instant::Instant::micros)),
            Value::Uuid(v) => v.map_or(null, |id| ToSqlOutput::Owned(Cell::Text(id.to_string()))),
        })
    }
}
