//! When values hold: the table of the design, row by row, then the corners.

use lifeops::domain::event::{RecordDeleted, RecordShared, RecordUnshared, RecordUpdated};
use lifeops::domain::fold::{Marks, as_it_was, fold, holding};
use lifeops::domain::record;
use lifeops::domain::text::{Category, Tag};

use super::{Told, created, on};

fn plate(record: Option<record::Record>) -> String {
    record.and_then(|r| r.value("field:plate").map(|v| v.value.clone())).unwrap_or_else(|| "–".to_owned())
}

#[track_caller]
fn expect(told: &Told, today: &str, in_2012: &str, in_2021: &str) {
    assert_eq!(plate(fold(&told.facts)), today, "today");
    assert_eq!(plate(as_it_was(&told.facts, on("2012"))), in_2012, "as it was 2012");
    assert_eq!(plate(as_it_was(&told.facts, on("2021"))), in_2021, "as it was 2021");
}

#[test]
fn changed() {
    let mut told = Told::new();
    told.changed("2010", "A");
    told.changed("2020", "B");
    expect(&told, "B", "A", "B");
}

#[test]
fn changed_then_corrected() {
    let mut told = Told::new();
    told.changed("2010", "A");
    let b = told.changed("2020", "B");
    told.wrong(b, "C");
    expect(&told, "C", "A", "C");
}

#[test]
fn told_late() {
    let mut told = Told::new();
    told.changed("2020", "B");
    told.changed("2015", "A");
    expect(&told, "B", "–", "B");
}

#[test]
fn the_first_value_was_wrong() {
    let mut told = Told::new();
    let a = told.changed("2010", "A");
    told.wrong(a, "D");
    expect(&told, "D", "D", "D");
}

#[test]
fn retracted() {
    let mut told = Told::new();
    told.changed("2010", "A");
    let b = told.changed("2020", "B");
    told.retract(b);
    expect(&told, "A", "A", "A");
}

#[test]
fn cleared() {
    let mut told = Told::new();
    told.changed("2010", "A");
    told.changed("2020", "B");
    told.cleared("2022");
    expect(&told, "–", "A", "B");
}

#[test]
fn finer_and_later_wins() {
    let mut told = Told::new();
    told.changed("2020", "A");
    told.changed("2020-05-03", "B");
    expect(&told, "B", "–", "B");
}

#[test]
fn the_retraction_is_retracted() {
    let mut told = Told::new();
    told.changed("2010", "A");
    let b = told.changed("2020", "B");
    let undo = told.retract(b);
    told.retract(undo);
    expect(&told, "B", "A", "B");
}

#[test]
fn of_one_lower_bound_the_finer_wins_whichever_was_told_first() {
    for (first, second) in [(("2020", "A"), ("2020-01-01", "B")), (("2020-01-01", "B"), ("2020", "A"))] {
        let mut told = Told::new();
        told.changed(first.0, first.1);
        told.changed(second.0, second.1);
        assert_eq!(plate(fold(&told.facts)), "B");
    }
}

#[test]
fn of_one_date_the_last_told_wins() {
    let mut told = Told::new();
    told.changed("2020", "A");
    told.changed("2020", "B");
    assert_eq!(plate(fold(&told.facts)), "B");
}

#[test]
fn a_correction_of_what_is_retracted_changes_nothing() {
    let mut told = Told::new();
    told.changed("2010", "A");
    let b = told.changed("2020", "B");
    told.wrong(b, "C");
    told.retract(b);
    expect(&told, "A", "A", "A");
}

#[test]
fn a_correction_can_be_retracted() {
    let mut told = Told::new();
    let a = told.changed("2010", "A");
    let wrong = told.wrong(a, "D");
    told.retract(wrong);
    expect(&told, "A", "A", "A");
}

#[test]
fn a_correction_of_a_correction_names_the_same_event() {
    let mut told = Told::new();
    let a = told.changed("2010", "A");
    told.wrong(a, "D");
    told.wrong(a, "E");
    expect(&told, "E", "E", "E");
}

#[test]
fn what_was_told_late_is_a_change_that_does_not_hold() {
    let mut told = Told::new();
    told.changed("2020", "B");
    let mut state = fold(&told.facts).unwrap();
    told.changed("2015", "A");
    let changes = state.apply(told.facts.last().unwrap());
    assert_eq!(changes.len(), 1);
    assert!(!changes[0].in_force);
    assert_eq!(changes[0].old.as_ref().unwrap().value, "B");
    assert_eq!(state.held("field:plate").unwrap().touched, 2, "nobody’s form is stale because of it");
}

#[test]
fn a_retraction_makes_forms_stale_that_show_what_it_took_away() {
    let mut told = Told::new();
    told.changed("2010", "A");
    let b = told.changed("2020", "B");
    told.retract(b);
    let state = fold(&told.facts).unwrap();
    assert_eq!(state.held("field:plate").unwrap().touched, 4);
    assert_eq!(state.held("title").unwrap().touched, 1);
    assert_eq!(state.version, 4);
}

#[test]
fn tags_visibility_and_deletion_follow_the_ledger_and_come_back_with_undo() {
    let mut told = Told::new();
    let tag = |name: &str| Tag::parse(name).unwrap();
    told.tell("2020", RecordUpdated { tags_added: vec![tag("Winter"), tag("car")], ..RecordUpdated::nothing() });
    let off = told.tell("2010", RecordUpdated { tags_removed: vec![tag("WINTER")], ..RecordUpdated::nothing() });
    let names = |told: &Told| fold(&told.facts).unwrap().tags.iter().map(|t| t.to_string()).collect::<Vec<_>>();
    assert_eq!(names(&told), ["car"]);
    told.retract(off);
    assert_eq!(names(&told), ["car", "Winter"]);
    let unshared = told.tell("2021", RecordUnshared {});
    assert_eq!(fold(&told.facts).unwrap().visibility.as_str(), "private");
    told.retract(unshared);
    assert_eq!(fold(&told.facts).unwrap().visibility.as_str(), "household");
    told.tell("2021", RecordShared {});
    let deleted = told.tell("2022", RecordDeleted { reason: None });
    assert!(fold(&told.facts).unwrap().deleted.is_some());
    told.retract(deleted);
    assert!(fold(&told.facts).unwrap().deleted.is_none());
}

#[test]
fn the_latest_word_wins_through_any_number_of_retractions() {
    let mut told = Told::new();
    told.changed("2010", "A");
    let mut last = told.changed("2020", "B");
    for n in 1..=6 {
        last = told.retract(last);
        assert_eq!(plate(fold(&told.facts)), if n % 2 == 1 { "A" } else { "B" }, "after {n} retractions");
    }
    let holds = holding(&told.facts);
    assert!(holds[2] && *holds.last().unwrap());
    let marks = lifeops::domain::fold::marks(&told.facts);
    assert_eq!(marks[2], Marks::default());
    assert_eq!(marks[7].retracted_by, Some(told.facts[8].position));
}

#[test]
fn a_record_was_not_there_before_it_began() {
    let mut told = Told { facts: Vec::new() };
    let mut begun = created("Flat");
    begun.category = Some(Category::parse("Lease").unwrap());
    told.tell("2019-05", begun);
    assert!(as_it_was(&told.facts, on("2019-04-30")).is_none());
    assert_eq!(as_it_was(&told.facts, on("2019-05-01")).unwrap().category(), Some("Lease"));
    // Unless something was told about that time.
    told.changed("2005", "A");
    let before = as_it_was(&told.facts, on("2006")).unwrap();
    assert_eq!((before.title(), before.category(), plate(Some(before.clone())).as_str()), ("Flat", None, "A"));
    assert!(as_it_was(&told.facts, on("2004")).is_none());
}
