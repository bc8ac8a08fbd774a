//! A record's history as sentences: one view per event, for the record's page, its whole history and its notes.

use jiff::tz::TimeZone;

use crate::domain::access::Actor;
use crate::domain::attachment::Standing;
use crate::domain::event::Payload;
use crate::domain::ids::{EventId, RecordId};
use crate::store::history::{HistoryEntry, Mark};
use crate::store::people::People;
use crate::store::views::RecordView;

use super::files::{FileView, StoryFiles};
use super::markdown::SafeHtml;
use super::moments::Moment;
use super::telling::{brings_back, by, name, tell, undoing};

/// Events by year, newest first.
#[derive(Debug, Default)]
pub struct Story {
    /// The years.
    pub years: Vec<Year>,
    /// How many events are shown of how many, in words.
    pub words: String,
    /// Where earlier events are.
    pub older: Option<String>,
    /// Whether the heading gets focus, because a new event stands further down.
    pub focus: bool,
}

/// The events of one year.
#[derive(Debug)]
pub struct Year {
    /// The year.
    pub label: String,
    /// Its events, newest first.
    pub events: Vec<Ev>,
}

/// One event.
#[derive(Debug)]
pub struct Ev {
    /// The element's id.
    pub anchor: String,
    /// Whether it was added just now: its heading gets focus.
    pub new: bool,
    /// When it happened, beneath its year.
    pub when: Moment,
    /// When it happened, in full: heard with the heading.
    pub full: Moment,
    /// The mark's look.
    pub mark: &'static str,
    /// The mark's icon.
    pub icon: &'static str,
    /// What happened.
    pub heading: Words,
    /// Whether it was undone.
    pub undone: bool,
    /// Cost and reading.
    pub amount: Option<String>,
    /// What kind of entry, by whom.
    pub by: String,
    /// When it was written down, if that was on another day.
    pub recorded: Option<Moment>,
    /// What others did to it since.
    pub marks: Vec<Marked>,
    /// What the member may do to it.
    pub acts: Vec<Act>,
    /// Changes beyond the heading's.
    pub changes: Vec<ChangeView>,
    /// Long texts, old and new.
    pub texts: Vec<LongText>,
    /// A note's words.
    pub body: SafeHtml,
    /// Its files.
    pub files: Vec<FileView>,
    /// Small print.
    pub metas: Vec<String>,
    /// The rank of the headings in its words.
    pub(super) level: u8,
}

impl Ev {
    /// Takes in another file of the same act.
    fn join(&mut self, other: Self) {
        self.files.extend(other.files);
        self.files.iter_mut().for_each(|file| file.alone = false);
        self.heading = Words::Plain(format!("{} files added", self.files.len()));
        self.new |= other.new;
        // Each has its own on its own page.
        self.acts.clear();
        self.icon = "page";
    }

    /// Whether anything stands below the heading.
    pub fn has_body(&self) -> bool {
        !(self.changes.is_empty()
            && self.texts.is_empty()
            && self.body.is_empty()
            && self.files.is_empty()
            && self.metas.is_empty())
    }
}

/// What happened, in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Words {
    /// Plain words.
    Plain(String),
    /// A field's old and new value.
    Change(ChangeView),
}

/// A field's old and new value in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeView {
    /// The field's name.
    pub label: String,
    /// What it was.
    pub old: Option<String>,
    /// What it is.
    pub new: Option<String>,
    /// Since when, where that is not the event's own date.
    pub since: Option<String>,
}

/// A text too long for a line.
#[derive(Debug)]
pub struct LongText {
    /// "Description before", "Description after".
    pub label: String,
    /// The text.
    pub html: SafeHtml,
}

/// What somebody did to an event since.
#[derive(Debug)]
pub struct Marked {
    /// "undone by Ana on".
    pub words: String,
    /// When.
    pub at: Moment,
}

/// A quiet link beside an event.
#[derive(Debug)]
pub struct Act {
    /// Where it leads.
    pub href: String,
    /// Its visible word.
    pub words: &'static str,
    /// What tells it apart from its neighbours.
    pub hidden: String,
}

/// What the telling depends on.
#[derive(Debug)]
pub struct Teller<'a> {
    /// The record.
    pub record: RecordId,
    /// The rank of the headings within an entry's words, one below the entry's own.
    pub level: u8,
    /// The member's zone.
    pub zone: &'a TimeZone,
    /// Whether events may be undone and corrected here.
    pub may_act: bool,
    /// Whether the member keeps the record, and so decides who does.
    pub keeps: bool,
    /// Everybody whom the entries may name.
    pub people: &'a People,
    /// The event that was added just now.
    pub new: Option<EventId>,
    /// The files of notes.
    pub files: StoryFiles,
    /// Whether what belongs together is told as one.
    pub folded: bool,
}

impl<'a> Teller<'a> {
    /// For the story on a record's page.
    pub fn of(view: &'a RecordView, actor: &Actor, zone: &'a TimeZone) -> Self {
        Self {
            record: view.id,
            level: 5,
            zone,
            may_act: actor.role.may_write() && view.state.deleted.is_none(),
            keeps: view.is_kept_by(actor.member),
            people: &view.people,
            new: None,
            files: StoryFiles::default(),
            folded: false,
        }
    }
}

/// Whether an event added the file of a note that is told among the same events: there it stands.
fn comes_with_its_note(entry: &HistoryEntry, entries: &[HistoryEntry]) -> bool {
    let Payload::AttachmentAdded(added) = &entry.payload else { return false };
    let is_note = |other: &HistoryEntry| match &other.payload {
        Payload::NoteAdded(_) => Some(other.event) == added.note,
        Payload::NoteCorrected(correction) => Some(correction.note) == added.note,
        _ => false,
    };
    let stands = entry.file.as_ref().is_some_and(|file| file.standing == Standing::Present);
    added.note.is_some() && added.supersedes.is_none() && stands && entries.iter().any(is_note)
}

/// Whether two files came by one form.
fn one_act(one: &HistoryEntry, other: &HistoryEntry) -> bool {
    // The note that it came with, if it stands and took no other file's place.
    let plain = |entry: &HistoryEntry| match &entry.payload {
        Payload::AttachmentAdded(added) if added.supersedes.is_none() => {
            entry.file.as_ref().filter(|file| file.standing == Standing::Present).map(|_| added.note)
        }
        _ => None,
    };
    let together = plain(one).is_some_and(|note| plain(other) == Some(note));
    together && one.recorded == other.recorded && one.occurred == other.occurred
}

impl Teller<'_> {
    /// Groups events, newest first, by year.
    pub fn years(&self, entries: &[HistoryEntry]) -> Vec<Year> {
        let mut years: Vec<Year> = Vec::new();
        let mut before: Option<&HistoryEntry> = None;
        for entry in entries {
            // Hidden is only what is drawn beneath its note: of a record with very many files not each one is.
            let drawn = entry.file.as_ref().is_some_and(|file| self.files.has(file.id));
            if self.folded && drawn && comes_with_its_note(entry, entries) {
                continue;
            }
            let together = before.replace(entry).is_some_and(|before| one_act(before, entry));
            if self.folded
                && together
                && let Some(last) = years.last_mut().and_then(|year| year.events.last_mut())
            {
                last.join(self.event(entry));
                continue;
            }
            let label = entry.occurred.year().to_string();
            let mut ev = self.event(entry);
            if let Some(words) = undoing(entry, entries, self.people) {
                ev.heading = Words::Plain(words);
            }
            if brings_back(entry, entries) {
                ev.by = by("Brought back", entry);
            }
            match years.last_mut() {
                Some(year) if year.label == label => year.events.push(ev),
                _ => years.push(Year { label, events: vec![ev] }),
            }
        }
        years
    }

    /// Tells one event.
    pub fn event(&self, entry: &HistoryEntry) -> Ev {
        let mut ev = Ev {
            anchor: format!("e{}", entry.version),
            new: self.new == Some(entry.event),
            when: Moment::in_year(entry.occurred),
            full: Moment::occurred(entry.occurred),
            mark: "",
            icon: "note",
            heading: Words::Plain(String::new()),
            undone: entry.retracted.is_some(),
            amount: None,
            by: String::new(),
            recorded: Moment::written_down(entry.recorded, entry.occurred, self.zone, entry.actor_zone.as_deref()),
            marks: Vec::new(),
            acts: Vec::new(),
            changes: Vec::new(),
            texts: Vec::new(),
            body: SafeHtml::default(),
            files: Vec::new(),
            metas: Vec::new(),
            level: self.level,
        };
        let did = tell(self.record, entry, self.people, &mut ev);
        if let Payload::NoteAdded(_) = &entry.payload {
            ev.files = self.files.of_note(entry.event);
        }
        if let Payload::NoteCorrected(correction) = &entry.payload {
            ev.files = self.files.of_note(correction.note);
        }
        ev.by = by(did, entry);
        self.add_marks(entry, &mut ev);
        if self.may_act {
            ev.acts = self.acts(entry, &ev);
        }
        ev
    }

    fn add_marks(&self, entry: &HistoryEntry, ev: &mut Ev) {
        let mut add = |what: &str, mark: &Mark| {
            ev.marks.push(Marked {
                words: format!("{what} by {} on", name(mark.by_name.as_ref())),
                at: Moment::day(mark.at, self.zone, Some(entry.occurred.year())),
            });
            if let Some(reason) = &mark.reason {
                ev.metas.push(format!("Reason: “{reason}”"));
            }
        };
        if let Some(mark) = &entry.corrected {
            add("corrected", mark);
        }
        if let Some(mark) = &entry.retracted {
            add("undone", mark);
            (ev.mark, ev.icon) = ("off", "undo");
        }
    }

    fn acts(&self, entry: &HistoryEntry, ev: &Ev) -> Vec<Act> {
        let hidden = match &ev.heading {
            Words::Plain(heading) => format!("“{heading}” ({})", entry.version),
            Words::Change(change) => format!("{} ({})", change.label, entry.version),
        };
        let act = |words, path: String| Act {
            href: format!("/records/{}/{path}", self.record),
            words,
            hidden: hidden.clone(),
        };
        // Who keeps it is for whoever keeps it to say.
        if matches!(entry.payload, Payload::RecordHandedOver(_)) && !self.keeps {
            return Vec::new();
        }
        if let Some(mark) = &entry.retracted {
            return vec![act("Bring back", format!("events/{}/undo", mark.event))];
        }
        let undo = format!("events/{}/undo", entry.event);
        match &entry.payload {
            Payload::NoteAdded(_) if entry.corrected.is_none() => vec![
                act("Correct", format!("notes/{}/edit", entry.event)),
                act("Add files", format!("attachments?note={}", entry.event)),
                act("Undo", undo),
            ],
            Payload::NoteCorrected(corrected) => vec![
                act("Correct again", format!("notes/{}/edit", corrected.note)),
                act("Add files", format!("attachments?note={}", corrected.note)),
                act("Undo", undo),
            ],
            Payload::NoteAdded(_)
            | Payload::RecordUpdated(_)
            | Payload::RecordRestored(_)
            | Payload::AttachmentChanged(_)
            | Payload::AttachmentRemoved(_)
            | Payload::RecordHandedOver(_) => vec![act("Undo", undo)],
            Payload::AttachmentAdded(added) => {
                vec![act("Details", format!("attachments/{}", added.attachment_id)), act("Undo", undo)]
            }
            _ => Vec::new(),
        }
    }
}
