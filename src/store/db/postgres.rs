//! PostgreSQL, spoken to without a pool's ceremony. A statement is a round trip to another process, and a page or an
//! append wants several: here those that do not wait for each other's answers are sent together, each prepared once a
//! connection; a connection is driven by the task that uses it, so that no answer changes threads; and one that rests is
//! never asked whether it is alive: that it is not shows when it is used, and then another one is opened.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant as Moment};

use bytes::BytesMut;
use futures_util::future::{join_all, join4};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_postgres::error::{Severity, SqlState};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Error, NoTls, Statement};

use super::tls::Target;
use super::{DbError, Row, Sql, Value, WAITING};

/// How many prepared statements a connection keeps.
const PREPARED: usize = 256;

/// How many statements are sent before the first answer is waited for.
const TOGETHER: usize = 16;

/// A connection that is older is not used again: what PostgreSQL keeps for it should not grow for ever.
const OLD: Duration = Duration::from_secs(30 * 60);

/// A connection that rested for longer is closed.
const IDLE: Duration = Duration::from_secs(10 * 60);

/// How long a server that starts up is left alone before it is asked again.
const STARTING: Duration = Duration::from_millis(200);

/// What every connection is told first. Every statement here finds its rows by the same index whatever its values are:
/// planning anew for each set of values, or compiling, takes several times as long as the statement itself. None is shared
/// among several processes: each would have to be started, and what one after the other finds has an order.
const SETTINGS: &str = "set plan_cache_mode = force_generic_plan; set jit = off;
    set max_parallel_workers_per_gather = 0; set timezone = 'UTC'";

/// Connections to one database, opened as they are needed.
#[derive(Clone, Debug)]
pub(in crate::store) struct Connections(Arc<Shelf>);

struct Shelf {
    target: Target,
    seats: Arc<Semaphore>,
    most: u32,
    /// Open, and resting; the last used is the last.
    free: Mutex<Vec<Link>>,
}

impl std::fmt::Debug for Shelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shelf").field("most", &self.most).finish_non_exhaustive()
    }
}

impl Connections {
    /// Connects once, so that what cannot be reached is known, and keeps at most so many connections.
    pub(super) async fn open(target: Target, most: u32) -> Result<Self, DbError> {
        let seats = Arc::new(Semaphore::new(most as usize));
        let shelf = Arc::new(Shelf { target, seats, most, free: Mutex::default() });
        let patience = Moment::now();
        let first = loop {
            match Link::open(&shelf.target).await {
                // It starts up as well, after a restart of both.
                Err(DbError::Postgres(error))
                    if error.code() == Some(&SqlState::CANNOT_CONNECT_NOW) && patience.elapsed() < WAITING =>
                {
                    tokio::time::sleep(STARTING).await;
                }
                opened => break opened?,
            }
        };
        shelf.free().push(first);
        Ok(Self(shelf))
    }

    /// Sends statements that read, together, and returns the rows of each.
    pub(super) async fn all(&self, statements: &[Sql], patience: Option<Duration>) -> Result<Vec<Vec<Row>>, DbError> {
        let mut lent = self.lend().await?;
        let mut found = Vec::with_capacity(statements.len());
        for some in statements.chunks(TOGETHER) {
            let parcel = Parcel { reads: some, ..Parcel::default() };
            let mut sent = lent.link()?.send_within(patience, parcel).await;
            if sent.is_err() && lent.is_stale() {
                // What rested had been closed meanwhile. Nothing was changed, so it may be asked again.
                lent.renew().await?;
                sent = lent.link()?.send_within(patience, parcel).await;
            }
            found.extend(sent?.found);
        }
        Ok(found)
    }

    /// Runs one statement by itself and returns how many rows it touched.
    pub(super) async fn run(&self, statement: &Sql) -> Result<u64, DbError> {
        let mut lent = self.lend().await?;
        let parcel = Parcel { writes: std::slice::from_ref(statement), ..Parcel::default() };
        Ok(lent.link()?.send_within(None, parcel).await?.touched.pop().unwrap_or_default())
    }

    /// Begins a transaction with this word. It is sent with the first statement.
    pub(super) async fn begin(&self, word: &'static str) -> Result<PgTx, DbError> {
        Ok(PgTx { lent: Some(self.lend().await?), begin: Some(word), waiting: Vec::new(), failed: false })
    }

    /// Closes what rests; nothing new opens.
    pub(super) async fn close(&self) {
        // Whoever uses a connection now holds a seat.
        let _ = self.0.seats.acquire_many(self.0.most).await;
        self.0.seats.close();
        self.0.free().clear();
    }

    async fn lend(&self) -> Result<Lent, DbError> {
        let waiting = tokio::time::timeout(WAITING, Arc::clone(&self.0.seats).acquire_owned());
        let seat = waiting.await.map_err(|_| DbError::Busy)?.map_err(|_| DbError::Busy)?;
        let resting = self.0.free().pop();
        let (link, rested) = match resting {
            Some(link) => (link, true),
            None => (Link::open(&self.0.target).await?, false),
        };
        Ok(Lent { shelf: Arc::clone(&self.0), link: Some(link), rested, _seat: seat })
    }
}

impl Shelf {
    fn free(&self) -> std::sync::MutexGuard<'_, Vec<Link>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back(&self, mut link: Link) {
        if link.ended || link.opened.elapsed() > OLD || self.seats.is_closed() {
            return;
        }
        link.used = Moment::now();
        let mut free = self.free();
        free.push(link);
        free.retain(|link| link.used.elapsed() < IDLE);
    }
}

/// A connection in use. Dropped, it is put back, also when whoever used it was cancelled: answers that nobody waits for
/// are passed over by the next use.
struct Lent {
    shelf: Arc<Shelf>,
    link: Option<Link>,
    /// Whether it may have been closed while it rested.
    rested: bool,
    _seat: OwnedSemaphorePermit,
}

impl std::fmt::Debug for Lent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lent")
    }
}

impl Lent {
    fn link(&mut self) -> Result<&mut Link, DbError> {
        self.link.as_mut().ok_or(DbError::Busy)
    }

    fn is_stale(&self) -> bool {
        self.rested && self.link.as_ref().is_none_or(|link| link.ended)
    }

    async fn renew(&mut self) -> Result<(), DbError> {
        self.rested = false;
        self.link = Some(Link::open(&self.shelf.target).await?);
        Ok(())
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(link) = self.link.take() {
            self.shelf.give_back(link);
        }
    }
}

/// A transaction. Dropped before its end, it is undone.
#[derive(Debug)]
pub(super) struct PgTx {
    lent: Option<Lent>,
    /// The word that begins it, until it is sent.
    begin: Option<&'static str>,
    /// Statements whose answers nobody waits for yet.
    waiting: Vec<Sql>,
    failed: bool,
}

impl PgTx {
    /// Runs statements, after those that wait, and returns the rows of each.
    pub(super) async fn all(&mut self, statements: &[Sql]) -> Result<Vec<Vec<Row>>, DbError> {
        let mut found = Vec::with_capacity(statements.len());
        for some in statements.chunks(TOGETHER) {
            found.extend(self.send(some).await?.found);
        }
        Ok(found)
    }

    /// Runs a statement, after those that wait, and returns how many rows it touched.
    pub(super) async fn run(&mut self, statement: Sql) -> Result<u64, DbError> {
        self.waiting.push(statement);
        Ok(self.send(&[]).await?.touched.pop().unwrap_or_default())
    }

    /// Takes a statement that is sent with a later one: what it touches is of no interest, and if it fails, that shows
    /// then, at the latest at the end.
    pub(super) async fn later(&mut self, statement: Sql) -> Result<(), DbError> {
        self.waiting.push(statement);
        if self.waiting.len() == TOGETHER {
            self.send(&[]).await?;
        }
        Ok(())
    }

    /// Makes everything in it durable.
    pub(super) async fn commit(mut self) -> Result<(), DbError> {
        if self.failed {
            // PostgreSQL would undo it and call that well.
            return Err(DbError::Aborted);
        }
        let ended = self.end("commit").await;
        self.failed |= ended.is_err();
        ended
    }

    /// Undoes everything in it.
    pub(super) async fn rollback(mut self) -> Result<(), DbError> {
        self.waiting.clear();
        self.end("rollback").await
    }

    /// Sends what waits, and statements that answer after it.
    async fn send(&mut self, reads: &[Sql]) -> Result<Sent, DbError> {
        let writes = std::mem::take(&mut self.waiting);
        let parcel = Parcel { begin: self.begin.take(), writes: &writes, reads, last: None };
        let lent = self.lent.as_mut().ok_or(DbError::Busy)?;
        let mut sent = lent.link()?.send(parcel).await;
        if sent.is_err() && parcel.begin.is_some() && lent.is_stale() {
            // Nothing of a transaction that was never ended is there.
            lent.renew().await?;
            sent = lent.link()?.send(parcel).await;
        }
        self.failed |= sent.is_err();
        Ok(sent?)
    }

    async fn end(&mut self, word: &'static str) -> Result<(), DbError> {
        if self.begin.is_some() && self.waiting.is_empty() {
            self.lent = None;
            return Ok(());
        }
        let writes = std::mem::take(&mut self.waiting);
        let parcel = Parcel { begin: self.begin.take(), writes: &writes, reads: &[], last: Some(word) };
        let lent = self.lent.as_mut().ok_or(DbError::Busy)?;
        lent.link()?.send(parcel).await?;
        self.lent = None;
        Ok(())
    }
}

impl Drop for PgTx {
    fn drop(&mut self) {
        let Some(mut lent) = self.lent.take().filter(|_| self.begin.is_none()) else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            // Closing the connection undoes it as well.
            drop(lent.link.take());
            return;
        };
        runtime.spawn(async move {
            let undone = match lent.link() {
                Ok(link) => link.send(Parcel { last: Some("rollback"), ..Parcel::default() }).await.is_ok(),
                Err(_) => false,
            };
            if !undone {
                drop(lent.link.take());
            }
        });
    }
}

/// What is sent before the first answer is waited for, in this order.
#[derive(Clone, Copy, Default)]
struct Parcel<'a> {
    begin: Option<&'a str>,
    writes: &'a [Sql],
    reads: &'a [Sql],
    last: Option<&'a str>,
}

/// What came back.
struct Sent {
    /// How many rows each writing statement touched.
    touched: Vec<u64>,
    /// The rows of each reading one.
    found: Vec<Vec<Row>>,
}

type Driving = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// One connection, and what was prepared on it.
struct Link {
    client: Client,
    driving: Driving,
    prepared: HashMap<String, Statement>,
    /// How long a statement may take, as the server was told last; none if that is not known.
    patience: Option<Option<Duration>>,
    /// Whether the connection is gone.
    ended: bool,
    opened: Moment,
    used: Moment,
}

impl Link {
    async fn open(target: &Target) -> Result<Self, DbError> {
        let (client, driving): (Client, Driving) = match &target.tls {
            Some(tls) => {
                let (client, connection) = target.config.connect(tls.clone()).await?;
                (client, Box::pin(connection))
            }
            None => {
                let (client, connection) = target.config.connect(NoTls).await?;
                (client, Box::pin(connection))
            }
        };
        let now = Moment::now();
        let mut link =
            Self { client, driving, prepared: HashMap::new(), patience: None, ended: false, opened: now, used: now };
        let Self { client, driving, ended, .. } = &mut link;
        driven(driving, ended, client.batch_execute(SETTINGS)).await?;
        Ok(link)
    }

    /// Sends a parcel of which no statement may take longer than this.
    async fn send_within(&mut self, patience: Option<Duration>, parcel: Parcel<'_>) -> Result<Sent, Error> {
        if self.patience == Some(patience) {
            return self.send(parcel).await;
        }
        let millis = patience.map_or(0, |patience| patience.as_millis().max(1));
        let word = format!("set statement_timeout = {millis}");
        // If nobody waits for the end of it, it is told again next time.
        self.patience = None;
        let sent = self.send(Parcel { begin: Some(&word), ..parcel }).await;
        if sent.is_ok() {
            self.patience = Some(patience);
        }
        sent
    }

    /// Sends a parcel and waits for every answer; the first error counts.
    async fn send(&mut self, parcel: Parcel<'_>) -> Result<Sent, Error> {
        let sent = self.exchange(parcel).await;
        // The server's last word before it closes the line may come as the answer to what was just asked.
        self.ended |= sent.as_ref().err().is_some_and(is_the_end);
        sent
    }

    async fn exchange(&mut self, parcel: Parcel<'_>) -> Result<Sent, Error> {
        self.prepare(parcel).await?;
        let Self { client, driving, prepared, ended, .. } = self;
        let (client, prepared) = (&*client, &*prepared);
        let writes = join_all(parcel.writes.iter().map(|sql| async {
            let bound = bound(sql);
            client.execute(&prepared[sql.text()], &parameters(&bound)).await
        }));
        let reads = join_all(parcel.reads.iter().map(|sql| async {
            let bound = bound(sql);
            client.query(&prepared[sql.text()], &parameters(&bound)).await
        }));
        // Joined, they are first polled, and so sent, in this order.
        let all = join4(word(client, parcel.begin), writes, reads, word(client, parcel.last));
        let (begun, touched, found, ended) = driven(driving, ended, async { Ok(all.await) }).await?;
        begun?;
        let touched = touched.into_iter().collect::<Result<_, _>>()?;
        let found = found.into_iter().map(|rows| Ok(rows?.into_iter().map(Row::Postgres).collect()));
        let found = found.collect::<Result<_, Error>>()?;
        ended?;
        Ok(Sent { touched, found })
    }

    async fn prepare(&mut self, parcel: Parcel<'_>) -> Result<(), Error> {
        let statements = || parcel.writes.iter().chain(parcel.reads);
        let is_new = |sql: &&Sql| !self.prepared.contains_key(sql.text());
        let mut missing: Vec<&Sql> = statements().filter(is_new).collect();
        if missing.is_empty() {
            return Ok(());
        }
        if self.prepared.len() + missing.len() > PREPARED {
            self.prepared.clear();
            missing = statements().collect();
        }
        missing.sort_by_key(|sql| sql.text());
        missing.dedup_by_key(|sql| sql.text());
        let Self { client, driving, ended, .. } = self;
        let client = &*client;
        let asked = missing.iter().map(|sql| {
            let types: Vec<Type> = sql.values().iter().map(type_of).collect();
            async move { client.prepare_typed(sql.text(), &types).await }
        });
        let made = driven(driving, ended, async { Ok(join_all(asked).await) }).await?;
        for (sql, made) in missing.iter().zip(made) {
            self.prepared.insert(sql.text().to_owned(), made?);
        }
        Ok(())
    }
}

/// Whether nothing more can be asked after this error.
fn is_the_end(error: &Error) -> bool {
    let said = error.as_db_error().and_then(tokio_postgres::error::DbError::parsed_severity);
    error.is_closed() || matches!(said, Some(Severity::Fatal | Severity::Panic))
}

/// A statement without values or rows, or none.
async fn word(client: &Client, word: Option<&str>) -> Result<(), Error> {
    match word {
        Some(word) => client.batch_execute(word).await,
        None => Ok(()),
    }
}

/// Waits for `work` and drives the connection meanwhile.
async fn driven<T>(
    driving: &mut Driving,
    ended: &mut bool,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let mut work = pin!(work);
    poll_fn(|cx| {
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready(done);
        }
        if *ended {
            return Poll::Pending;
        }
        if let Poll::Ready(end) = driving.as_mut().poll(cx) {
            *ended = true;
            if let Err(error) = end {
                return Poll::Ready(Err(error));
            }
        }
        work.as_mut().poll(cx)
    })
    .await
}

fn bound(sql: &Sql) -> Vec<Bound<'_>> {
    sql.values().iter().map(Bound).collect()
}

fn parameters<'a>(bound: &'a [Bound<'a>]) -> Vec<&'a (dyn ToSql + Sync)> {
    bound.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

fn type_of(value: &Value) -> Type {
    match value {
        Value::Text(_) => Type::TEXT,
        Value::Int(_) => Type::INT8,
        Value::Bool(_) => Type::BOOL,
        Value::Bytes(_) => Type::BYTEA,
        Value::Uuid(_) => Type::UUID,
        Value::Instant(_) => Type::TIMESTAMPTZ,
    }
}

/// From the Unix epoch to PostgreSQL's, the beginning of the year 2000, in microseconds.
pub(super) const EPOCH: i64 = 946_684_800_000_000;

/// A value in the form in which PostgreSQL takes it.
#[derive(Debug)]
struct Bound<'a>(&'a Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self.0 {
            Value::Text(v) => v.as_deref().to_sql(ty, out),
            Value::Int(v) => v.to_sql(ty, out),
            Value::Bool(v) => v.to_sql(ty, out),
            Value::Bytes(v) => v.as_deref().to_sql(ty, out),
            Value::Uuid(v) => v.to_sql(ty, out),
            Value::Instant(v) => v.map(|instant| instant.micros().saturating_sub(EPOCH)).to_sql(ty, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl From<Error> for DbError {
    fn from(error: Error) -> Self {
        if let Some(said) = error.as_db_error() {
            if *said.code() == SqlState::UNIQUE_VIOLATION {
                return Self::Unique(said.message().to_owned());
            }
            if said.message().contains("append-only") {
                return Self::Guarded(said.message().to_owned());
            }
            if *said.code() == SqlState::QUERY_CANCELED {
                return Self::TooLong;
            }
        }
        Self::Postgres(error)
    }
}
