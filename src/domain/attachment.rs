//! Attachments: the files of a record, and what becomes of them. The bytes lie elsewhere, sealed; an event names them by
//! their digest.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::Refusal;
use super::chain::{hex, unhex};
use super::event::{AttachmentAdded, AttachmentChanged, AttachmentRemoved, Fact, Payload};
use super::fold::holding;
use super::ids::{AttachmentId, EventId, UploadId};
use super::text::FileName;
use super::when::Occurred;

/// The identity of a file's content: the SHA-256 of its plain bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobId(pub [u8; 32]);

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlobId({self})")
    }
}

impl Serialize for BlobId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BlobId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        unhex(&text).map(Self).ok_or_else(|| D::Error::custom("a blob is named by 64 hexadecimal digits"))
    }
}

/// What a file is on its record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Label {
    /// What was paid.
    Receipt,
    /// How to use it.
    Manual,
    /// What the maker promises.
    Warranty,
    /// What it looks like.
    Photo,
    /// What was agreed.
    Contract,
    /// Anything else.
    Other,
}

impl Label {
    /// Every label, in the order in which forms offer them.
    pub const ALL: [Self; 6] = [Self::Receipt, Self::Manual, Self::Warranty, Self::Photo, Self::Contract, Self::Other];

    /// What forms offer: each label's word, and what it is called.
    pub fn choices() -> Vec<(&'static str, &'static str)> {
        Self::ALL.iter().map(|label| (label.as_str(), label.words())).collect()
    }

    /// The word that is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Receipt => "receipt",
            Self::Manual => "manual",
            Self::Warranty => "warranty",
            Self::Photo => "photo",
            Self::Contract => "contract",
            Self::Other => "other",
        }
    }

    /// The word that people read.
    pub fn words(self) -> &'static str {
        match self {
            Self::Receipt => "Receipt",
            Self::Manual => "Manual",
            Self::Warranty => "Warranty",
            Self::Photo => "Photo",
            Self::Contract => "Contract",
            Self::Other => "Something else",
        }
    }

    /// What a file with this label, or with none, is called in a sentence.
    pub fn noun(label: Option<Self>) -> &'static str {
        match label {
            None | Some(Self::Other) => "File",
            Some(label) => label.words(),
        }
    }
}

impl FromStr for Label {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let found = Self::ALL.into_iter().find(|label| label.as_str() == text);
        found.ok_or_else(|| Refusal::new("Choose what kind of file it is from the list."))
    }
}

/// What has become of an attachment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It is among the record's files.
    Present,
    /// Another file took its place.
    Superseded,
    /// It was removed.
    Removed,
    /// Its adding was undone.
    Undone,
}

impl Standing {
    /// The word that is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Superseded => "superseded",
            Self::Removed => "removed",
            Self::Undone => "undone",
        }
    }
}

impl FromStr for Standing {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let all = [Self::Present, Self::Superseded, Self::Removed, Self::Undone];
        all.into_iter().find(|one| one.as_str() == text).ok_or_else(|| Refusal::new("This is no standing of a file."))
    }
}

/// A file of a record, as it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attachment {
    /// Its identity.
    pub id: AttachmentId,
    /// The event that added it.
    pub event: EventId,
    /// That event's place in the household.
    pub position: i64,
    /// Its content.
    pub blob: BlobId,
    /// What it is called.
    pub file_name: FileName,
    /// Its media type (RFC 6838), as the server found it.
    pub media_type: String,
    /// Its size in bytes.
    pub size: u64,
    /// What it is on its record.
    pub label: Option<Label>,
    /// The note it belongs to.
    pub note: Option<EventId>,
    /// The file whose place it took.
    pub supersedes: Option<AttachmentId>,
    /// When it happened.
    pub occurred: Occurred,
    /// What has become of it.
    pub standing: Standing,
}

impl Attachment {
    /// An attachment as the event adds it.
    pub fn added(event: EventId, position: i64, occurred: Occurred, added: &AttachmentAdded) -> Self {
        Self {
            id: added.attachment_id,
            event,
            position,
            blob: added.blob,
            file_name: added.file_name.clone(),
            media_type: added.media_type.clone(),
            size: added.size,
            label: added.label,
            note: added.note,
            supersedes: added.supersedes,
            occurred,
            standing: Standing::Present,
        }
    }

    /// Changes its label and its name.
    pub fn change(&mut self, changed: &AttachmentChanged) {
        if let Some(name) = &changed.file_name {
            self.file_name.clone_from(name);
        }
        if changed.label.is_some() {
            self.label = changed.label;
        }
    }
}

/// The attachments of a stream, in the order in which they were added: what is undone stays among them, so that every
/// content that an event mentions is known.
pub fn fold(facts: &[Fact]) -> Vec<Attachment> {
    let holds = holding(facts);
    let mut all: Vec<Attachment> = Vec::new();
    let settle = |all: &mut Vec<Attachment>, id: AttachmentId, standing: Standing| {
        let found = all.iter_mut().find(|one| one.id == id && one.standing == Standing::Present);
        if let Some(one) = found {
            one.standing = standing;
        }
    };
    for (fact, holds) in facts.iter().zip(holds) {
        match &fact.payload {
            Payload::AttachmentAdded(added) => {
                let standing = if holds { Standing::Present } else { Standing::Undone };
                if let Some(old) = added.supersedes.filter(|_| holds) {
                    settle(&mut all, old, Standing::Superseded);
                }
                all.push(Attachment { standing, ..Attachment::added(fact.event, fact.position, fact.occurred, added) });
            }
            Payload::AttachmentChanged(changed) if holds => {
                if let Some(one) = all.iter_mut().find(|one| one.id == changed.attachment_id) {
                    one.change(changed);
                }
            }
            Payload::AttachmentRemoved(removed) if holds => settle(&mut all, removed.attachment_id, Standing::Removed),
            _ => {}
        }
    }
    all
}

/// A file that was uploaded and is to be attached. Which upload it came by is no part of what a form says: the same form
/// sent twice uploads twice.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct NewFile {
    /// The upload that holds its bytes.
    #[serde(skip)]
    pub upload: UploadId,
    /// Its content.
    pub blob: BlobId,
    /// What it is called.
    pub file_name: FileName,
    /// Its media type.
    pub media_type: String,
    /// Its size in bytes.
    pub size: u64,
}

/// Attaches a file. `note` is the note it belongs to, `supersedes` the file whose place it takes.
pub fn attach(
    file: &NewFile,
    label: Option<Label>,
    note: Option<EventId>,
    supersedes: Option<AttachmentId>,
) -> Payload {
    AttachmentAdded {
        attachment_id: AttachmentId::new(),
        blob: file.blob,
        file_name: file.file_name.clone(),
        media_type: file.media_type.clone(),
        size: file.size,
        label,
        note,
        supersedes,
    }
    .into()
}

/// Puts another file in the place of one.
///
/// # Errors
/// If that one is not among the record's files any more, or holds the same content under the same name.
pub fn replace(now: &Attachment, file: &NewFile) -> Result<Payload, Refusal> {
    present(now)?;
    if now.blob == file.blob && now.file_name == file.file_name {
        return Err(Refusal::new("This is the file that is there already. Choose another one."));
    }
    Ok(attach(file, now.label, now.note, Some(now.id)))
}

/// Gives a file another label or name; none if it has them already.
///
/// # Errors
/// If it is not among the record's files any more.
pub fn change(now: &Attachment, label: Option<Label>, name: &FileName) -> Result<Option<Payload>, Refusal> {
    present(now)?;
    let label = label.filter(|label| now.label != Some(*label));
    let file_name = Some(name.clone()).filter(|name| now.file_name != *name);
    let changes = label.is_some() || file_name.is_some();
    Ok(changes.then(|| AttachmentChanged { attachment_id: now.id, label, file_name }.into()))
}

/// Takes a file off its record. It stays in the history.
///
/// # Errors
/// If it is not among the record's files any more.
pub fn remove(now: &Attachment) -> Result<Payload, Refusal> {
    present(now)?;
    Ok(AttachmentRemoved { attachment_id: now.id }.into())
}

fn present(now: &Attachment) -> Result<(), Refusal> {
    match now.standing {
        Standing::Present => Ok(()),
        Standing::Superseded => Err(Refusal::new("Another file has taken the place of this one. Look at that one.")),
        Standing::Removed => Err(Refusal::new("This file was removed. Bring it back in the story first.")),
        Standing::Undone => Err(Refusal::new("The adding of this file was undone. Bring it back in the story first.")),
    }
}
