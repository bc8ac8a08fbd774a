//! Who keeps a record: handed over, and handed over again; given, when, then.

use lifeops::domain::access::Visibility;
use lifeops::domain::event::{RecordHandedOver, RecordUnshared};
use lifeops::domain::fold::{as_it_was, fold, fold_again};
use lifeops::domain::household::names;
use lifeops::domain::ids::MemberId;
use lifeops::domain::person::Called;
use lifeops::domain::verbs;

use super::{Told, ana, on};

fn member(n: u128) -> MemberId {
    MemberId(uuid::Uuid::from_u128(0x0190_aaaa_0000_7000_8000_0000_0000_0000 + n))
}

#[test]
fn who_begins_a_record_keeps_it_until_it_is_handed_over() {
    let (ben, mila) = (member(2), member(3));
    let mut told = Told::new();
    assert_eq!(fold(&told.facts).unwrap().owner, Some(ana()));
    told.tell("2026-11-22", RecordHandedOver { to: ben });
    assert_eq!(fold(&told.facts).unwrap().owner, Some(ben));
    let on_to_mila = told.tell("2026-11-23", RecordHandedOver { to: mila });
    let state = fold(&told.facts).unwrap();
    assert_eq!((state.owner, state.version), (Some(mila), 3));

    // Undone, it goes back to whoever kept it before, and not further.
    told.retract(on_to_mila);
    let (back, changes) = fold_again(&state, &told.facts).unwrap();
    assert_eq!(back.owner, Some(ben));
    assert!(changes.is_empty(), "nobody's form is stale because of who keeps it: {changes:?}");
    let undoing = told.facts.last().unwrap().event;
    told.retract(undoing);
    assert_eq!(fold(&told.facts).unwrap().owner, Some(mila), "the latest word wins");
}

#[test]
fn it_is_handed_to_somebody_else_only() {
    let told = Told::new();
    let state = fold(&told.facts).unwrap();
    assert!(verbs::hand_over(&state, ana()).is_err());
    assert!(verbs::hand_over(&state, member(2)).is_ok());
}

#[test]
fn a_record_as_it_was_is_as_it_was_kept() {
    let mut told = Told::new();
    told.tell("2020-05-03", RecordHandedOver { to: member(2) });
    told.tell("2021-05-03", RecordUnshared {});
    let past = as_it_was(&told.facts, on("2019")).unwrap();
    assert_eq!((past.owner, past.visibility), (Some(ana()), Visibility::Household));
    assert_eq!(as_it_was(&told.facts, on("2020")).unwrap().owner, Some(member(2)));
}

#[test]
fn a_name_is_said_with_todays_only_where_it_changed() {
    assert_eq!(Called::new("Ana", "Ana").to_string(), "Ana");
    assert_eq!(Called::new("Ana", "Annika").to_string(), "Ana (now Annika)");
}

#[test]
fn every_name_begins_where_it_was_taken() {
    use lifeops::domain::access::Role;
    use lifeops::domain::event::{MemberJoined, MemberRenamed};
    use lifeops::domain::text::MemberName;
    let name = |name: &str| MemberName::parse(name).unwrap();
    let mut told = Told { facts: Vec::new() };
    told.tell("2020", MemberJoined { member_id: ana(), name: name("Ana"), role: Role::Owner });
    told.tell("2020", MemberJoined { member_id: member(2), name: name("Ben"), role: Role::Editor });
    told.tell("2021", MemberRenamed { member_id: ana(), name: name("Annika") });
    let all: Vec<_> = names(&told.facts).into_iter().map(|named| (named.member, named.position, named.name)).collect();
    assert_eq!(all, [(ana(), 3, "Ana".to_owned()), (member(2), 6, "Ben".to_owned()), (ana(), 9, "Annika".to_owned())]);
}
