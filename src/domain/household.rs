//! The household's own stream: what it is called, who belongs to it, and what they may do.

use super::access::Role;
use super::event::{Fact, Payload};
use super::ids::MemberId;
use super::instant::Instant;

/// A member as the household's stream tells it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// Who.
    pub member: MemberId,
    /// What the member is called.
    pub name: String,
    /// What the member may do.
    pub role: Role,
    /// Whether the member may not sign in.
    pub disabled: bool,
    /// From when on the member is removed, if at all. Until then a grace period runs.
    pub removed_from: Option<Instant>,
}

impl Member {
    /// How the member stands at a moment.
    pub fn standing(&self, now: Instant) -> Standing {
        Standing::of(self.disabled, self.removed_from, now)
    }

    /// Whether the member looks after the household: an owner who can sign in and is not leaving.
    pub fn is_acting_owner(&self) -> bool {
        self.role == Role::Owner && !self.disabled && self.removed_from.is_none()
    }
}

/// How a member stands in the household.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// As any member.
    Here,
    /// Removed, but the grace period runs until this instant: the member reads, and takes private records along.
    Leaving(Instant),
    /// May not sign in until an owner says otherwise.
    Disabled,
    /// No member any more, since this instant.
    Removed(Instant),
}

impl Standing {
    /// How a member stands at a moment.
    pub fn of(disabled: bool, removed_from: Option<Instant>, now: Instant) -> Self {
        match removed_from {
            Some(from) if from <= now => Self::Removed(from),
            _ if disabled => Self::Disabled,
            Some(from) => Self::Leaving(from),
            None => Self::Here,
        }
    }
}

/// A household as its stream tells it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Household {
    /// What it is called.
    pub name: String,
    /// Its members, in the order in which they joined.
    pub members: Vec<Member>,
}

impl Household {
    /// The state after one more event.
    pub fn apply(&mut self, fact: &Fact) {
        self.take(&fact.payload);
    }

    /// The state after one more event, told by its payload.
    pub fn take(&mut self, payload: &Payload) {
        match payload {
            Payload::HouseholdCreated(created) => self.name = created.name.to_string(),
            Payload::HouseholdRenamed(renamed) => self.name = renamed.name.to_string(),
            Payload::MemberJoined(joined) => self.members.push(Member {
                member: joined.member_id,
                name: joined.name.to_string(),
                role: joined.role,
                disabled: false,
                removed_from: None,
            }),
            Payload::MemberRenamed(renamed) => {
                let name = renamed.name.to_string();
                self.change(renamed.member_id, |member| member.name = name);
            }
            Payload::MemberRoleChanged(changed) => {
                self.change(changed.member_id, |member| member.role = changed.role);
            }
            Payload::MemberDisabled(disabled) => self.change(disabled.member_id, |member| member.disabled = true),
            Payload::MemberEnabled(enabled) => self.change(enabled.member_id, |member| member.disabled = false),
            Payload::MemberRemoved(removed) => {
                self.change(removed.member_id, |member| member.removed_from = Some(removed.holds_from));
            }
            Payload::MemberReinstated(reinstated) => {
                self.change(reinstated.member_id, |member| member.removed_from = None);
            }
            _ => {}
        }
    }

    /// A member, whatever their standing.
    pub fn member(&self, id: MemberId) -> Option<&Member> {
        self.members.iter().find(|member| member.member == id)
    }

    /// Whether somebody looks after it.
    pub fn has_acting_owner(&self) -> bool {
        self.members.iter().any(Member::is_acting_owner)
    }

    fn change(&mut self, id: MemberId, change: impl FnOnce(&mut Member)) {
        if let Some(member) = self.members.iter_mut().find(|member| member.member == id) {
            change(member);
        }
    }
}

/// What a member is called from a position of the ledger on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Named {
    /// Who.
    pub member: MemberId,
    /// Since which event of the household.
    pub position: i64,
    /// The name.
    pub name: String,
}

/// Every name that a household's members have had, in the order in which they took them.
pub fn names(facts: &[Fact]) -> Vec<Named> {
    let named = |fact: &Fact| {
        let (member, name) = match &fact.payload {
            Payload::MemberJoined(joined) => (joined.member_id, joined.name.to_string()),
            Payload::MemberRenamed(renamed) => (renamed.member_id, renamed.name.to_string()),
            _ => return None,
        };
        Some(Named { member, position: fact.position, name })
    };
    facts.iter().filter_map(named).collect()
}

/// Folds a household's stream.
pub fn fold(facts: &[Fact]) -> Household {
    let mut household = Household::default();
    for fact in facts {
        household.apply(fact);
    }
    household
}
