//! The export's lines: JSON Lines, one thing a line, each with a sum that runs on from the line before it.
//!
//! ```text
//! {"sum":"0123456789abcdef","line":"header","format":"lifeops.export","version":1,"made_at":"…"}
//! ```
//!
//! `sum` is the first 16 hexadecimal digits of SHA-256(the sum before || the line from `"line"` on), so that the first
//! line that was changed, removed or moved is named. The sums begin anew after the header, whose date is the only thing
//! that differs between two exports of one state. The footer has the SHA-256 of every byte before it.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::domain::chain::{hex, unhex};
use crate::domain::event::Event;
use crate::domain::ids::{AccountId, BatchId, EventId, HouseholdId, MemberId, RecordId};
use crate::domain::instant::Instant;
use crate::domain::when::Occurred;
use crate::store::copying::{Member, NamedView, Seen, Submission};
use crate::store::ledger::Head;

mod account;
mod blob;

pub use account::{AccountLine, RecoveryCodeLine, SecondFactorLine};
pub use blob::BlobLine;

/// The word in the header.
pub const FORMAT: &str = "lifeops.export";
/// The version in the header.
pub const VERSION: u32 = 1;

const SUM: usize = 16;

/// One line. It may hold a password's digest, and so has no `Debug` that could reach a log.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case", deny_unknown_fields)]
pub enum Line {
    /// The first.
    Header {
        /// [`FORMAT`].
        format: String,
        /// [`VERSION`].
        version: u32,
        /// When the export was made.
        made_at: String,
    },
    /// Somebody who can sign in.
    Account(AccountLine),
    /// A household, before everything that is its own.
    Household(HouseholdLine),
    /// An account's place in the household.
    Member(MemberLine),
    /// An event, in order of position.
    Event(EventLine),
    /// An answer that was given, for ever.
    Submission(SubmissionLine),
    /// A filter that a member gave a name.
    View(ViewLine),
    /// How far a member has read.
    Seen(SeenLine),
    /// A content, and the object that holds it, sealed. The object itself lies in the store of files.
    Blob(BlobLine),
    /// The last.
    Footer(Footer),
}

/// A household with its chain's head.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HouseholdLine {
    id: Uuid,
    name: String,
    position: i64,
    head: String,
    created_at: String,
}

/// A member's account; name, role and standing are told by the household's events.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberLine {
    household: Uuid,
    id: Uuid,
    account: Uuid,
    joined_at: String,
}

/// An event: every column of the ledger. The payload's exact bytes are text, and stand here as one string.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventLine {
    household: Uuid,
    position: i64,
    event: Uuid,
    record: Uuid,
    version: i64,
    kind: String,
    payload_version: i64,
    payload: String,
    salt: String,
    actor: Option<Uuid>,
    via: String,
    via_ref: Option<String>,
    batch: Option<Uuid>,
    occurred: String,
    recorded: String,
    hash: String,
}

/// A submission: which form or request was answered with which events.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubmissionLine {
    household: Uuid,
    member: Uuid,
    key: Uuid,
    digest: String,
    record: Uuid,
    first_position: i64,
    events: i64,
}

/// Up to which event a member has seen what the others wrote: in a record, or in all under the household's own stream.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeenLine {
    household: Uuid,
    member: Uuid,
    record: Uuid,
    position: i64,
}

/// A filter that a member gave a name.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViewLine {
    household: Uuid,
    member: Uuid,
    name: String,
    address: String,
    created_at: String,
}

impl From<NamedView> for Line {
    fn from(view: NamedView) -> Self {
        Self::View(ViewLine {
            household: view.household.0,
            member: view.member.0,
            name: view.name,
            address: view.address,
            created_at: view.created_at.to_string(),
        })
    }
}

impl ViewLine {
    /// As the database keeps it. An address that leads out of the program is none of ours.
    pub fn view(self) -> Result<NamedView, String> {
        if !self.address.starts_with('/')
            || self.address.starts_with("//")
            || self.address.contains(char::is_whitespace)
        {
            return Err("names an address that is none of ours".to_owned());
        }
        if self.name.contains(char::is_control) {
            return Err("has a name that is none".to_owned());
        }
        Ok(NamedView {
            household: HouseholdId(self.household),
            member: MemberId(self.member),
            name: self.name,
            address: self.address,
            created_at: instant("created_at", &self.created_at)?,
        })
    }
}

/// How much the file holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Accounts.
    pub accounts: u64,
    /// Households.
    pub households: u64,
    /// Members.
    pub members: u64,
    /// Events.
    pub events: u64,
    /// Submissions.
    pub submissions: u64,
    /// Marks of how far members have read. Exports that were made before there were any do not count them.
    #[serde(default, skip_serializing_if = "is_none")]
    pub seen: u64,
    /// Filters that members gave a name. The same.
    #[serde(default, skip_serializing_if = "is_none")]
    pub views: u64,
    /// Contents of files. The same.
    #[serde(default, skip_serializing_if = "is_none")]
    pub blobs: u64,
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

/// The last line: counts, and the SHA-256 of every byte before it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Footer {
    /// How much the file holds.
    pub counts: Counts,
    /// In hexadecimal.
    pub sha256: String,
}

/// Writes and reads lines, and carries the sums.
#[derive(Clone)]
pub struct Sums {
    last: String,
    whole: Sha256,
    before: Sha256,
}

impl Default for Sums {
    fn default() -> Self {
        Self { last: "0".repeat(SUM), whole: Sha256::new(), before: Sha256::new() }
    }
}

impl Sums {
    /// The SHA-256 of every line so far, with their line ends.
    pub fn whole(&self) -> String {
        hex(&self.whole.clone().finalize())
    }

    /// The SHA-256 of every line before the one that was read last.
    pub fn before(&self) -> String {
        hex(&self.before.clone().finalize())
    }

    /// A line as it is written, with its line end.
    pub fn write(&mut self, line: &Line) -> Result<String, String> {
        let json = serde_json::to_string(line).map_err(|e| e.to_string())?;
        let rest = json.strip_prefix('{').ok_or("a line is an object")?;
        let text = format!("{{\"sum\":\"{}\",{rest}\n", self.run_on(rest));
        self.whole.update(text.as_bytes());
        self.after(line);
        Ok(text)
    }

    /// Reads a line without its line end; the sentence says what is wrong with it.
    pub fn read(&mut self, text: &str) -> Result<Line, String> {
        let parts = text.strip_prefix("{\"sum\":\"").and_then(|rest| rest.split_once("\","));
        let (sum, rest) = parts.ok_or("is not a line of a LifeOps export")?;
        if self.run_on(rest) != sum {
            return Err("was changed, or a line before it is missing: its sum does not fit".to_owned());
        }
        self.before = self.whole.clone();
        self.whole.update(text.as_bytes());
        self.whole.update(b"\n");
        let line = serde_json::from_str(&format!("{{{rest}")).map_err(|e| format!("cannot be read: {e}"))?;
        self.after(&line);
        Ok(line)
    }

    fn after(&mut self, line: &Line) {
        if matches!(line, Line::Header { .. }) {
            self.last = "0".repeat(SUM);
        }
    }

    fn run_on(&mut self, rest: &str) -> String {
        let mut hasher = Sha256::new();
        hasher.update(self.last.as_bytes());
        hasher.update(rest.as_bytes());
        let mut sum = hex(&hasher.finalize());
        sum.truncate(SUM);
        self.last.clone_from(&sum);
        sum
    }
}

impl Line {
    /// The first line.
    pub fn header(made_at: Instant) -> Self {
        Self::Header { format: FORMAT.to_owned(), version: VERSION, made_at: made_at.to_string() }
    }
}

impl From<Head> for Line {
    fn from(h: Head) -> Self {
        Self::Household(HouseholdLine {
            id: h.id.0,
            name: h.name,
            position: h.position,
            head: hex(&h.head),
            created_at: h.created_at.to_string(),
        })
    }
}

impl HouseholdLine {
    /// The end of the chain that the household's events must come to. When its last event was entered is not in the
    /// line: the events tell.
    pub fn head(self) -> Result<Head, String> {
        let created_at = instant("created_at", &self.created_at)?;
        Ok(Head {
            id: HouseholdId(self.id),
            name: self.name,
            position: self.position,
            head: unhex(&self.head).ok_or("has a head that is no digest")?,
            last_recorded: created_at,
            created_at,
        })
    }
}

impl From<Member> for Line {
    fn from(m: Member) -> Self {
        Self::Member(MemberLine {
            household: m.household.0,
            id: m.id.0,
            account: m.account.0,
            joined_at: m.joined_at.to_string(),
        })
    }
}

impl MemberLine {
    /// As the database keeps it.
    pub fn member(self) -> Result<Member, String> {
        Ok(Member {
            household: HouseholdId(self.household),
            id: MemberId(self.id),
            account: AccountId(self.account),
            joined_at: instant("joined_at", &self.joined_at)?,
        })
    }
}

impl From<Submission> for Line {
    fn from(s: Submission) -> Self {
        Self::Submission(SubmissionLine {
            household: s.household.0,
            member: s.member.0,
            key: s.key,
            digest: hex(&s.digest),
            record: s.record.0,
            first_position: s.first_position,
            events: s.events,
        })
    }
}

impl SubmissionLine {
    /// As the database keeps it.
    pub fn submission(self) -> Result<Submission, String> {
        Ok(Submission {
            household: HouseholdId(self.household),
            member: MemberId(self.member),
            key: self.key,
            digest: unhex(&self.digest).ok_or("has a digest that is none")?,
            record: RecordId(self.record),
            first_position: self.first_position,
            events: self.events,
        })
    }
}

impl From<Seen> for Line {
    fn from(s: Seen) -> Self {
        Self::Seen(SeenLine { household: s.household.0, member: s.member.0, record: s.record.0, position: s.position })
    }
}

impl SeenLine {
    /// As the database keeps it.
    pub fn seen(&self) -> Seen {
        Seen {
            household: HouseholdId(self.household),
            member: MemberId(self.member),
            record: RecordId(self.record),
            position: self.position,
        }
    }
}

impl EventLine {
    /// The line of an event. Fails if the payload is not text, which only a damaged database can cause.
    pub fn of(e: Event) -> Result<Line, String> {
        let payload = String::from_utf8(e.payload)
            .map_err(|_| format!("Event {} has a payload that is not text. Run lifeops verify.", e.position))?;
        Ok(Line::Event(Self {
            household: e.household.0,
            position: e.position,
            event: e.event.0,
            record: e.record.0,
            version: e.version,
            kind: e.kind,
            payload_version: e.payload_version,
            payload,
            salt: hex(&e.salt),
            actor: e.actor.map(|id| id.0),
            via: e.via,
            via_ref: e.via_ref,
            batch: e.batch.map(|id| id.0),
            occurred: e.occurred.to_string(),
            recorded: e.recorded.to_string(),
            hash: hex(&e.hash),
        }))
    }

    /// As the ledger keeps it.
    pub fn event(self) -> Result<Event, String> {
        Ok(Event {
            household: HouseholdId(self.household),
            position: self.position,
            event: EventId(self.event),
            record: RecordId(self.record),
            version: self.version,
            kind: self.kind,
            payload_version: self.payload_version,
            payload: self.payload.into_bytes(),
            salt: unhex(&self.salt).ok_or("has a salt that is none")?,
            actor: self.actor.map(MemberId),
            via: self.via,
            via_ref: self.via_ref,
            batch: self.batch.map(BatchId),
            occurred: Occurred::parse_iso(&self.occurred).map_err(|refusal| refusal.0)?,
            recorded: instant("recorded", &self.recorded)?,
            hash: unhex(&self.hash).ok_or("has a hash that is none")?,
        })
    }
}

fn instant(name: &str, text: &str) -> Result<Instant, String> {
    Instant::parse(text).ok_or_else(|| format!("has {name} = \u{201c}{text}\u{201d}, which is no instant"))
}
