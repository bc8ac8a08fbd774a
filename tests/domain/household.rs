//! The household and its members: given its past, when somebody wishes, then an event, nothing, or a sentence.

use std::str::FromStr;

use lifeops::domain::access::Role;
use lifeops::domain::event::{HouseholdCreated, MemberJoined, Payload};
use lifeops::domain::household::{Household, Standing};
use lifeops::domain::ids::MemberId;
use lifeops::domain::instant::Instant;
use lifeops::domain::membership::{self, By, Wish};
use lifeops::domain::text::{HouseholdName, MemberName};

use super::ana;

const GRACE: i64 = 14 * 86_400;

fn ben() -> MemberId {
    MemberId::from_str("0190aaaa-0000-7000-8000-000000000002").unwrap()
}

fn mila() -> MemberId {
    MemberId::from_str("0190aaaa-0000-7000-8000-000000000003").unwrap()
}

fn name(text: &str) -> MemberName {
    MemberName::parse(text).unwrap()
}

fn now() -> Instant {
    Instant::from_micros(1_790_000_000_000_000)
}

fn later(seconds: i64) -> Instant {
    now().plus_seconds(seconds)
}

/// Ana owns it, Ben is an editor, Mila a viewer.
fn given() -> Household {
    let mut household = Household::default();
    household.take(&HouseholdCreated { name: HouseholdName::parse("The Lindens").unwrap() }.into());
    for (member_id, called, role) in
        [(ana(), "Ana", Role::Owner), (ben(), "Ben", Role::Editor), (mila(), "Mila", Role::Viewer)]
    {
        household.take(&MemberJoined { member_id, name: name(called), role }.into());
    }
    household
}

/// What an owner's wish comes to at a moment; the event is applied.
#[track_caller]
fn when_at(household: &mut Household, wish: Wish, by: By, at: Instant) -> Result<Option<Payload>, String> {
    let decided = membership::decide(household, &wish, by, at, GRACE).map_err(|refusal| refusal.0)?;
    if let Some(payload) = &decided {
        household.take(payload);
    }
    Ok(decided)
}

fn when(household: &mut Household, wish: Wish) -> Result<Option<Payload>, String> {
    when_at(household, wish, By::Member, now())
}

fn kind(decided: Result<Option<Payload>, String>) -> &'static str {
    decided.unwrap().unwrap().kind()
}

#[test]
fn every_wish_is_an_event_and_the_same_again_is_none() {
    let mut home = given();
    let wishes = [
        (Wish::Rename { name: HouseholdName::parse("The Elms").unwrap() }, "household_renamed"),
        (Wish::RenameMember { member: ben(), name: name("Benjamin") }, "member_renamed"),
        (Wish::ChangeRole { member: mila(), role: Role::Editor }, "member_role_changed"),
        (Wish::Disable { member: ben() }, "member_disabled"),
        (Wish::Enable { member: ben() }, "member_enabled"),
        (Wish::Remove { member: mila() }, "member_removed"),
        (Wish::Reinstate { member: mila() }, "member_reinstated"),
    ];
    for (wish, expected) in wishes {
        assert_eq!(kind(when(&mut home, wish.clone())), expected);
        assert_eq!(when(&mut home, wish), Ok(None), "{expected} again");
    }
    assert_eq!(home.name, "The Elms");
    assert_eq!(home.member(ben()).unwrap().name, "Benjamin");
    assert_eq!(home.member(mila()).unwrap().role, Role::Editor);
}

#[test]
fn there_is_always_an_owner_who_can_sign_in() {
    for wish in [
        Wish::ChangeRole { member: ana(), role: Role::Editor },
        Wish::ChangeRole { member: ana(), role: Role::Viewer },
        Wish::Disable { member: ana() },
        Wish::Remove { member: ana() },
    ] {
        for by in [By::Member, By::Operator] {
            let refused = when_at(&mut given(), wish.clone(), by, now()).unwrap_err();
            assert!(refused.starts_with("Ana is the only owner of The Lindens"), "{refused}");
        }
        // With a second owner it goes, and then that one is the only one.
        let mut home = given();
        when(&mut home, Wish::ChangeRole { member: ben(), role: Role::Owner }).unwrap();
        when(&mut home, wish.clone()).unwrap().unwrap();
        let refused = when(&mut home, Wish::Remove { member: ben() }).unwrap_err();
        assert!(refused.starts_with("Ben is the only owner"), "{wish:?}: {refused}");
    }
}

#[test]
fn an_owner_who_is_disabled_or_leaving_does_not_count() {
    for wish in [Wish::Disable { member: ben() }, Wish::Remove { member: ben() }] {
        let mut home = given();
        when(&mut home, Wish::ChangeRole { member: ben(), role: Role::Owner }).unwrap();
        when(&mut home, wish).unwrap().unwrap();
        assert!(when(&mut home, Wish::Remove { member: ana() }).unwrap_err().starts_with("Ana is the only owner"));
    }
}

#[test]
fn a_removal_holds_after_its_grace_period_whatever_the_settings_say_by_then() {
    let mut home = given();
    when(&mut home, Wish::Remove { member: ben() }).unwrap().unwrap();
    let end = later(GRACE);
    let ben_at = |home: &Household, at| home.member(ben()).unwrap().standing(at);
    assert_eq!(ben_at(&home, now()), Standing::Leaving(end));
    assert_eq!(ben_at(&home, later(GRACE - 1)), Standing::Leaving(end));
    assert_eq!(ben_at(&home, end), Standing::Removed(end));
    // Removing again does not move it.
    assert_eq!(when_at(&mut home, Wish::Remove { member: ben() }, By::Member, later(86_400)), Ok(None));
    assert_eq!(ben_at(&home, end), Standing::Removed(end));
}

#[test]
fn who_is_leaving_is_changed_only_after_the_removal_is_taken_back() {
    let mut home = given();
    when(&mut home, Wish::Remove { member: ben() }).unwrap().unwrap();
    for wish in [
        Wish::ChangeRole { member: ben(), role: Role::Owner },
        Wish::RenameMember { member: ben(), name: name("Benjamin") },
    ] {
        let refused = when_at(&mut home, wish, By::Operator, now()).unwrap_err();
        assert_eq!(refused, "Ben is leaving this household. Take the removal back first.");
    }
    // Who renames themself cannot take it back themself.
    let refused = when(&mut home, Wish::RenameMember { member: ben(), name: name("Benjamin") }).unwrap_err();
    assert_eq!(refused, membership::LEAVING);
    // They can be kept out at once, and let in again until the end.
    assert_eq!(kind(when(&mut home, Wish::Disable { member: ben() })), "member_disabled");
    assert_eq!(home.member(ben()).unwrap().standing(now()), Standing::Disabled);
    assert_eq!(kind(when(&mut home, Wish::Enable { member: ben() })), "member_enabled");
    assert_eq!(kind(when(&mut home, Wish::Reinstate { member: ben() })), "member_reinstated");
    assert_eq!(home.member(ben()).unwrap().standing(later(2 * GRACE)), Standing::Here);
}

#[test]
fn nobody_changes_a_removed_member_but_whoever_runs_it_brings_them_back() {
    let mut home = given();
    when(&mut home, Wish::Remove { member: ben() }).unwrap().unwrap();
    let gone = later(GRACE);
    for wish in [
        Wish::ChangeRole { member: ben(), role: Role::Owner },
        Wish::RenameMember { member: ben(), name: name("Benjamin") },
        Wish::Disable { member: ben() },
        Wish::Enable { member: ben() },
        Wish::Remove { member: ben() },
        Wish::Reinstate { member: ben() },
    ] {
        let refused = when_at(&mut home, wish.clone(), By::Member, gone).unwrap_err();
        assert!(refused.starts_with("Ben is no longer a member of this household. Only whoever runs"), "{refused}");
        if !matches!(wish, Wish::Reinstate { .. }) {
            when_at(&mut home, wish, By::Operator, gone).unwrap_err();
        }
    }
    assert_eq!(kind(when_at(&mut home, Wish::Reinstate { member: ben() }, By::Operator, gone)), "member_reinstated");
    assert_eq!(home.member(ben()).unwrap().standing(gone), Standing::Here);
}

#[test]
fn a_name_belongs_to_one_member_for_ever() {
    let mut home = given();
    when(&mut home, Wish::Remove { member: mila() }).unwrap().unwrap();
    for taken in ["Mila", "MILA", "ana"] {
        let refused = when(&mut home, Wish::RenameMember { member: ben(), name: name(taken) }).unwrap_err();
        assert!(refused.contains("is called") && refused.contains("already"), "{refused}");
        membership::join(&home, MemberId::new(), name(taken), Role::Viewer).unwrap_err();
    }
    // In another spelling it is still one's own.
    assert_eq!(kind(when(&mut home, Wish::RenameMember { member: ben(), name: name("BEN") })), "member_renamed");
    membership::join(&home, MemberId::new(), name("Rosa"), Role::Viewer).unwrap();
}

/// Whatever is wished, by whomever, whenever: somebody owns it who can sign in, and the same again changes nothing.
#[test]
fn no_sequence_of_wishes_loses_the_household() {
    let mut dice = crate::support::Dice::new("household");
    for _ in 0..200 {
        let (mut home, mut at) = (given(), now());
        for _ in 0..60 {
            at = at.plus_seconds(i64::try_from(dice.below(5 * 86_400)).unwrap());
            let member = [ana(), ben(), mila()][dice.below(3) as usize];
            let wish = match dice.below(6) {
                0 => Wish::Disable { member },
                1 => Wish::Enable { member },
                2 => Wish::Remove { member },
                3 => Wish::Reinstate { member },
                _ => {
                    let role = [Role::Owner, Role::Editor, Role::Viewer][dice.below(3) as usize];
                    Wish::ChangeRole { member, role }
                }
            };
            let by = if dice.below(2) == 0 { By::Member } else { By::Operator };
            let before = home.clone();
            match when_at(&mut home, wish.clone(), by, at) {
                Ok(Some(_)) => assert_ne!(home, before, "{wish:?} did something"),
                _ => assert_eq!(home, before, "{wish:?} did nothing"),
            }
            assert!(home.has_acting_owner(), "after {wish:?} by {by:?}");
            assert!(!matches!(when_at(&mut home, wish, by, at), Ok(Some(_))), "the same again is no event");
        }
    }
}

#[test]
fn a_stranger_is_no_member() {
    let mut home = given();
    when(&mut home, Wish::Disable { member: MemberId::new() }).unwrap_err();
}
