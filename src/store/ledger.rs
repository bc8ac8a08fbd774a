//! The ledger has two doors: [`append`] assigns position, instant and hash; [`replay`] takes events verbatim and
//! verified, for a restore into an empty household. Nothing else writes events.

use ring::rand::{SecureRandom, SystemRandom};

use crate::domain::access::Via;
use crate::domain::chain::{self, Hash};
use crate::domain::event::{Draft, Event, HouseholdCreated, Payload};
use crate::domain::household::Household;
use crate::domain::ids::{BatchId, EventId, HouseholdId, MemberId, RecordId};
use crate::domain::instant::Instant;
use crate::domain::text::HouseholdName;
use crate::domain::when::Occurred;
use crate::error::{Error, Result};

use super::db::{DbError, Row, Sql, Tx, sql};
use super::{people, streams};

/// How far the ledger's last instant may lie ahead of the clock, in seconds, before appends are refused.
const CLOCK_TOLERANCE: i64 = 300;

/// Where events come from.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The household.
    pub household: HouseholdId,
    /// The member; none for the program itself.
    pub actor: Option<MemberId>,
    /// How they came in.
    pub via: Via,
    /// The token or import behind them.
    pub via_ref: Option<String>,
    /// The batch they belong to.
    pub batch: Option<BatchId>,
}

/// A household held for writing: nobody else appends to it until the transaction ends.
#[derive(Debug)]
pub struct Hold {
    household: HouseholdId,
    position: i64,
    head: Hash,
    last_recorded: Instant,
}

impl Hold {
    /// The position of the household's last event.
    pub fn position(&self) -> i64 {
        self.position
    }

    /// The hash of the household's last event.
    pub fn head(&self) -> &Hash {
        &self.head
    }
}

/// Holds a household: takes its lock and reads its position and head in one statement, on both engines.
///
/// # Errors
/// [`Error::NotFound`] if there is no such household.
pub async fn hold(tx: &mut Tx, household: HouseholdId) -> Result<Hold> {
    let row = hold_statement(household).optional(&mut *tx).await?;
    read_hold(household, row.as_ref())
}

/// What [`hold`] asks.
pub(super) fn hold_statement(household: HouseholdId) -> Sql {
    sql("
        update household set position = position
        where id = $1
        returning position, head, last_recorded")
    .bind(household)
}

/// What [`hold`] makes of the answer.
pub(super) fn read_hold(household: HouseholdId, row: Option<&Row>) -> Result<Hold> {
    let row = row.ok_or(Error::NotFound)?;
    Ok(Hold {
        household,
        position: row.int("position")?,
        head: row.digest("head")?,
        last_recorded: row.instant("last_recorded")?,
    })
}

/// Makes a household's row, with the head of a chain that has no event yet.
///
/// # Errors
/// If the database refuses.
pub async fn make_household(tx: &mut Tx, now: Instant, id: HouseholdId, name: &str) -> Result<()> {
    sql("
        insert into household (id, name, position, head, last_recorded, created_at)
        values ($1, $2, 0, $3, $4, $4)")
    .bind(id)
    .bind(name)
    .bind(chain::genesis(id))
    .bind(now)
    .later(&mut *tx)
    .await?;
    Ok(())
}

/// Begins a household: its row and the first event of its own stream.
///
/// # Errors
/// If the database refuses.
pub async fn found_household(
    tx: &mut Tx,
    now: Instant,
    origin: &Origin,
    occurred: Occurred,
    name: &HouseholdName,
) -> Result<()> {
    make_household(tx, now, origin.household, name.as_str()).await?;
    append_household(tx, now, origin, occurred, vec![HouseholdCreated { name: name.clone() }.into()]).await?;
    Ok(())
}

/// Appends to the household's own stream and brings its members' rows up to date with it. A member's row must be there
/// before the event that mentions it: it links the member to an account.
///
/// # Errors
/// If the clock is behind the ledger, or the database refuses.
pub async fn append_household(
    tx: &mut Tx,
    now: Instant,
    origin: &Origin,
    occurred: Occurred,
    events: Vec<Payload>,
) -> Result<Vec<Event>> {
    let mut held = hold(tx, origin.household).await?;
    let stream = RecordId::household_stream(origin.household);
    let version = streams::version(tx, origin.household, stream).await?;
    let drafts = events.into_iter().map(|payload| (occurred, payload).into()).collect();
    let events = append(tx, &mut held, now, origin, stream, version, drafts).await?;
    project_household(tx, origin.household).await?;
    Ok(events)
}

/// Writes the state of the household's stream into `household` and `member`.
///
/// # Errors
/// If an event cannot be read, or the database refuses.
pub async fn project_household(tx: &mut Tx, household: HouseholdId) -> Result<()> {
    let facts = streams::facts(&mut *tx, household, RecordId::household_stream(household)).await?;
    let state: Household = crate::domain::household::fold(&facts);
    people::project_names(tx, household, &facts).await?;
    sql("update household set name = $2 where id = $1 and name <> $2")
        .bind(household)
        .bind(&state.name)
        .later(&mut *tx)
        .await?;
    for member in &state.members {
        sql("
            update member set name = $3, role = $4, disabled = $5, removed_at = $6
            where household_id = $1 and id = $2
              and (name <> $3 or role <> $4 or disabled <> $5 or removed_at is distinct from $6)")
        .bind(household)
        .bind(member.member)
        .bind(&member.name)
        .bind(member.role.as_str())
        .bind(member.disabled)
        .bind(member.removed_from)
        .later(&mut *tx)
        .await?;
    }
    Ok(())
}

/// The first door: appends to one stream, assigning positions, versions, instants, salts and hashes.
///
/// `version` is the stream's number of events so far. Events keep the order of `drafts`.
///
/// # Errors
/// [`Error::Unavailable`] if the machine's clock lies too far behind the ledger.
pub async fn append(
    tx: &mut Tx,
    hold: &mut Hold,
    now: Instant,
    origin: &Origin,
    stream: RecordId,
    version: i64,
    drafts: Vec<Draft>,
) -> Result<Vec<Event>> {
    let ahead = hold.last_recorded.seconds_since(now);
    if ahead > CLOCK_TOLERANCE {
        return Err(Error::Unavailable(format!(
            "The clock of this server is {} minutes behind the ledger’s last entry. Nothing was saved. Set the clock \
             right and try again.",
            ahead / 60
        )));
    }
    let recorded = now.max(hold.last_recorded);
    let mut events = Vec::with_capacity(drafts.len());
    let (mut position, mut head) = (hold.position, hold.head);
    for (n, Draft { event: id, occurred, payload }) in (1..).zip(drafts) {
        position += 1;
        let mut event = Event {
            household: hold.household,
            position,
            event: id,
            record: stream,
            version: version + n,
            kind: payload.kind().to_owned(),
            payload_version: Payload::VERSION,
            payload: payload.to_bytes(),
            salt: salt()?,
            actor: origin.actor,
            via: origin.via.as_str().to_owned(),
            via_ref: origin.via_ref.clone(),
            batch: origin.batch,
            occurred,
            recorded,
            hash: [0; 32],
        };
        event.hash = chain::link(&head, &chain::leaf(&event));
        head = event.hash;
        events.push(event);
    }
    insert(tx, hold, &events).await?;
    Ok(events)
}

/// The second door: takes events as they are, after checking that each follows the one before it.
///
/// # Errors
/// [`Error::Refused`] with a sentence that names the first position that does not fit.
pub async fn replay(tx: &mut Tx, hold: &mut Hold, events: &[Event]) -> Result<()> {
    let (mut position, mut head, mut last) = (hold.position, hold.head, hold.last_recorded);
    for event in events {
        let wrong = |what: &str| {
            Error::Refused(crate::domain::Refusal(format!("Event {} {what}. Nothing was restored.", event.position)))
        };
        if event.household != hold.household || event.position != position + 1 {
            return Err(wrong("is not the one that comes next"));
        }
        if position > 0 && event.recorded < last {
            return Err(wrong("was recorded before the one in front of it"));
        }
        if chain::link(&head, &chain::leaf(event)) != event.hash {
            return Err(wrong("was altered: its hash does not fit"));
        }
        (position, head, last) = (event.position, event.hash, event.recorded);
    }
    insert(tx, hold, events).await
}

async fn insert(tx: &mut Tx, hold: &mut Hold, events: &[Event]) -> Result<()> {
    const COLUMNS: usize = 16;
    let Some(last) = events.last() else { return Ok(()) };
    for chunk in events.chunks(200) {
        let mut statement = sql(format!(
            "insert into record_events
                (household_id, position, event_id, record_id, version, kind, payload_version, payload, salt, actor_id,
                 via, via_ref, batch_id, occurred, recorded_at, hash)
             values {}",
            super::db::rows_of(chunk.len(), COLUMNS)
        ));
        for event in chunk {
            statement = statement
                .bind(event.household)
                .bind(event.position)
                .bind(event.event)
                .bind(event.record)
                .bind(event.version)
                .bind(&event.kind)
                .bind(event.payload_version)
                .bind(event.payload.as_slice())
                .bind(event.salt)
                .bind(event.actor)
                .bind(&event.via)
                .bind(event.via_ref.as_ref())
                .bind(event.batch)
                .bind(event.occurred.to_string())
                .bind(event.recorded)
                .bind(event.hash);
        }
        statement.later(&mut *tx).await?;
    }
    sql("update household set position = $2, head = $3, last_recorded = $4 where id = $1")
        .bind(hold.household)
        .bind(last.position)
        .bind(last.hash)
        .bind(last.recorded)
        .later(&mut *tx)
        .await?;
    (hold.position, hold.head, hold.last_recorded) = (last.position, last.hash, last.recorded);
    Ok(())
}

fn salt() -> Result<[u8; 16]> {
    let mut salt = [0; 16];
    SystemRandom::new().fill(&mut salt).map_err(|_| Error::internal("the system gives no random bytes"))?;
    Ok(salt)
}

/// The columns of an event, in the order in which [`read`] takes them.
pub const COLUMNS: &str = "household_id, position, event_id, record_id, version, kind, payload_version, payload, salt, \
                           actor_id, via, via_ref, batch_id, occurred, recorded_at, hash";

/// An event from its row.
///
/// # Errors
/// If a column holds what it never should.
pub fn read(row: &Row) -> Result<Event, DbError> {
    Ok(Event {
        household: HouseholdId(row.uuid("household_id")?),
        position: row.int("position")?,
        event: EventId(row.uuid("event_id")?),
        record: RecordId(row.uuid("record_id")?),
        version: row.int("version")?,
        kind: row.text("kind")?,
        payload_version: row.int("payload_version")?,
        payload: row.bytes("payload")?,
        salt: row.salt("salt")?,
        actor: row.opt_uuid("actor_id")?.map(MemberId),
        via: row.text("via")?,
        via_ref: row.opt_text("via_ref")?,
        batch: row.opt_uuid("batch_id")?.map(BatchId),
        occurred: Occurred::parse_iso(&row.text("occurred")?).map_err(|e| super::db::bad("occurred", &e.0))?,
        recorded: row.instant("recorded_at")?,
        hash: row.digest("hash")?,
    })
}

/// A household's end of the chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Head {
    /// The household.
    pub id: HouseholdId,
    /// What it is called.
    pub name: String,
    /// The position of its last event.
    pub position: i64,
    /// The hash of its last event.
    pub head: Hash,
    /// When its last event was entered.
    pub last_recorded: Instant,
    /// When it was made.
    pub created_at: Instant,
}

/// Every household with the end of its chain, oldest first.
///
/// # Errors
/// If the database refuses.
pub async fn households<'a>(on: impl Into<super::db::On<'a>>) -> Result<Vec<Head>> {
    let rows = sql("
        select id, name, position, head, last_recorded, created_at from household
        order by created_at, id")
    .all(on)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Head {
                id: HouseholdId(row.uuid("id")?),
                name: row.text("name")?,
                position: row.int("position")?,
                head: row.digest("head")?,
                last_recorded: row.instant("last_recorded")?,
                created_at: row.instant("created_at")?,
            })
        })
        .collect()
}
