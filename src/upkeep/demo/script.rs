//! The story as it is written in `story/*.txt`, read strictly: whatever is not understood is a mistake with its line.
//!
//! ```text
//! household The Lindens                                 a household with
//! member Ana; ana@example.org; owner; Europe/Lisbon; -10 03-06 20:05
//!
//! # boiler                                              a record, by a word of its own
//! -10 03-14 Ana begins; when -11                        year (before this one), month-day, who, what; clauses
//!     title Boiler                                      what it says, one fact a line; deeper lines go on
//!     text Maker = Thornbury
//! -9 10-02 19:30 Ana notes; cost 118 EUR; as service    `as` gives it a name
//!     Serviced before the winter
//! -9 10-03 Ana undoes service
//!     It was the neighbours' boiler
//! -9 10-04 Ana files; label Photo; to service; as plate  a paper; `to` puts it beneath a note
//!     nameplate.jpg = Nameplate.jpg                      which one, and what it is called
//! -9 10-05 Ana relabels plate; label Manual              also: replaces, removes
//!     Plate.jpg
//! ```
//!
//! `{-12}` in a text is the year twelve years before this one. Without a time of day an entry has one of its own, in the
//! evening.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use super::sentence;
use crate::domain::access::Role;
use crate::domain::attachment::Label;
use crate::domain::field::Field;
use crate::domain::instant::Instant;
use crate::domain::person::{Email, Zone};
use crate::domain::text::{Category, Description, FieldName, FileName, HouseholdName, MemberName, Reason, Tag, Title};
use crate::domain::verbs::{Meaning, NewNote, NewRecord};
use crate::domain::when::Occurred;

/// The time zone in which the story happens.
pub(super) const HOME: &str = "Europe/Dublin";

/// The files, in an order that tells a reader the most soonest.
const FILES: &[(&str, &str)] = &[
    ("household.txt", include_str!("story/household.txt")),
    ("house.txt", include_str!("story/house.txt")),
    ("machines.txt", include_str!("story/machines.txt")),
    ("wheels.txt", include_str!("story/wheels.txt")),
    ("people.txt", include_str!("story/people.txt")),
    ("papers.txt", include_str!("story/papers.txt")),
    ("school.txt", include_str!("story/school.txt")),
    ("animals.txt", include_str!("story/animals.txt")),
    ("treasures.txt", include_str!("story/treasures.txt")),
];

/// The papers that the story mentions, by what they are called here.
pub(super) const PAPERS: &[(&str, &[u8])] = &[
    ("bicycle.webp", include_bytes!("papers/bicycle.webp")),
    ("house.webp", include_bytes!("papers/house.webp")),
    ("lease.pdf", include_bytes!("papers/lease.pdf")),
    ("moving-in.txt", include_bytes!("papers/moving-in.txt")),
    ("mustard.jpg", include_bytes!("papers/mustard.jpg")),
    ("nameplate.jpg", include_bytes!("papers/nameplate.jpg")),
    ("passport.jpg", include_bytes!("papers/passport.jpg")),
    ("policy.pdf", include_bytes!("papers/policy.pdf")),
    ("receipt.png", include_bytes!("papers/receipt.png")),
];

/// A whole story, dated for one year, in the order in which it was entered.
#[derive(Debug)]
pub(super) struct Script {
    /// What the household is called.
    pub(super) household: HouseholdName,
    /// Who lives there, in the order in which they join.
    pub(super) members: Vec<Member>,
    /// What they enter.
    pub(super) scenes: Vec<Scene>,
}

/// Somebody who joins.
#[derive(Clone, Debug)]
pub(super) struct Member {
    /// What the member is called.
    pub(super) name: MemberName,
    /// The address to sign in with.
    pub(super) email: Email,
    /// What the member may do.
    pub(super) role: Role,
    /// Where the member lives.
    pub(super) zone: Zone,
    /// When.
    pub(super) joins: Instant,
}

/// One entry.
#[derive(Debug)]
pub(super) struct Scene {
    /// The file and line, for mistakes.
    pub(super) place: String,
    /// When it was entered.
    pub(super) at: Instant,
    /// Who, as a place in the list of members.
    pub(super) who: usize,
    /// The record's own word.
    pub(super) record: &'static str,
    /// What was entered.
    pub(super) deed: Deed,
    /// The name under which a later entry speaks of it.
    pub(super) label: Option<String>,
}

/// What somebody enters.
#[derive(Debug)]
pub(super) enum Deed {
    /// A record begins.
    Begin(Box<NewRecord>),
    /// It says something else.
    Change(Change),
    /// Something happened.
    Note(NewNote),
    /// An earlier note in other words.
    Reword(String, NewNote),
    /// It is put away.
    Delete(Option<Reason>),
    /// It comes back.
    Restore(Option<Reason>),
    /// Everybody sees it.
    Share,
    /// Its owner alone sees it.
    Unshare,
    /// The member of this name keeps it from then on.
    HandOver(String),
    /// An earlier entry does not hold.
    Undo(String, Option<Reason>),
    /// A paper is put with it, perhaps beneath a note.
    File(Paper, Option<String>, Option<Label>, Occurred),
    /// A paper has another label or name.
    Relabel(String, Option<Label>, FileName),
    /// Another paper takes the place of one.
    Replace(String, Paper),
    /// A paper is taken off.
    Remove(String),
}

/// A paper: its name, and its bytes.
#[derive(Clone, Debug)]
pub(super) struct Paper {
    /// What it is called on the record.
    pub(super) name: FileName,
    /// What is in it.
    pub(super) bytes: &'static [u8],
}

/// What an edit changes in the form.
#[derive(Debug)]
pub(super) struct Change {
    /// The changes themselves.
    pub(super) said: Vec<Said>,
    /// Whether it changed or was wrong.
    pub(super) meaning: Meaning,
    /// Since when.
    pub(super) occurred: Occurred,
    /// Whether the form was opened before the entry in front of this one was sent.
    pub(super) meanwhile: bool,
}

/// One changed control of the form.
#[derive(Clone, Debug)]
pub(super) enum Said {
    /// What it is called.
    Title(Title),
    /// What kind of thing it is.
    Category(Category),
    /// A few words.
    About(Description),
    /// A tag put on.
    Tag(Tag),
    /// A tag taken off.
    NoTag(Tag),
    /// A fact's new value.
    Fact(Field),
    /// A fact taken away.
    NoFact(FieldName),
}

impl Script {
    /// Reads the story as it goes in a year.
    ///
    /// # Errors
    /// The first line that is not understood, and why.
    pub(super) fn read(year: i16) -> Result<Self, String> {
        let mut reading = Reading { year, household: None, members: Vec::new(), scenes: Vec::new() };
        for (name, text) in FILES {
            reading.file(name, text)?;
        }
        let household = reading.household.ok_or("the story has no household")?;
        let mut script = Self { household, members: reading.members, scenes: reading.scenes };
        script.scenes.sort_by_key(|scene| scene.at);
        Ok(script)
    }
}

/// The reading of all files.
struct Reading {
    year: i16,
    household: Option<HouseholdName>,
    members: Vec<Member>,
    scenes: Vec<Scene>,
}

/// An entry's first line, and the lines below it without their indentation.
struct Block<'a> {
    line: usize,
    head: &'a str,
    body: Vec<String>,
}

impl Reading {
    fn file(&mut self, name: &str, text: &'static str) -> Result<(), String> {
        let mut record: Option<&'static str> = None;
        for block in blocks(text).map_err(|line| format!("{name}:{line}: this line belongs to nothing"))? {
            let place = format!("{name}:{}", block.line);
            let read = if let Some(word) = block.head.strip_prefix("# ") {
                let known = self.scenes.iter().any(|scene| scene.record == word);
                record = Some(word);
                if known { Err("this record was told before".to_owned()) } else { Ok(()) }
            } else if let Some(rest) = block.head.strip_prefix("household ") {
                self.household(rest)
            } else if let Some(rest) = block.head.strip_prefix("member ") {
                self.member(rest)
            } else if let Some(record) = record {
                self.scene(record, &place, &block)
            } else {
                Err("this belongs to no record".to_owned())
            };
            read.map_err(|problem| format!("{place}: {problem}"))?;
        }
        Ok(())
    }

    fn household(&mut self, name: &str) -> Result<(), String> {
        self.household = Some(HouseholdName::parse(name).map_err(|e| e.0)?);
        Ok(())
    }

    fn member(&mut self, rest: &str) -> Result<(), String> {
        let parts: Vec<&str> = rest.split("; ").collect();
        let [name, email, role, zone, joins] = parts[..] else {
            return Err("a member is: name; address; role; zone; moment".to_owned());
        };
        let zone = Zone::parse(zone).map_err(|e| e.0)?;
        let words: Vec<&str> = joins.split(' ').collect();
        let [year, day, time] = words[..] else { return Err("a member joins at a year, day and time".to_owned()) };
        let local = sentence::date(self.year, year, day)?.to_datetime(sentence::time(time)?);
        self.members.push(Member {
            name: MemberName::parse(name).map_err(|e| e.0)?,
            email: Email::parse(email).map_err(|e| e.0)?,
            role: role.parse().map_err(|e: crate::domain::Refusal| e.0)?,
            joins: instant(local, &zone)?,
            zone,
        });
        Ok(())
    }

    fn scene(&mut self, record: &'static str, place: &str, block: &Block<'_>) -> Result<(), String> {
        let head = sentence::Head::read(block.head, self.year)?;
        let who = self.members.iter().position(|member| member.name.as_str() == head.who);
        let who = who.ok_or_else(|| format!("{} is no member", head.who))?;
        let zone = self.members[who].zone.clone();
        let before = self.scenes.last().filter(|scene| scene.record == record).map(|scene| scene.at);
        let mut at = instant(head.moment(record, block.line), &zone)?;
        if head.time.is_none()
            && let Some(before) = before.filter(|before| *before >= at && day_of(*before, &zone) == head.date)
        {
            at = before.plus_seconds(217);
        }
        if before.is_some_and(|before| before >= at) {
            return Err("this was entered before the entry above it".to_owned());
        }
        if self.members[who].joins > at {
            return Err(format!("{} has not joined yet", head.who));
        }
        let body = block.body.iter().map(|line| years(line, self.year)).collect::<Result<Vec<_>, _>>()?;
        let now = at.local(&zone_of(&zone));
        if let Some(when) = head.when {
            when.not_after(now).map_err(|e| e.0)?;
        }
        let deed = sentence::deed(&head, &body, now)?;
        if let Deed::HandOver(to) = &deed
            && !self.members.iter().any(|member| member.name.as_str() == to)
        {
            return Err(format!("{to} is no member"));
        }
        self.scenes.push(Scene {
            place: place.to_owned(),
            at,
            who,
            record,
            deed,
            label: head.label.map(str::to_owned),
        });
        Ok(())
    }
}

/// A text in its entries: a line at the margin, then the indented ones below it.
fn blocks(text: &str) -> Result<Vec<Block<'_>>, usize> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        if let Some(words) = text.strip_prefix("    ") {
            blocks.last_mut().ok_or(line)?.body.push(words.to_owned());
        } else if text.is_empty() {
            if let Some(block) = blocks.last_mut() {
                block.body.push(String::new());
            }
        } else if text.starts_with(' ') {
            return Err(line);
        } else {
            blocks.push(Block { line, head: text, body: Vec::new() });
        }
    }
    for block in &mut blocks {
        while block.body.last().is_some_and(String::is_empty) {
            block.body.pop();
        }
    }
    Ok(blocks)
}

/// `{-12}` becomes the year twelve years before this one.
fn years(line: &str, year: i16) -> Result<String, String> {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('{') {
        let (offset, after) = after.split_once('}').ok_or("a { without its }")?;
        out.push_str(before);
        out.push_str(&sentence::year(year, offset)?.to_string());
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

fn zone_of(zone: &Zone) -> TimeZone {
    TimeZone::get(zone.as_str()).unwrap_or(TimeZone::UTC)
}

fn day_of(at: Instant, zone: &Zone) -> Date {
    at.local(&zone_of(zone)).date()
}

fn instant(local: DateTime, zone: &Zone) -> Result<Instant, String> {
    zone_of(zone).to_timestamp(local).map(Instant::from).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_story_can_be_told_in_any_year() {
        for year in 1990..2110 {
            let script = Script::read(year).unwrap();
            assert!(script.scenes.len() > 400, "{year}");
            for scene in &script.scenes {
                assert!(script.members[scene.who].role.may_write(), "{}", scene.place);
            }
        }
    }

    #[test]
    fn there_is_something_of_late_on_any_day() {
        let script = Script::read(2027).unwrap();
        let days: Vec<Date> = script.scenes.iter().map(|s| s.at.local(&TimeZone::get(HOME).unwrap()).date()).collect();
        for today in jiff::civil::date(2027, 1, 1).series(jiff::Span::new().days(1)).take(365) {
            let within = |days_ago: i32| {
                let first = today.checked_sub(jiff::Span::new().days(days_ago)).unwrap();
                days.iter().filter(|day| **day > first && **day <= today).count()
            };
            assert!(within(14) >= 1 && within(35) >= 4, "{today}: {} and {}", within(14), within(35));
        }
    }

    #[test]
    fn every_paper_is_in_the_story() {
        let script = Script::read(2027).unwrap();
        for (name, bytes) in PAPERS {
            let told = script.scenes.iter().any(|scene| match &scene.deed {
                Deed::File(paper, ..) | Deed::Replace(_, paper) => paper.bytes == *bytes,
                _ => false,
            });
            assert!(told, "{name}");
        }
    }

    #[test]
    fn a_mistake_is_named_with_its_line() {
        let read = |text: &'static str| {
            let mut reading = Reading { year: 2027, household: None, members: Vec::new(), scenes: Vec::new() };
            reading.file(
                "house.txt",
                "household Home\nmember Ana; ana@example.org; owner; Europe/Lisbon; -2 03-06 20:05\n\n",
            )?;
            reading.file("story.txt", text).map(|()| reading.scenes)
        };
        let begun = "# boiler\n-1 03-14 Ana begins; when -11\n    title Boiler of {-11}\n";
        let scenes = read(begun).unwrap();
        let Deed::Begin(new) = &scenes[0].deed else { unreachable!() };
        assert_eq!((new.title.as_str(), new.occurred.to_string().as_str()), ("Boiler of 2016", "2016"));
        for (text, mistake) in [
            ("-1 03-14 Ana begins\n", "story.txt:1: this belongs to no record"),
            ("    title\n", "story.txt:1: this line belongs to nothing"),
            ("# a\n-1 02-30 Ana begins\n", "story.txt:2: there is no day -1 02-30"),
            ("# a\n-1 03-14 Ben begins\n    title A\n", "story.txt:2: Ben is no member"),
            ("# a\n-3 03-14 Ana begins\n    title A\n", "story.txt:2: Ana has not joined yet"),
            ("# a\n-1 03-14 Ana begins\n    tags a\n", "story.txt:2: a record begins with a title"),
            ("# a\n-1 03-14 Ana sings\n", "story.txt:2: “sings” is nothing that a member does"),
            (
                "# a\n-1 03-14 Ana notes; price 3 EUR\n    A\n",
                "story.txt:2: the clause “price 3 EUR” is not understood",
            ),
            ("# a\n-1 03-14 Ana notes; cost 3 EURO\n    A\n", "story.txt:2: Enter the amount with its currency"),
            ("# a\n-1 03-14 Ana notes; when -1 03-15\n    A\n", "story.txt:2: 15 March 2026 is still to come"),
            ("# a\n-1 03-14 Ana notes\n", "story.txt:2: Write what happened"),
            ("# a\n-1 03-14 Ana notes\n    In {soon}\n", "story.txt:2: “soon” is no distance in years"),
            ("# a\n-1 03-14 Ana notes\n    A\n-1 03-13 Ana notes\n    B\n", "story.txt:4: this was entered before"),
            ("# a\n-1 03-14 Ana files\n    no.pdf\n", "story.txt:2: there is no paper no.pdf"),
            ("# a\n-1 03-14 Ana files; label Cat\n    lease.pdf\n", "story.txt:2: “Cat” is no label"),
            ("# a\n-1 03-14 Ana hands Ben\n", "story.txt:2: Ben is no member"),
            ("# a\n# a\n-1 03-14 Ana shares\n    now\n", "story.txt:3: nothing belongs below this"),
        ] {
            let said = read(text).unwrap_err();
            assert!(said.starts_with(mistake), "{text}: {said}");
        }
    }
}
