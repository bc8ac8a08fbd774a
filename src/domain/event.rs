//! Events: immutable entries in a stream, and the payload of each kind.
//!
//! An event is for ever. A payload's bytes are stored exactly as they were hashed; older versions are lifted when they
//! are read ([`upcast`]). Adding a kind, or a version of one, wants a frozen sample in the tests.

use serde::{Deserialize, Serialize};

use super::access::{Role, Visibility};
use super::attachment::{BlobId, Label};
use super::field::Field;
use super::ids::{AttachmentId, BatchId, EventId, HouseholdId, MemberId, RecordId};
use super::instant::Instant;
use super::money::{Amount, Reading};
use super::text::{
    Category, Description, FieldName, FileName, HouseholdName, MemberName, NoteText, Reason, Tag, Title,
};
use super::when::Occurred;

/// An event as the ledger keeps it: every column, with the payload's exact bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// The household.
    pub household: HouseholdId,
    /// Its place in the household: 1, 2, 3 … without gaps, in commit order.
    pub position: i64,
    /// Its identity.
    pub event: EventId,
    /// The stream: a record, or the household itself under its own id.
    pub record: RecordId,
    /// Its place in the stream: 1, 2, 3 …
    pub version: i64,
    /// Which kind it is.
    pub kind: String,
    /// The version of the payload's shape.
    pub payload_version: i64,
    /// The payload's bytes (JSON), as they were hashed.
    pub payload: Vec<u8>,
    /// Random bytes that keep the payload's digest from giving it away.
    pub salt: [u8; 16],
    /// The member who did it; none for the program itself.
    pub actor: Option<MemberId>,
    /// How it came in: page, api, cli, import, restore, system.
    pub via: String,
    /// The token or import behind it.
    pub via_ref: Option<String>,
    /// The batch it belongs to.
    pub batch: Option<BatchId>,
    /// When it happened.
    pub occurred: Occurred,
    /// When it was entered.
    pub recorded: Instant,
    /// Its link of the chain.
    pub hash: [u8; 32],
}

impl Event {
    /// What the fold needs of it.
    ///
    /// # Errors
    /// If the payload is of no known kind or version, or is not of its kind's shape.
    pub fn fact(&self) -> Result<Fact, Unreadable> {
        let payload = Payload::decode(&self.kind, self.payload_version, &self.payload)
            .map_err(|problem| Unreadable { position: self.position, problem })?;
        Ok(Fact {
            position: self.position,
            version: self.version,
            event: self.event,
            actor: self.actor,
            occurred: self.occurred,
            recorded: self.recorded,
            payload,
        })
    }
}

/// An event's payload cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("event {position}: {problem}")]
pub struct Unreadable {
    /// The event's position.
    pub position: i64,
    /// What is wrong.
    pub problem: String,
}

/// An event as the fold sees it: decoded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fact {
    /// Its place in the household.
    pub position: i64,
    /// Its place in the stream.
    pub version: i64,
    /// Its identity.
    pub event: EventId,
    /// The member who did it.
    pub actor: Option<MemberId>,
    /// When it happened.
    pub occurred: Occurred,
    /// When it was entered.
    pub recorded: Instant,
    /// What happened.
    pub payload: Payload,
}

/// An event that is to be written: what happened and when, under an identity that others of the same write may mention.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Draft {
    /// Its identity.
    pub event: EventId,
    /// When it happened.
    pub occurred: Occurred,
    /// What happened.
    pub payload: Payload,
}

impl From<(Occurred, Payload)> for Draft {
    fn from((occurred, payload): (Occurred, Payload)) -> Self {
        Self { event: EventId::new(), occurred, payload }
    }
}

/// The identity that a record has in another program, for imports that are run again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct External {
    /// The other program.
    pub source: String,
    /// The identity there.
    #[serde(rename = "ref")]
    pub reference: String,
}

macro_rules! payloads {
    ($($(#[$doc:meta])* $kind:literal => $name:ident {
        $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)?
    })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
            #[serde(deny_unknown_fields)]
            pub struct $name { $($(#[$field_doc])* pub $field: $type),* }
        )*

        /// What happened: one variant per kind, in its newest version.
        #[derive(Clone, PartialEq, Eq, Debug)]
        #[allow(missing_docs)]
        pub enum Payload { $($name($name)),* }

        $(impl From<$name> for Payload {
            fn from(payload: $name) -> Self {
                Self::$name(payload)
            }
        })*

        impl Payload {
            /// Every kind.
            pub const KINDS: &[&str] = &[$($kind),*];

            /// The kind, as it is stored and hashed.
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$name(_) => $kind),* }
            }

            /// The payload's bytes. They are made once, hashed and stored; never made again.
            pub fn to_bytes(&self) -> Vec<u8> {
                let bytes = match self { $(Self::$name(payload) => serde_json::to_vec(payload)),* };
                // Strings, lists and structs of them: serialising to memory cannot fail.
                bytes.unwrap_or_default()
            }

            /// Reads a payload of any released version.
            ///
            /// # Errors
            /// A description of what is wrong: an unknown kind or version, or a payload not of its shape.
            pub fn decode(kind: &str, version: i64, bytes: &[u8]) -> Result<Self, String> {
                if version != Self::VERSION {
                    let lifted = upcast::lift(kind, version, bytes)?;
                    return Self::decode(kind, Self::VERSION, &lifted);
                }
                match kind {
                    $($kind => serde_json::from_slice(bytes).map(Self::$name).map_err(|e| format!("{kind}: {e}")),)*
                    _ => Err(format!("the kind {kind} is not known to this version of LifeOps")),
                }
            }
        }
    };
}

payloads! {
    /// A record begins.
    "record_created" => RecordCreated {
        /// What it is called.
        title: Title,
        /// Who sees it.
        visibility: Visibility,
        /// What kind of thing it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        category: Option<Category>,
        /// A few words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<Description>,
        /// Its labels.
        tags: Vec<Tag>,
        /// Its custom fields.
        fields: Vec<Field>,
        /// Its identity in another program.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        external: Option<External>,
    }
    /// Some of a record's fields take new values: only what changed, never whole sets.
    "record_updated" => RecordUpdated {
        /// New values of the built-in fields.
        set: Set,
        /// Built-in fields that have no value any more: `category`, `description`.
        clear: Vec<String>,
        /// Custom fields with their new values.
        fields_set: Vec<Field>,
        /// Custom fields that have no value any more.
        fields_cleared: Vec<FieldName>,
        /// Tags put on.
        tags_added: Vec<Tag>,
        /// Tags taken off.
        tags_removed: Vec<Tag>,
        /// The event whose values were wrong. It is always the one that asserted them, never a correction of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        corrects: Option<EventId>,
    }
    /// Something happened, told in words.
    "note_added" => NoteAdded {
        /// Markdown.
        text: NoteText,
        /// What it cost.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        amount: Option<Amount>,
        /// What a meter showed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reading: Option<Reading>,
    }
    /// A note's wording was wrong.
    "note_corrected" => NoteCorrected {
        /// The note: always the `note_added` event, never a correction of it.
        note: EventId,
        /// Markdown.
        text: NoteText,
        /// What it cost.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        amount: Option<Amount>,
        /// What a meter showed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reading: Option<Reading>,
    }
    /// A record gets a file.
    "attachment_added" => AttachmentAdded {
        /// The attachment.
        attachment_id: AttachmentId,
        /// Its content.
        blob: BlobId,
        /// What it is called.
        file_name: FileName,
        /// Its media type (RFC 6838), as the server found it.
        media_type: String,
        /// Its size in bytes.
        size: u64,
        /// What it is on its record.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        label: Option<Label>,
        /// The note it belongs to: always the `note_added` event.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<EventId>,
        /// The file whose place it takes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        supersedes: Option<AttachmentId>,
    }
    /// A file gets another label or name.
    "attachment_changed" => AttachmentChanged {
        /// The attachment.
        attachment_id: AttachmentId,
        /// The new label.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        label: Option<Label>,
        /// The new name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file_name: Option<FileName>,
    }
    /// A file is taken off its record. Its content stays.
    "attachment_removed" => AttachmentRemoved {
        /// The attachment.
        attachment_id: AttachmentId,
    }
    /// A record is put away.
    "record_deleted" => RecordDeleted {
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Reason>,
    }
    /// A deleted record comes back.
    "record_restored" => RecordRestored {
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Reason>,
    }
    /// Everyone in the household sees the record from now on, its whole past included.
    "record_shared" => RecordShared {}
    /// Only its owner sees the record from now on.
    "record_unshared" => RecordUnshared {}
    /// Another member keeps the record from now on. Of a private one, only that member sees it, its whole past included.
    "record_handed_over" => RecordHandedOver {
        /// The member who keeps it from now on.
        to: MemberId,
    }
    /// An earlier event of the stream is undone.
    "event_retracted" => EventRetracted {
        /// The event.
        event_id: EventId,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Reason>,
    }
    /// A household begins.
    "household_created" => HouseholdCreated {
        /// What it is called.
        name: HouseholdName,
    }
    /// A member joins.
    "member_joined" => MemberJoined {
        /// The member.
        member_id: MemberId,
        /// What the member is called.
        name: MemberName,
        /// What the member may do.
        role: Role,
    }
    /// A member is called something else.
    "member_renamed" => MemberRenamed {
        /// The member.
        member_id: MemberId,
        /// The new name.
        name: MemberName,
    }
    /// A member may not sign in any more.
    "member_disabled" => MemberDisabled {
        /// The member.
        member_id: MemberId,
    }
    /// A disabled member may sign in again.
    "member_enabled" => MemberEnabled {
        /// The member.
        member_id: MemberId,
    }
    /// A household is called something else.
    "household_renamed" => HouseholdRenamed {
        /// The new name.
        name: HouseholdName,
    }
    /// A member may do more, or less.
    "member_role_changed" => MemberRoleChanged {
        /// The member.
        member_id: MemberId,
        /// What the member may do from now on.
        role: Role,
    }
    /// A member is removed. It holds from an instant that is fixed here, so that no later setting moves it; until then the
    /// member reads, and takes private records along.
    "member_removed" => MemberRemoved {
        /// The member.
        member_id: MemberId,
        /// From when on it holds.
        holds_from: Instant,
    }
    /// A removal is taken back: within the grace period by an owner, afterwards by whoever runs the installation.
    "member_reinstated" => MemberReinstated {
        /// The member.
        member_id: MemberId,
    }
}

impl Payload {
    /// The version of every payload that this program writes.
    pub const VERSION: i64 = 1;
}

/// New values of a record's built-in fields; what is absent stays as it is.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set {
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Title>,
    /// What kind of thing it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
    /// A few words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Description>,
}

impl RecordUpdated {
    /// An update that changes nothing yet.
    pub fn nothing() -> Self {
        Self {
            set: Set::default(),
            clear: Vec::new(),
            fields_set: Vec::new(),
            fields_cleared: Vec::new(),
            tags_added: Vec::new(),
            tags_removed: Vec::new(),
            corrects: None,
        }
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        Self { corrects: None, ..self.clone() } == Self::nothing()
    }
}

/// Lifts old payloads to the newest version, one version at a time, without touching what is stored.
pub mod upcast {
    use serde_json::Value;

    /// One step: the payload of `kind` in version `from` becomes that of version `from + 1`.
    struct Lift {
        kind: &'static str,
        from: i64,
        step: fn(Value) -> Result<Value, String>,
    }

    /// Every step. Version 0 was never released: it is a drill that keeps this path exercised from the ledger to the
    /// page, so that the first real lift finds a road that is known to hold.
    const LIFTS: &[Lift] = &[Lift { kind: "note_added", from: 0, step: note_added_0 }];

    /// Lifts a payload of an older version to the newest.
    pub(super) fn lift(kind: &str, version: i64, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let mut value: Value = serde_json::from_slice(bytes).map_err(|e| format!("{kind}: {e}"))?;
        for from in version..super::Payload::VERSION {
            let lift = LIFTS.iter().find(|lift| lift.kind == kind && lift.from == from);
            let lift =
                lift.ok_or_else(|| format!("version {from} of {kind} is not known to this version of LifeOps"))?;
            value = (lift.step)(value)?;
        }
        if version > super::Payload::VERSION {
            return Err(format!("version {version} of {kind} was written by a newer LifeOps"));
        }
        serde_json::to_vec(&value).map_err(|e| format!("{kind}: {e}"))
    }

    /// `{"note": …}` became `{"text": …}`.
    fn note_added_0(mut value: Value) -> Result<Value, String> {
        let object = value.as_object_mut().ok_or("note_added: not an object")?;
        let text = object.remove("note").ok_or("note_added: version 0 has a member note")?;
        object.insert("text".to_owned(), text);
        Ok(value)
    }
}
