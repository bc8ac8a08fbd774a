//! What can be done with a household and its members: verbs that take the state and a wish, and give the event, nothing
//! if it is so already, or a refusal with a sentence. Who may ask is decided before: an owner who looks after the
//! household, or whoever runs the installation.

use serde::Serialize;

use super::Refusal;
use super::access::Role;
use super::event::{
    HouseholdRenamed, MemberDisabled, MemberEnabled, MemberJoined, MemberReinstated, MemberRemoved, MemberRenamed,
    MemberRoleChanged, Payload,
};
use super::household::{Household, Member, Standing};
use super::ids::MemberId;
use super::instant::Instant;
use super::text::{HouseholdName, MemberName, fold};

/// What is wanted. Its digest is what a repeated submission is recognised by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "wish", rename_all = "snake_case")]
pub enum Wish {
    /// The household is called something else.
    Rename {
        /// The new name.
        name: HouseholdName,
    },
    /// A member is called something else.
    RenameMember {
        /// Who.
        member: MemberId,
        /// The new name.
        name: MemberName,
    },
    /// A member may do more, or less.
    ChangeRole {
        /// Who.
        member: MemberId,
        /// What they may do from now on.
        role: Role,
    },
    /// A member may not sign in.
    Disable {
        /// Who.
        member: MemberId,
    },
    /// A disabled member may sign in again.
    Enable {
        /// Who.
        member: MemberId,
    },
    /// A member leaves after a grace period.
    Remove {
        /// Who.
        member: MemberId,
    },
    /// A member who is leaving stays; by whoever runs the installation also one who has left.
    Reinstate {
        /// Who.
        member: MemberId,
    },
}

impl Wish {
    /// The member that it is about; none for the household's name.
    pub fn member(&self) -> Option<MemberId> {
        match self {
            Self::Rename { .. } => None,
            Self::RenameMember { member, .. }
            | Self::ChangeRole { member, .. }
            | Self::Disable { member }
            | Self::Enable { member }
            | Self::Remove { member }
            | Self::Reinstate { member } => Some(*member),
        }
    }
}

/// Who asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum By {
    /// A member. Which one matters for the words alone.
    Member,
    /// Whoever runs the installation.
    Operator,
}

/// What a member hears who is leaving and wants to change something.
pub const LEAVING: &str =
    "You are leaving this household, so you may read, but not change anything. An owner can take the removal back.";

/// Decides a wish about a member of the household. `grace` is how long a removal takes to hold, in seconds.
///
/// # Errors
/// A sentence: the household would be left without an owner, the name is taken, or the member is leaving or gone.
pub fn decide(
    household: &Household,
    wish: &Wish,
    by: By,
    now: Instant,
    grace: i64,
) -> Result<Option<Payload>, Refusal> {
    let payload = match wish {
        Wish::Rename { name } => {
            (household.name != name.as_str()).then(|| HouseholdRenamed { name: name.clone() }.into())
        }
        Wish::RenameMember { member, name } => rename_member(household, known(household, *member)?, name, by, now)?,
        Wish::ChangeRole { member, role } => change_role(known(household, *member)?, *role, now)?,
        Wish::Disable { member } => {
            let member = known(household, *member)?;
            not_gone(member, now)?;
            (!member.disabled).then(|| MemberDisabled { member_id: member.member }.into())
        }
        Wish::Enable { member } => {
            let member = known(household, *member)?;
            not_gone(member, now)?;
            member.disabled.then(|| MemberEnabled { member_id: member.member }.into())
        }
        Wish::Remove { member } => {
            let member = known(household, *member)?;
            not_gone(member, now)?;
            let holds_from = now.plus_seconds(grace);
            member.removed_from.is_none().then(|| MemberRemoved { member_id: member.member, holds_from }.into())
        }
        Wish::Reinstate { member } => {
            let member = known(household, *member)?;
            if by == By::Member {
                not_gone(member, now)?;
            }
            member.removed_from.is_some().then(|| MemberReinstated { member_id: member.member }.into())
        }
    };
    payload.map(|payload| keeping_an_owner(household, payload)).transpose()
}

/// A new member joins, under a name that nobody here has.
///
/// # Errors
/// A sentence, if the name is taken.
pub fn join(household: &Household, member: MemberId, name: MemberName, role: Role) -> Result<Payload, Refusal> {
    own_name(household, member, &name)?;
    Ok(MemberJoined { member_id: member, name, role }.into())
}

fn rename_member(
    household: &Household,
    member: &Member,
    name: &MemberName,
    by: By,
    now: Instant,
) -> Result<Option<Payload>, Refusal> {
    not_gone(member, now)?;
    // Members rename nobody but themselves.
    if by == By::Member && member.removed_from.is_some() {
        return Err(Refusal::new(LEAVING));
    }
    not_leaving(member)?;
    if member.name == name.as_str() {
        return Ok(None);
    }
    own_name(household, member.member, name)?;
    Ok(Some(MemberRenamed { member_id: member.member, name: name.clone() }.into()))
}

fn change_role(member: &Member, role: Role, now: Instant) -> Result<Option<Payload>, Refusal> {
    not_gone(member, now)?;
    not_leaving(member)?;
    Ok((member.role != role).then(|| MemberRoleChanged { member_id: member.member, role }.into()))
}

fn known(household: &Household, member: MemberId) -> Result<&Member, Refusal> {
    household.member(member).ok_or_else(|| Refusal::new("There is no such member in this household."))
}

/// Nobody changes a member who is removed: only whoever runs the installation brings them back.
fn not_gone(member: &Member, now: Instant) -> Result<(), Refusal> {
    match member.standing(now) {
        Standing::Removed(_) => Err(Refusal(format!(
            "{} is no longer a member of this household. Only whoever runs this LifeOps can bring them back.",
            member.name
        ))),
        _ => Ok(()),
    }
}

fn not_leaving(member: &Member) -> Result<(), Refusal> {
    match member.removed_from {
        Some(_) => Err(Refusal(format!("{} is leaving this household. Take the removal back first.", member.name))),
        None => Ok(()),
    }
}

/// What histories call those who are no member, folded: no member may be taken for them.
const RESERVED: [&str; 3] = ["lifeops", "whoever runs this lifeops", "whoever runs this server"];

/// Refuses a name that somebody else in the household has or had: histories must say who did what.
fn own_name(household: &Household, member: MemberId, name: &MemberName) -> Result<(), Refusal> {
    if RESERVED.contains(&name.folded().as_str()) {
        return Err(Refusal::new("Choose another name: histories call whoever runs this server so"));
    }
    let taken = household.members.iter().any(|other| other.member != member && fold(&other.name) == name.folded());
    if taken {
        return Err(Refusal(format!(
            "Somebody in this household is called {name} already. Add something that tells you apart"
        )));
    }
    Ok(())
}

/// Refuses what would leave a household that had an owner who can sign in without one.
fn keeping_an_owner(household: &Household, payload: Payload) -> Result<Payload, Refusal> {
    let mut after = household.clone();
    after.take(&payload);
    if household.has_acting_owner() && !after.has_acting_owner() {
        let owner = household.members.iter().find(|member| member.is_acting_owner());
        let name = owner.map(|owner| owner.name.as_str()).unwrap_or_default();
        return Err(Refusal(format!(
            "{name} is the only owner of {} who can sign in. Make somebody else an owner first.",
            household.name
        )));
    }
    Ok(payload)
}
