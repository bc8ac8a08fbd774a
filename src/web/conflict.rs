//! Two people changed the same field. Nobody's words are lost: the page (409) shows both, what does not collide is merged
//! already, and what is chosen is saved as an ordinary edit against the version that the page shows.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use crate::app::App;
use crate::domain::conflict::{Conflict, ConflictField};
use crate::domain::field::{Field, FieldValue};
use crate::domain::fold::fold;
use crate::domain::ids::{EventId, SubmissionKey};
use crate::domain::record::{CATEGORY, DESCRIPTION, Record, TITLE, field_key};
use crate::domain::text::{FieldName, Tag};
use crate::error::Error;
use crate::store::streams;
use crate::store::views::RecordView;

use super::error::HtmlError;
use super::forms::{Errors, RawForm};
use super::moments::{self, Moment};
use super::page::{Frame, Tab, Who};
use super::record::crumbs;
use super::record_form::{Understood, understand};
use super::reply::page_with;
use super::session::Member;

/// The question about a record's fields.
///
/// # Errors
/// If the record's stream cannot be read.
pub async fn show_record(
    app: &App,
    me: &Member,
    view: &RecordView,
    form: &RawForm,
    version: i64,
    conflict: &Conflict,
) -> Result<Response, HtmlError> {
    let facts = streams::facts(&app.db, me.actor.household, view.id).await?;
    let until = |version: i64| fold(&facts[..facts.iter().take_while(|fact| fact.version <= version).count()]);
    let (base, now) = (until(version).ok_or(Error::NotFound)?, until(conflict.version).ok_or(Error::NotFound)?);
    let wanted = understand(form, moments::now(app, &me.actor), &mut Errors::none())
        .ok_or_else(|| Error::internal("a form in conflict that cannot be understood"))?;
    let mut kept = vec![pair("submission", SubmissionKey::new()), pair("version", conflict.version)];
    kept.extend(merged(&wanted, &base, &now, conflict));
    for name in ["meaning", "occurred", "occurred_time"] {
        kept.push(pair(name, form.text(name)));
    }
    for (at, field) in conflict.fields.iter().enumerate() {
        kept.extend(theirs(at + 1, field));
    }
    let action = format!("/records/{}/edit", view.id);
    Ok(show(me, view, conflict, kept, action, "Save merged record"))
}

/// The question about a note's wording.
pub fn show_note(me: &Member, view: &RecordView, note: EventId, form: &RawForm, conflict: &Conflict) -> Response {
    let mut kept = vec![pair("submission", SubmissionKey::new()), pair("version", conflict.version)];
    for name in ["text", "occurred", "occurred_time", "amount", "currency", "reading", "unit"] {
        kept.push(pair(name, form.text(name)));
    }
    let action = format!("/records/{}/notes/{note}/edit", view.id);
    show(me, view, conflict, kept, action, "Save this wording")
}

/// Puts what was chosen on the conflict page in its place; any other form is left as it is.
pub fn settled(form: RawForm) -> RawForm {
    if !form.has("keep-1") {
        return form;
    }
    let mut pairs: Vec<(String, String)> =
        form.pairs().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
    for n in 1..=MOST_COLLISIONS {
        let (keep, key) = (format!("keep-{n}"), form.text(&format!("conflict-{n}")));
        if !form.has(&keep) {
            break;
        }
        if form.text(&keep) == "theirs" {
            take_theirs(&mut pairs, &form, n, &key);
        }
    }
    form.with_pairs(pairs)
}

/// More fields than a record can have never collide.
const MOST_COLLISIONS: usize = 110;

/// The longest name of a fact that is worth comparing, in bytes.
const LONGEST_NAME: usize = 400;

fn take_theirs(pairs: &mut Vec<(String, String)>, form: &RawForm, n: usize, key: &str) {
    let theirs = |part: &str| form.text(&format!("theirs-{part}-{n}"));
    if [TITLE, CATEGORY, DESCRIPTION].contains(&key) {
        // The first alone counts, however often a form repeats it.
        if let Some((_, value)) = pairs.iter_mut().find(|(name, _)| name == key) {
            *value = theirs("value");
        }
        return;
    }
    // A fact is three neighbouring pairs that begin with its name.
    let is_it = |(name, value): &(String, String)| {
        name == "field_name"
            && value.len() <= LONGEST_NAME
            && FieldName::parse(value).is_ok_and(|name| field_key(&name) == key)
    };
    if let Some(at) = pairs.iter().position(is_it) {
        pairs.drain(at..(at + 3).min(pairs.len()));
    }
    if !theirs("name").is_empty() {
        for (name, part) in FACT {
            pairs.push((name.to_owned(), theirs(part)));
        }
    }
}

/// The names of a fact's three controls, and of its parts.
const FACT: [(&str, &str); 3] = [("field_name", "name"), ("field_type", "type"), ("field_value", "value")];

/// The form with everything in it that does not collide: what this person changed stays, the rest is as it is now.
fn merged(mine: &Understood, base: &Record, now: &Record, conflict: &Conflict) -> Vec<(String, String)> {
    let collides = |key: &str| conflict.fields.iter().any(|field| field.key == key);
    let pick = |key: &str, mine: Option<&str>, base: Option<&str>, now: Option<&str>| {
        pair(key, if collides(key) || mine != base { mine } else { now }.unwrap_or_default())
    };
    let mut kept = vec![
        pick(TITLE, Some(mine.title.as_str()), Some(base.title()), Some(now.title())),
        pick(CATEGORY, mine.category.as_ref().map(|c| c.as_str()), base.category(), now.category()),
        pick(DESCRIPTION, mine.description.as_ref().map(|d| d.as_str()), base.description(), now.description()),
        pair("tags", merged_tags(&mine.tags, &base.tags, &now.tags)),
    ];
    for Field { name, value } in merged_fields(&mine.fields, base, now, conflict) {
        kept.extend(fact_pairs(name.as_str(), &value).map(|(at, text)| pair(FACT[at].0, text)));
    }
    kept
}

fn merged_fields(mine: &[Field], base: &Record, now: &Record, conflict: &Conflict) -> Vec<Field> {
    let collides = |key: &str| conflict.fields.iter().any(|field| field.key == key);
    let current = |key: &str| {
        let held = now.held(key)?;
        Some(Field { name: FieldName::parse(&held.label).ok()?, value: held.value.clone()? })
    };
    let mut fields: Vec<Field> = Vec::new();
    for field in mine {
        let key = field_key(&field.name);
        let untouched = base.held(&key).is_some_and(|held| held.value.as_ref() == Some(&field.value));
        if untouched && !collides(&key) {
            fields.extend(current(&key));
        } else {
            fields.push(field.clone());
        }
    }
    for (held, _) in now.fields() {
        let known = mine.iter().any(|field| field_key(&field.name) == held.key) || base.value(&held.key).is_some();
        if !known && !collides(&held.key) {
            fields.extend(current(&held.key));
        }
    }
    fields
}

fn merged_tags(mine: &[Tag], base: &[Tag], now: &[Tag]) -> String {
    let has = |tags: &[Tag], tag: &Tag| tags.iter().any(|known| known.folded() == tag.folded());
    let stayed = now.iter().filter(|tag| has(mine, tag) || !has(base, tag));
    let added = mine.iter().filter(|tag| !has(base, tag) && !has(now, tag));
    stayed.chain(added).map(Tag::as_str).collect::<Vec<_>>().join(", ")
}

/// What the other side says, carried along so that choosing it needs nothing else.
fn theirs(n: usize, field: &ConflictField) -> Vec<(String, String)> {
    let mut kept = vec![pair(&format!("conflict-{n}"), &field.key)];
    match &field.theirs {
        Some(value) if field.key.starts_with("field:") => {
            let parts = fact_pairs(&field.label, value);
            kept.extend(parts.map(|(at, text)| pair(&format!("theirs-{}-{n}", FACT[at].1), text)));
        }
        Some(value) => kept.push(pair(&format!("theirs-value-{n}"), &value.value)),
        None => {}
    }
    kept
}

fn fact_pairs(name: &str, value: &FieldValue) -> impl Iterator<Item = (usize, String)> {
    [name.to_owned(), value.ty.as_str().to_owned(), value.entry()].into_iter().enumerate()
}

fn pair(name: &str, value: impl ToString) -> (String, String) {
    (name.to_owned(), value.to_string())
}

fn show(
    me: &Member,
    view: &RecordView,
    conflict: &Conflict,
    kept: Vec<(String, String)>,
    action: String,
    submit: &'static str,
) -> Response {
    let said = |value: &Option<FieldValue>| value.as_ref().map_or_else(|| "nothing".to_owned(), FieldValue::words);
    let name = |field: &ConflictField| match field.by {
        Some(by) if by == me.actor.member => None,
        _ => Some(field.by_name.clone()).filter(|name| !name.is_empty()),
    };
    let rows = conflict
        .fields
        .iter()
        .enumerate()
        .map(|(at, field)| RowView {
            name: format!("keep-{}", at + 1),
            label: field.label.clone(),
            was: field.was.as_ref().map(FieldValue::words),
            mine: said(&field.mine),
            theirs: said(&field.theirs),
            take: name(field).map_or_else(|| "Take what is saved".to_owned(), |name| format!("Take {name}’s")),
        })
        .collect();
    let mut names: Vec<String> = conflict.fields.iter().filter_map(name).collect();
    names.sort();
    names.dedup();
    let (heading, who) = match names.as_slice() {
        [] => ("This record changed in the meantime", "You, in another window or on another device,".to_owned()),
        names => ("Someone else changed this record", super::telling::listed(names.iter().map(String::as_str))),
    };
    let latest = conflict.fields.iter().map(|field| field.at).max().unwrap_or(view.changed_at);
    page_with(
        StatusCode::CONFLICT,
        &ConflictTemplate {
            frame: Frame::member(heading, Tab::Records, Who::of(me)),
            crumbs: crumbs(view, Some((action.clone(), "What differs"))),
            heading,
            own: names.is_empty(),
            who,
            title: conflict.title.clone(),
            at: Moment::recorded(latest, &moments::zone(&me.actor)),
            back: format!("/records/{}", view.id),
            action,
            kept,
            rows,
            submit,
        },
    )
}

#[derive(Debug)]
struct RowView {
    name: String,
    label: String,
    was: Option<String>,
    mine: String,
    theirs: String,
    take: String,
}

#[derive(Template)]
#[template(path = "records/conflict.html")]
struct ConflictTemplate {
    frame: Frame,
    crumbs: Vec<(String, String)>,
    heading: &'static str,
    /// Whether it was the same person who saved something else.
    own: bool,
    who: String,
    title: String,
    at: Moment,
    action: String,
    kept: Vec<(String, String)>,
    rows: Vec<RowView>,
    submit: &'static str,
    back: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_chosen_takes_its_place() {
        let form = RawForm::read(
            b"title=Mine&field_name=Plate&field_type=text&field_value=A&field_name=Rent&field_type=money\
              &field_value=1+EUR&tags=x&conflict-1=title&theirs-value-1=Theirs&keep-1=theirs\
              &conflict-2=field%3Aplate&theirs-name-2=Plate&theirs-type-2=text&theirs-value-2=B&keep-2=theirs\
              &conflict-3=field%3Arent&keep-3=theirs&conflict-4=category&keep-4=mine",
        );
        let settled = settled(form);
        assert_eq!(settled.text("title"), "Theirs");
        let names: Vec<&str> = settled.all("field_name").map(|typed| typed.text.as_str()).collect();
        assert_eq!(names, ["Plate"]);
        assert_eq!(settled.text("field_value"), "B");
        assert_eq!(settled.text("tags"), "x");
    }
}
