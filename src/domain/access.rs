//! Who asks, and what their role allows (the table of roles: owner, editor, viewer).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Refusal;
use super::ids::{HouseholdId, MemberId};

/// What a member may do in a household.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads what the household may see.
    Viewer,
    /// Also writes.
    Editor,
    /// Also looks after members and settings.
    Owner,
}

impl Role {
    /// The word that is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Editor => "editor",
            Self::Owner => "owner",
        }
    }

    /// Whether this role may write records.
    pub fn may_write(self) -> bool {
        self >= Self::Editor
    }

    /// Whether this role may hand over the records that the member keeps.
    pub fn may_hand_over(self) -> bool {
        self >= Self::Editor
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        match text {
            "viewer" => Ok(Self::Viewer),
            "editor" => Ok(Self::Editor),
            "owner" => Ok(Self::Owner),
            _ => Err(Refusal::new("Choose owner, editor or viewer.")),
        }
    }
}

/// Who sees a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Its owner alone.
    Private,
    /// Everyone in the household.
    Household,
}

impl Visibility {
    /// The word that is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Household => "household",
        }
    }
}

impl FromStr for Visibility {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        match text {
            "private" => Ok(Self::Private),
            "household" => Ok(Self::Household),
            _ => Err(Refusal::new("Choose who sees it: the household, or only you.")),
        }
    }
}

/// How an event came in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Via {
    /// A form on a page.
    Page,
    /// The JSON API.
    Api,
    /// The command line.
    Cli,
    /// An import.
    Import,
    /// A restore.
    Restore,
    /// The program itself.
    System,
}

impl Via {
    /// The word that is stored and hashed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Api => "api",
            Self::Cli => "cli",
            Self::Import => "import",
            Self::Restore => "restore",
            Self::System => "system",
        }
    }
}

/// Who asks: a member of a household, with a role. Every read and write of records begins with one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The household.
    pub household: HouseholdId,
    /// The member.
    pub member: MemberId,
    /// What the member may do.
    pub role: Role,
    /// The member's time zone, an IANA name.
    pub zone: String,
    /// How the request came in.
    pub via: Via,
    /// The token or import behind it, if there is one.
    pub via_ref: Option<String>,
}
