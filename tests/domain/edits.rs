//! An edit form meets the record: unchanged, changed, wrong, merged, in conflict.

use lifeops::domain::event::{Payload, RecordUpdated};
use lifeops::domain::field::Field;
use lifeops::domain::fold::fold;
use lifeops::domain::record::Record;
use lifeops::domain::text::{Category, Tag, Title};
use lifeops::domain::verbs::{self, Base, Edit, EditRecord, Meaning};

use super::{Told, field, on};

fn form(record: &Record, version: i64) -> EditRecord {
    EditRecord {
        version,
        title: Title::parse(record.title()).unwrap(),
        category: record.category().map(|c| Category::parse(c).unwrap()),
        description: None,
        tags: record.tags.clone(),
        fields: record
            .fields()
            .map(|(held, value)| Field { value: value.clone(), ..field(&held.label, "x") })
            .collect(),
        meaning: Meaning::Changed,
        occurred: on("2026-11-22"),
    }
}

/// What was told after `version`, as the database would give it.
fn base(told: &Told, version: usize) -> Base {
    let mut state = fold(&told.facts[..version]).unwrap();
    let changes: Vec<_> = told.facts[version..].iter().flat_map(|fact| state.apply(fact)).collect();
    Base::before(&changes)
}

#[track_caller]
fn events(edit: Edit) -> Vec<RecordUpdated> {
    match edit {
        Edit::Events(events) => events
            .into_iter()
            .map(|(_, payload)| match payload {
                Payload::RecordUpdated(updated) => updated,
                other => panic!("{other:?}"),
            })
            .collect(),
        Edit::Conflict(fields) => panic!("conflict: {fields:?}"),
    }
}

#[test]
fn an_unchanged_form_appends_nothing() {
    let mut told = Told::new();
    told.changed("2010", "A");
    let state = fold(&told.facts).unwrap();
    let edit = verbs::edit(&state, &Base::default(), &form(&state, 2), on("2026-11-22")).unwrap();
    assert!(events(edit).is_empty());
}

#[test]
fn only_what_changed_is_in_the_event() {
    let mut told = Told::new();
    told.changed("2010", "A");
    let state = fold(&told.facts).unwrap();
    let mut form = form(&state, 2);
    form.category = Some(Category::parse("Car").unwrap());
    form.fields.push(field("Colour", "red"));
    form.tags = vec![Tag::parse("winter").unwrap()];
    let updated = events(verbs::edit(&state, &Base::default(), &form, on("2026-11-22")).unwrap());
    assert_eq!(updated.len(), 1);
    assert_eq!(updated[0].fields_set, [field("Colour", "red")]);
    assert_eq!(updated[0].set.title, None);
    assert_eq!(updated[0].tags_added.len(), 1);
}

#[test]
fn a_field_that_is_missing_in_the_form_is_cleared() {
    let mut told = Told::new();
    told.changed("2010", "A");
    let state = fold(&told.facts).unwrap();
    let mut form = form(&state, 2);
    form.fields.clear();
    let updated = events(verbs::edit(&state, &Base::default(), &form, on("2026-11-22")).unwrap());
    assert_eq!(updated[0].fields_cleared.len(), 1);
}

#[test]
fn wrong_values_name_the_events_that_said_them() {
    let mut told = Told::new();
    let said = told.changed("2010", "A");
    let state = fold(&told.facts).unwrap();
    let mut form = form(&state, 2);
    form.meaning = Meaning::Wrong;
    form.title = Title::parse("Corolla, 2014").unwrap();
    form.fields = vec![field("Plate", "B"), field("Colour", "red")];
    let Edit::Events(events) = verbs::edit(&state, &Base::default(), &form, on("2026-11-22")).unwrap() else {
        panic!("conflict")
    };
    let named: Vec<_> = events
        .iter()
        .map(|(occurred, payload)| match payload {
            Payload::RecordUpdated(updated) => (occurred.to_string(), updated.corrects),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        named,
        [
            ("2026-11-22".to_owned(), Some(told.facts[0].event)),
            ("2026-11-22".to_owned(), Some(said)),
            ("1900".to_owned(), None), // what was missing all along holds from the beginning
        ]
    );
}

#[test]
fn a_stale_form_that_touches_other_fields_merges() {
    let mut told = Told::new();
    told.changed("2010", "A");
    let before = fold(&told.facts).unwrap();
    told.changed("2020", "B");
    let now = fold(&told.facts).unwrap();
    let mut form = form(&before, 2);
    form.title = Title::parse("Corolla, 2014").unwrap();
    let updated = events(verbs::edit(&now, &base(&told, 2), &form, on("2026-11-22")).unwrap());
    assert_eq!(updated.len(), 1);
    assert!(updated[0].fields_set.is_empty(), "the other’s plate stays");
    assert_eq!(updated[0].set.title.as_ref().unwrap().as_str(), "Corolla, 2014");
}

#[test]
fn a_stale_form_that_touches_the_same_field_conflicts_and_keeps_both_words() {
    let mut told = Told::new();
    told.changed("2010", "A");
    let before = fold(&told.facts).unwrap();
    told.changed("2020", "B");
    let now = fold(&told.facts).unwrap();
    let mut form = form(&before, 2);
    form.fields = vec![field("Plate", "C")];
    let Edit::Conflict(fields) = verbs::edit(&now, &base(&told, 2), &form, on("2026-11-22")).unwrap() else {
        panic!("no conflict")
    };
    assert_eq!(fields.len(), 1);
    let words = |value: &Option<lifeops::domain::field::FieldValue>| value.as_ref().unwrap().value.clone();
    assert_eq!(
        (words(&fields[0].was), words(&fields[0].mine), words(&fields[0].theirs)),
        ("A".into(), "C".into(), "B".into())
    );
}

#[test]
fn the_same_change_by_both_is_no_conflict() {
    let mut told = Told::new();
    told.changed("2010", "A");
    let before = fold(&told.facts).unwrap();
    told.changed("2020", "B");
    let now = fold(&told.facts).unwrap();
    let mut form = form(&before, 2);
    form.fields = vec![field("Plate", "B")];
    assert!(events(verbs::edit(&now, &base(&told, 2), &form, on("2026-11-22")).unwrap()).is_empty());
}

#[test]
fn tags_of_both_are_kept() {
    let tag = |name: &str| Tag::parse(name).unwrap();
    let mut told = Told::new();
    told.tell("2020", RecordUpdated { tags_added: vec![tag("a"), tag("b")], ..RecordUpdated::nothing() });
    let before = fold(&told.facts).unwrap();
    told.tell(
        "2020",
        RecordUpdated { tags_added: vec![tag("theirs")], tags_removed: vec![tag("a")], ..RecordUpdated::nothing() },
    );
    let now = fold(&told.facts).unwrap();
    let mut form = form(&before, 2);
    form.tags = vec![tag("a"), tag("mine")];
    let updated = events(verbs::edit(&now, &base(&told, 2), &form, on("2026-11-22")).unwrap());
    assert_eq!(updated[0].tags_added, [tag("mine")], "a was taken off by the other; this form did not put it on");
    assert_eq!(updated[0].tags_removed, [tag("b")]);
}

#[test]
fn two_fields_of_one_name_are_refused() {
    let told = Told::new();
    let state = fold(&told.facts).unwrap();
    let mut form = form(&state, 1);
    form.fields = vec![field("Plate", "A"), field("PLATE", "B")];
    let refusal = verbs::edit(&state, &Base::default(), &form, on("2026-11-22")).unwrap_err();
    assert!(refusal.0.contains("Two facts are called"));
}
