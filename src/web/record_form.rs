//! The form of a record: as it is shown, as it was typed, and as it is understood.

use std::str::FromStr;

use jiff::civil::DateTime;

use crate::domain::Refusal;
use crate::domain::access::Visibility;
use crate::domain::field::{Field, FieldType, FieldValue};
use crate::domain::ids::SubmissionKey;
use crate::domain::money::Currency;
use crate::domain::record::{CATEGORY, DESCRIPTION, Record, TITLE, field_key};
use crate::domain::text::{Category, Description, FieldName, Tag, Title, parse_tags};
use crate::domain::verbs::{Base, Meaning};
use crate::domain::when::Occurred;

use super::files_in::FilesView;
use super::forms::{Errors, RawForm, Typed};

/// The kinds of fact that the form offers.
pub const TYPES: [(&str, &str); 5] =
    [("text", "Words"), ("number", "Number"), ("date", "Date"), ("money", "Money"), ("link", "Link")];

/// Rows beyond this are not shown again; a record has at most 100 facts.
const MOST_ROWS: usize = 150;

/// The form as it is shown.
#[derive(Clone, Debug, Default)]
pub struct FormView {
    /// The idempotency key.
    pub submission: SubmissionKey,
    /// The record's version when the form was opened; none for a new record.
    pub version: Option<i64>,
    /// What it is.
    pub title: String,
    /// Its category.
    pub category: String,
    /// Its description.
    pub description: String,
    /// Its facts.
    pub facts: Vec<FactRow>,
    /// Its tags, with commas between.
    pub tags: String,
    /// What the tag field suggests: the tags typed so far and one more.
    pub tag_options: Vec<String>,
    /// When it began, or since when a change holds: the date.
    pub occurred: String,
    /// The same: the time.
    pub time: String,
    /// The question about the date.
    pub when_label: &'static str,
    /// Its hint.
    pub when_hint: &'static str,
    /// Whether only its keeper is to see it.
    pub private: bool,
    /// `changed`, `wrong`, or nothing chosen yet.
    pub meaning: String,
    /// Its first files; only of a new record.
    pub files: FilesView,
    /// The button.
    pub submit: &'static str,
}

/// A row for one custom field.
#[derive(Clone, Debug, Default)]
pub struct FactRow {
    /// Its number, from 1.
    pub n: usize,
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: String,
    /// Its value.
    pub value: String,
    /// Whether its name gets focus.
    pub focus: bool,
    /// The id of the name's control.
    pub name_id: String,
    /// The id of the value's control.
    pub value_id: String,
}

/// The form as it is understood.
#[derive(Clone, Debug)]
pub struct Understood {
    /// What it is called.
    pub title: Title,
    /// Its category.
    pub category: Option<Category>,
    /// Its description.
    pub description: Option<Description>,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// Its facts.
    pub fields: Vec<Field>,
    /// Who sees it (a new record).
    pub visibility: Visibility,
    /// When it began, or since when a change holds; today if nothing was typed.
    pub occurred: Occurred,
    /// What changed values mean, if that was said.
    pub meaning: Option<Meaning>,
}

impl FormView {
    /// An empty form.
    pub fn empty() -> Self {
        let rows = [("", "text", ""), ("", "text", "")].map(|(name, ty, value)| row(name, ty, value));
        Self { facts: rows.into(), ..Self::for_new() }.numbered()
    }

    /// The form of a record as it stands.
    pub fn of(state: &Record) -> Self {
        let mut facts: Vec<FactRow> =
            state.fields().map(|(held, value)| row(&held.label, value.ty.as_str(), &value.entry())).collect();
        facts.push(row("", "text", ""));
        Self {
            version: Some(state.version),
            title: state.title().to_owned(),
            category: state.category().unwrap_or_default().to_owned(),
            description: state.description().unwrap_or_default().to_owned(),
            tags: state.tags.iter().map(Tag::as_str).collect::<Vec<_>>().join(", "),
            facts,
            ..Self::for_edit()
        }
        .numbered()
    }

    /// The form as it was typed, to be shown again.
    pub fn typed(form: &RawForm, version: Option<i64>) -> Self {
        let columns = ["field_name", "field_type", "field_value"];
        let [names, types, values] = columns.map(|name| form.all(name).collect::<Vec<_>>());
        let at = |column: &[&Typed], row: usize| column.get(row).map(|typed| typed.text.clone()).unwrap_or_default();
        let facts = (0..names.len().max(values.len()).min(MOST_ROWS))
            .map(|n| FactRow { name: at(&names, n), ty: at(&types, n), value: at(&values, n), ..FactRow::default() })
            .collect();
        let base = if version.is_some() { Self::for_edit() } else { Self::for_new() };
        Self {
            submission: form.submission().unwrap_or_default(),
            version,
            title: form.text("title"),
            category: form.text("category"),
            description: form.text("description"),
            facts,
            tags: form.text("tags"),
            occurred: form.text("occurred"),
            time: form.text("occurred_time"),
            private: form.text("visibility") == "private",
            meaning: form.text("meaning"),
            ..base
        }
        .numbered()
    }

    /// Adds an empty row, or takes one away, if one of those buttons was pressed. True if it was.
    pub fn rearrange(&mut self, action: &str) -> bool {
        if action == "add-fact" {
            self.facts.push(FactRow { focus: true, ..row("", "text", "") });
        } else if let Some(n) = action.strip_prefix("remove-fact-") {
            let gone = n.parse::<usize>().ok().and_then(|n| n.checked_sub(1)).filter(|n| *n < self.facts.len());
            if let Some(gone) = gone {
                self.facts.remove(gone);
                let next = gone.min(self.facts.len().saturating_sub(1));
                if let Some(next) = self.facts.get_mut(next) {
                    next.focus = true;
                }
            }
        } else {
            return false;
        }
        let rearranged = std::mem::take(self);
        *self = rearranged.numbered();
        true
    }

    /// Suggests the household's tags, each after those that stand there already.
    pub fn suggest_tags(&mut self, known: &[String]) {
        // Each suggestion repeats what was typed.
        if self.tags.len() > 2_000 {
            return;
        }
        let typed = self.tags.trim().trim_end_matches(',').trim();
        let has = |tag: &str| typed.split(',').any(|part| part.trim().eq_ignore_ascii_case(tag));
        self.tag_options = known
            .iter()
            .filter(|tag| !has(tag))
            .take(30)
            .map(|tag| if typed.is_empty() { tag.clone() } else { format!("{typed}, {tag}") })
            .collect();
    }

    fn for_new() -> Self {
        Self {
            submit: "Begin the record",
            when_label: "When it began (optional)",
            when_hint: "For example 27 3 2019, or March 2019, or 2016. Left empty, it begins today",
            ..Self::default()
        }
    }

    fn for_edit() -> Self {
        Self {
            submit: "Save",
            when_label: "Since when (if it changed)",
            when_hint: "For example 27 3 2019, or March 2019, or 2016. Left empty, since today",
            ..Self::default()
        }
    }

    fn numbered(mut self) -> Self {
        for (at, row) in self.facts.iter_mut().enumerate() {
            row.n = at + 1;
            row.name_id = format!("fact-{}", row.n);
            row.value_id = format!("value-{}", row.n);
        }
        self
    }
}

fn row(name: &str, ty: &str, value: &str) -> FactRow {
    FactRow { name: name.to_owned(), ty: ty.to_owned(), value: value.to_owned(), ..FactRow::default() }
}

/// Reads the form; what is wrong goes to `errors`, in the order of the page. None if anything is.
pub fn understand(form: &RawForm, now: DateTime, errors: &mut Errors) -> Option<Understood> {
    let is_new = !form.has("version");
    if form.get("title").is_blank() {
        errors.add("title", "Enter a name for it");
    }
    let title = errors.take("title", form.get("title").parse(Title::parse));
    let category = errors.take("category", form.get("category").parse_some(Category::parse));
    let began = if is_new { occurred(form, now, errors) } else { None };
    let description = errors.take("description", form.get("description").parse_some(Description::parse));
    let fields = fields(form, now, errors);
    let tags = errors.take("tags", form.get("tags").parse(parse_tags));
    let visibility = if is_new {
        errors.take("v-h", form.get("visibility").parse(Visibility::from_str))
    } else {
        Some(Visibility::Private)
    };
    let meaning = match form.text("meaning").as_str() {
        "changed" => Some(Meaning::Changed),
        "wrong" => Some(Meaning::Wrong),
        _ => None,
    };
    let occurred = match (began, meaning) {
        (Some(began), _) => Some(began),
        (None, _) if is_new => None,
        // "It was wrong" takes over the date of what it corrects.
        (None, Some(Meaning::Wrong)) if form.get("occurred").is_blank() && form.get("occurred_time").is_blank() => {
            Some(Occurred::day(now.date()))
        }
        (None, Some(Meaning::Wrong)) => {
            errors.add("occurred", "A date goes with “It changed”. Empty it, or choose that.");
            None
        }
        (None, _) => occurred(form, now, errors),
    };
    Some(Understood {
        title: title?,
        category: category?,
        description: description?,
        tags: tags?,
        fields: fields?,
        visibility: visibility?,
        occurred: occurred?,
        meaning,
    })
}

/// Reads date and time; today if both are empty.
pub fn occurred(form: &RawForm, now: DateTime, errors: &mut Errors) -> Option<Occurred> {
    occurred_at(form, now, errors, "occurred", "time")
}

/// Reads date and time for controls with these ids; today if both are empty.
pub fn occurred_at(
    form: &RawForm,
    now: DateTime,
    errors: &mut Errors,
    date_id: &str,
    time_id: &str,
) -> Option<Occurred> {
    let (date, time) = (form.get("occurred"), form.get("occurred_time"));
    if date.is_blank() && time.is_blank() {
        return Some(Occurred::day(now.date()));
    }
    let day = errors.take(date_id, date.parse(|date| Occurred::parse_entry(date, "", now)))?;
    if time.is_blank() {
        return Some(day);
    }
    errors.take(time_id, time.parse(|time| Occurred::parse_entry(&date.text, time, now)))
}

fn fields(form: &RawForm, now: DateTime, errors: &mut Errors) -> Option<Vec<Field>> {
    let columns = ["field_name", "field_type", "field_value"];
    let [names, types, values] = columns.map(|name| form.all(name).collect::<Vec<_>>());
    let mut fields: Vec<Field> = Vec::new();
    let before = errors.list().len();
    let nothing = Typed::default();
    for at in 0..names.len().max(values.len()) {
        let cell = |column: &Vec<&'_ Typed>| column.get(at).copied().unwrap_or(&nothing).clone();
        let (name, value) = (cell(&names), cell(&values));
        if name.is_blank() && value.is_blank() {
            continue;
        }
        let [name_id, value_id] = ["fact", "value"].map(|id| format!("{id}-{}", at + 1));
        let name = errors.take(&name_id, name.parse(FieldName::parse));
        let twice = name.as_ref().is_some_and(|name| fields.iter().any(|f| f.name.folded() == name.folded()));
        if let Some(name) = name.as_ref().filter(|_| twice) {
            errors.add(&name_id, format!("Two facts are called “{name}”. Give each its own name"));
        }
        let value = read_value(&cell(&types), &value, now, errors, &value_id);
        if let (Some(name), Some(value)) = (name, value) {
            fields.push(Field { name, value });
        }
    }
    (errors.list().len() == before).then_some(fields)
}

fn read_value(ty: &Typed, value: &Typed, now: DateTime, errors: &mut Errors, value_id: &str) -> Option<FieldValue> {
    let ty = errors.take(value_id, ty.parse(FieldType::from_str))?;
    if value.is_blank() {
        errors.add(value_id, "Enter a value, or remove this fact");
        return None;
    }
    errors.take(value_id, value.parse(|text| FieldValue::parse(ty, text, now)))
}

/// Reads a currency's code as people type it.
pub fn read_currency(typed: &str) -> Result<Currency, Refusal> {
    Currency::parse(&typed.trim().to_uppercase())
}

/// Whether the form gives a field that had a value another one, or takes it away: only then does it matter whether the
/// value changed or was wrong. What counts is what the form's person saw: `seen` has the fields that somebody touched
/// since, as they were.
pub fn replaces_a_value(state: &Record, seen: &Base, form: &Understood) -> bool {
    let saw = |key: &str| match seen.fields.iter().find(|(known, _)| known == key) {
        Some((_, value)) => value.clone(),
        None => state.value(key).cloned(),
    };
    let word = |key: &str| saw(key).map(|value| value.value);
    let differs = |old: Option<String>, new: Option<&str>| old.is_some() && old.as_deref() != new;
    let mut keys: Vec<String> = state.fields().map(|(held, _)| held.key.clone()).collect();
    keys.extend(seen.fields.iter().map(|(key, _)| key.clone()).filter(|key| key.starts_with("field:")));
    differs(word(TITLE), Some(form.title.as_str()))
        || differs(word(CATEGORY), form.category.as_ref().map(Category::as_str))
        || differs(word(DESCRIPTION), form.description.as_ref().map(Description::as_str))
        || keys.iter().any(|key| {
            let new = form.fields.iter().find(|field| field_key(&field.name) == *key);
            saw(key).is_some_and(|old| new.is_none_or(|field| field.value != old))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime {
        jiff::civil::date(2026, 11, 22).at(10, 0, 0, 0)
    }

    #[test]
    fn rows_are_added_and_removed_and_everything_typed_is_kept() {
        let form = RawForm::read(
            b"title=Car&field_name=A&field_type=text&field_value=1&field_name=B&field_type=money&field_value=2+CHF",
        );
        let mut view = FormView::typed(&form, None);
        assert!(view.rearrange("remove-fact-1"));
        assert_eq!((view.facts.len(), view.facts[0].name.as_str(), view.facts[0].n), (1, "B", 1));
        assert!(view.rearrange("add-fact"));
        assert!(view.facts[1].focus);
        assert!(!view.rearrange(""));
        assert!(view.rearrange("remove-fact-99"));
        assert_eq!((view.facts.len(), view.title.as_str()), (2, "Car"));
    }

    #[test]
    fn what_is_wrong_is_said_at_its_control() {
        let form = RawForm::read(
            b"title=&visibility=household&occurred=31+11+2026&field_name=A&field_type=number&field_value=x\
              &field_name=&field_type=text&field_value=y&field_name=C&field_type=money&field_value=3",
        );
        let mut errors = Errors::none();
        assert!(understand(&form, now(), &mut errors).is_none());
        let ids: Vec<&str> = errors.list().iter().map(|error| error.id.as_str()).collect();
        assert_eq!(ids, ["title", "occurred", "value-1", "fact-2", "value-3"]);
    }

    #[test]
    fn a_name_is_enough() {
        let form = RawForm::read(b"title=Car&visibility=private&field_name=&field_type=text&field_value=");
        let mut errors = Errors::none();
        let understood = understand(&form, now(), &mut errors);
        assert!(errors.is_empty());
        assert!(understood.is_some_and(|form| form.occurred == Occurred::day(now().date()) && form.fields.is_empty()));
    }
}
