//! The household's own stream: who belongs to it and what they may do.

use super::access::Role;
use super::event::{Fact, Payload};
use super::ids::MemberId;

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
        match &fact.payload {
            Payload::HouseholdCreated(created) => self.name = created.name.to_string(),
            Payload::MemberJoined(joined) => self.members.push(Member {
                member: joined.member_id,
                name: joined.name.to_string(),
                role: joined.role,
                disabled: false,
            }),
            Payload::MemberRenamed(renamed) => {
                let name = renamed.name.to_string();
                self.change(renamed.member_id, |member| member.name = name);
            }
            Payload::MemberDisabled(disabled) => self.change(disabled.member_id, |member| member.disabled = true),
            Payload::MemberEnabled(enabled) => self.change(enabled.member_id, |member| member.disabled = false),
            _ => {}
        }
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
