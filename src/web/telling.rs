//! How each kind of event is told: heading, icon, what it changed, by whom.

use crate::domain::attachment::{Label, Standing};
use crate::domain::event::{Payload, RecordHandedOver};
use crate::domain::field::FieldValue;
use crate::domain::ids::RecordId;
use crate::domain::money::{Amount, Reading};
use crate::domain::person::Called;
use crate::domain::record::{CATEGORY, DESCRIPTION, FieldChange, NOTE, TITLE, VISIBILITY};
use crate::domain::summary::Summary;
use crate::domain::text::NoteText;
use crate::domain::when::Occurred;
use crate::store::history::HistoryEntry;
use crate::store::people::People;

use super::files::FileView;
use super::markdown;
use super::story::{ChangeView, Ev, LongText, Words};

/// What an undoing undid, where that stands among the same events.
pub(super) fn undoing(entry: &HistoryEntry, among: &[HistoryEntry], people: &People) -> Option<String> {
    let Payload::EventRetracted(retraction) = &entry.payload else { return None };
    let target = among.iter().find(|other| other.event == retraction.event_id)?;
    let quoted = |text: &str| format!("“{}” was undone", NoteText::heading(text));
    Some(match &target.payload {
        Payload::NoteAdded(note) => quoted(note.text.as_str()),
        Payload::NoteCorrected(note) => quoted(note.text.as_str()),
        Payload::RecordUpdated(_) => {
            format!("A change of {} was undone", listed(target.changes.iter().map(|change| change.label.as_str())))
        }
        Payload::AttachmentAdded(added) => format!("The adding of {} was undone", added.file_name),
        Payload::AttachmentChanged(_) => format!("A change of the name or kind of {} was undone", called(target)),
        Payload::AttachmentRemoved(_) => format!("{} was brought back", called(target)),
        Payload::RecordHandedOver(handed) => {
            format!("“{}” was undone", handed_over(handed, target.position, people))
        }
        Payload::EventRetracted(_) => "What had been undone was brought back".to_owned(),
        _ => return None,
    })
}

/// Whether an undoing undid an undoing, where that stands among the same events.
pub(super) fn brings_back(entry: &HistoryEntry, among: &[HistoryEntry]) -> bool {
    let Payload::EventRetracted(retraction) = &entry.payload else { return false };
    let undone = among.iter().find(|other| other.event == retraction.event_id);
    undone.is_some_and(|undone| matches!(undone.payload, Payload::EventRetracted(_)))
}

/// Fills in what the event's kind says; returns what its author did.
pub(super) fn tell(record: RecordId, entry: &HistoryEntry, people: &People, ev: &mut Ev) -> &'static str {
    let mut plain = |mark, icon, heading: &str| {
        (ev.mark, ev.icon) = (mark, icon);
        ev.heading = Words::Plain(heading.to_owned());
    };
    match &entry.payload {
        Payload::RecordCreated(_) => {
            plain("fill", "plus", "The record begins");
            let mut said: Vec<&FieldChange> = entry.changes.iter().filter(|change| !is_long(change)).collect();
            said.sort_by_key(|change| rank(&change.key));
            ev.changes = said.into_iter().map(|change| begun_with(change, entry)).collect();
            ev.texts = entry
                .changes
                .iter()
                .filter(|change| is_long(change))
                .filter_map(|c| long_text(c, "", &c.new, ev.level))
                .collect();
            "Begun"
        }
        Payload::RecordUpdated(updated) => {
            tell_update(entry, ev);
            if updated.corrects.is_some() {
                ev.metas.push("It was wrong all along, so earlier pages show the right value too.".to_owned());
                return "Correction";
            }
            "Change"
        }
        Payload::NoteAdded(note) => {
            tell_note(note.text.as_str(), note.amount, note.reading.as_ref(), ev);
            match (&note.amount, &note.reading) {
                (Some(_), Some(_)) => "Cost and reading",
                (Some(_), None) => "Cost",
                (None, Some(_)) => "Reading",
                (None, None) => "Note",
            }
        }
        Payload::NoteCorrected(note) => {
            tell_note(note.text.as_str(), note.amount, note.reading.as_ref(), ev);
            ev.metas.push("These words take the place of an earlier note, which stays readable here.".to_owned());
            "New wording"
        }
        Payload::AttachmentAdded(added) => {
            let file = FileView::of_event(record, entry, added);
            plain("", file.icon, &format!("{}: {}", Label::noun(added.label), added.file_name));
            ev.files = vec![file];
            match (&entry.instead_of, added.note) {
                (Some(old), _) => {
                    ev.metas.push(format!("It takes the place of {}, which stays readable.", old.file_name));
                    ev.files.push(FileView::of(record, old));
                }
                (None, Some(_)) => ev.metas.push("It belongs to a note.".to_owned()),
                (None, None) => {}
            }
            match entry.file.as_ref().map(|file| file.standing) {
                Some(Standing::Removed) => ev.metas.push("It was removed since.".to_owned()),
                Some(Standing::Superseded) => ev.metas.push("Another file took its place since.".to_owned()),
                _ => {}
            }
            "File"
        }
        Payload::AttachmentChanged(changed) => {
            let words = match (&changed.file_name, changed.label) {
                (Some(name), _) => format!("A file is called {name} from now on"),
                (None, Some(label)) => format!("{}: its kind is “{}” from now on", called(entry), label.words()),
                (None, None) => "A file changed".to_owned(),
            };
            plain("", "change", &words);
            let kind = changed.file_name.as_ref().and(changed.label);
            ev.metas.extend(kind.map(|label| format!("Kind: {}", label.words())));
            ev.files = entry.file.iter().map(|file| FileView::of(record, file)).collect();
            "File changed"
        }
        Payload::AttachmentRemoved(_) => {
            plain("off", "cross", &format!("{} was removed", called(entry)));
            ev.files = entry.file.iter().map(|file| FileView { alone: true, ..FileView::of(record, file) }).collect();
            "File removed"
        }
        Payload::RecordDeleted(deleted) => {
            plain("off", "cross", "Record deleted");
            ev.metas.extend(deleted.reason.as_ref().map(|reason| format!("Reason: “{reason}”")));
            "Deleted"
        }
        Payload::RecordRestored(restored) => {
            plain("", "restore", "Record restored");
            ev.metas.extend(restored.reason.as_ref().map(|reason| format!("Reason: “{reason}”")));
            "Restored"
        }
        Payload::RecordShared(_) => {
            plain("", "people", "Shared with the household");
            "Shared"
        }
        Payload::RecordUnshared(_) => {
            plain("", "lock", "Kept private from now on");
            "Kept private"
        }
        Payload::RecordHandedOver(handed) => {
            plain("", "people", &handed_over(handed, entry.position, people));
            "Handed over"
        }
        Payload::EventRetracted(retracted) => {
            plain("off", "undo", "An earlier entry was undone");
            ev.changes =
                entry.changes.iter().filter(|change| change.key != NOTE).map(|c| change_view(c, entry)).collect();
            ev.metas.extend(retracted.reason.as_ref().map(|reason| format!("Reason: “{reason}”")));
            "Undone"
        }
        // The household's own stream is not told on a record's page.
        _ => {
            plain("", "people", "The household changed");
            "Entered"
        }
    }
}

/// What the file of an event is called today.
fn called(entry: &HistoryEntry) -> String {
    entry.file.as_ref().map_or_else(|| "A file".to_owned(), |file| file.file_name.to_string())
}

fn handed_over(handed: &RecordHandedOver, position: i64, people: &People) -> String {
    match people.called(handed.to, position) {
        Some(to) => format!("Handed over to {to}"),
        None => "Handed over".to_owned(),
    }
}

fn tell_update(entry: &HistoryEntry, ev: &mut Ev) {
    (ev.mark, ev.icon) = ("fill", "change");
    let (long, short): (Vec<&FieldChange>, Vec<&FieldChange>) =
        entry.changes.iter().partition(|change| is_long(change));
    let mut views: Vec<ChangeView> = short.iter().map(|change| change_view(change, entry)).collect();
    ev.heading = match (views.len(), long.len()) {
        (1, 0) => {
            let view = views.remove(0);
            ev.metas.extend(view.since.clone());
            Words::Change(view)
        }
        (0, 0) => Words::Plain("Nothing changed".to_owned()),
        (0, 1) => Words::Plain(format!("{} rewritten", long[0].label)),
        (_, _) => Words::Plain(format!("{} changed", listed(entry.changes.iter().map(|change| change.label.as_str())))),
    };
    ev.changes = views;
    for change in long {
        let versions = [("before", &change.old), ("after", &change.new)];
        ev.texts.extend(versions.into_iter().filter_map(|(when, value)| long_text(change, when, value, ev.level)));
    }
    if !entry.changes.is_empty() && entry.changes.iter().all(|change| !change.in_force) {
        ev.metas.push("Told about an earlier time. What holds today stayed as it was.".to_owned());
    }
}

fn long_text(change: &FieldChange, when: &str, value: &Option<FieldValue>, level: u8) -> Option<LongText> {
    let value = value.as_ref()?;
    let label = format!("{} {when}", change.label).trim_end().to_owned();
    Some(LongText { label, html: markdown::render(&value.value, level) })
}

fn begun_with(change: &FieldChange, entry: &HistoryEntry) -> ChangeView {
    let view = change_view(change, entry);
    if change.key.starts_with("tag:") { ChangeView { label: change.label.clone(), ..view } } else { view }
}

/// The order in which a record's beginning is told.
fn rank(key: &str) -> u8 {
    match key {
        TITLE => 0,
        CATEGORY => 1,
        DESCRIPTION => 2,
        key if key.starts_with("tag:") => 4,
        _ => 3,
    }
}

fn tell_note(text: &str, amount: Option<Amount>, reading: Option<&Reading>, ev: &mut Ev) {
    let (heading, body) = heading_and_body(text);
    ev.body = markdown::render(body, ev.level);
    ev.icon = match (amount.is_some(), reading.is_some()) {
        (true, _) => "receipt",
        (false, true) => "gauge",
        (false, false) => "note",
    };
    ev.amount = figures(amount, reading, &heading);
    ev.heading = Words::Plain(if heading.is_empty() { "A note".to_owned() } else { heading });
}

/// A note's heading, and what it says beyond that.
pub(super) fn heading_and_body(text: &str) -> (String, &str) {
    let heading = NoteText::heading(text);
    let rest = text.trim_start().split_once('\n').map_or("", |(_, rest)| rest).trim();
    let body = if heading.ends_with('…') { text } else { rest };
    (heading, body)
}

/// Cost and reading of a note, unless its heading says just that.
pub(super) fn figures(amount: Option<Amount>, reading: Option<&Reading>, heading: &str) -> Option<String> {
    let figures: Vec<String> = amount.map(Amount::words).into_iter().chain(reading.map(Reading::words)).collect();
    let figures = figures.join(" · ");
    let plain = |text: &str| text.replace('\u{a0}', " ");
    (!figures.is_empty() && plain(&figures) != plain(heading)).then_some(figures)
}

/// Who did something: a member as they were called, or the program itself.
pub(super) fn name(called: Option<&Called>) -> String {
    called.map_or_else(|| "LifeOps".to_owned(), Called::to_string)
}

pub(super) fn by(did: &str, entry: &HistoryEntry) -> String {
    let who = name(entry.actor_name.as_ref());
    match entry.via.as_str() {
        "import" => format!("{did} by {who}, imported"),
        _ => format!("{did} by {who}"),
    }
}

/// A record's latest happening in a line, for lists.
pub fn last_words(summary: &Summary) -> Words {
    let plain = |words: &str| Words::Plain(words.to_owned());
    match summary.kind.as_str() {
        "record_created" => plain("The record begins"),
        "record_deleted" => plain("Deleted"),
        "record_restored" => plain("Restored"),
        "record_shared" => plain("Shared with the household"),
        "record_unshared" => plain("Kept private from now on"),
        "record_handed_over" => plain("Handed over"),
        "event_retracted" => plain("An earlier entry was undone"),
        "attachment_changed" => plain("A file has another name or kind"),
        "attachment_removed" => plain("A file was removed"),
        "record_updated" if summary.text == "Tag" => {
            let tag = summary.new.as_ref().or(summary.old.as_ref()).map(FieldValue::words).unwrap_or_default();
            Words::Plain(format!("Tag {}: {tag}", if summary.new.is_some() { "added" } else { "removed" }))
        }
        "record_updated" if summary.more == 0 => Words::Change(ChangeView {
            label: summary.text.clone(),
            old: summary.old.as_ref().map(FieldValue::words),
            new: summary.new.as_ref().map(FieldValue::words),
            since: None,
        }),
        "record_updated" => {
            let facts = if summary.more == 1 { "one more fact" } else { "more facts" };
            Words::Plain(format!("{} and {facts} changed", summary.text))
        }
        _ if summary.text.is_empty() => plain("A note"),
        _ => plain(&summary.text),
    }
}

/// Whether a value wants a paragraph of its own.
pub(super) fn is_long(change: &FieldChange) -> bool {
    let long = |value: &str| value.contains('\n') || value.chars().count() > 120;
    change.key == DESCRIPTION && [&change.old, &change.new].into_iter().flatten().any(|value| long(&value.value))
}

/// A change with the date from which it holds, where that is another than its event's.
pub(super) fn change_since(change: &FieldChange, occurred: Occurred) -> ChangeView {
    let since = change.effective.filter(|effective| *effective != occurred);
    ChangeView { since: since.map(|effective| format!("since {}", effective.words())), ..change_words(change) }
}

fn change_view(change: &FieldChange, entry: &HistoryEntry) -> ChangeView {
    change_since(change, entry.occurred)
}

/// A field's old and new value in words.
pub fn change_words(change: &FieldChange) -> ChangeView {
    let [old, new] = [&change.old, &change.new].map(|value| value.as_ref().map(FieldValue::words));
    let label = change.label.clone();
    if change.key.starts_with("tag:") {
        let label = if new.is_some() { "Tag added" } else { "Tag removed" }.to_owned();
        return ChangeView { label, new: new.or(old), ..ChangeView::default() };
    }
    if change.key == VISIBILITY {
        let [old, new] = [old, new].map(|value| {
            value.map(|value| if value == "private" { "its owner alone" } else { "the household" }.to_owned())
        });
        return ChangeView { label, old, new, since: None };
    }
    ChangeView { label, old, new, since: None }
}

/// "Title, Tyres and Colour".
pub fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = names.collect();
    names.dedup();
    match names.split_last() {
        None => String::new(),
        Some((only, [])) => (*only).to_owned(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}
