//! One entry of the story: its first line with its clauses, and what stands below it.

use jiff::civil::{Date, DateTime, Time};

use super::script::{Change, Deed, PAPERS, Paper, Said};
use crate::domain::Refusal;
use crate::domain::access::Visibility;
use crate::domain::attachment::Label;
use crate::domain::field::{Field, FieldType, FieldValue};
use crate::domain::money::{Amount, Decimal, Reading};
use crate::domain::text::{Category, Description, FieldName, FileName, NoteText, Reason, Tag, Title, Unit, parse_tags};
use crate::domain::verbs::{Meaning, NewNote, NewRecord};
use crate::domain::when::Occurred;

/// An entry's first line, taken apart.
pub(super) struct Head<'a> {
    /// The day on which it was entered.
    pub(super) date: Date,
    /// The time of day, if it is said.
    pub(super) time: Option<Time>,
    /// Who entered it.
    pub(super) who: &'a str,
    /// What was done, in a word.
    verb: &'a str,
    /// To which earlier entry.
    object: Option<&'a str>,
    /// When it happened, if not on the day on which it was entered.
    pub(super) when: Option<Occurred>,
    cost: Option<Amount>,
    reading: Option<Reading>,
    /// Its own name.
    pub(super) label: Option<&'a str>,
    /// What a paper is.
    what: Option<Label>,
    /// The note that a paper belongs to.
    to: Option<&'a str>,
    meanwhile: bool,
}

impl<'a> Head<'a> {
    /// Reads `-9 10-02 19:30 Ana notes; cost 118 EUR; as service`.
    pub(super) fn read(line: &'a str, this_year: i16) -> Result<Self, String> {
        let mut parts = line.split("; ");
        let mut words = parts.next().unwrap_or_default().split(' ').peekable();
        let mut word = |what: &str| words.next().ok_or_else(|| format!("{what} is missing"));
        let (offset, day) = (word("the year")?, word("the day")?);
        let date = date(this_year, offset, day)?;
        let mut who = word("the member")?;
        let mut time_said = None;
        if who.contains(':') {
            time_said = Some(time(who)?);
            who = word("the member")?;
        }
        let verb = word("what was done")?;
        let object = words.next();
        if let Some(more) = words.next() {
            return Err(format!("“{more}” is not understood"));
        }
        let mut head = Self {
            date,
            time: time_said,
            who,
            verb,
            object,
            when: None,
            cost: None,
            reading: None,
            label: None,
            what: None,
            to: None,
            meanwhile: false,
        };
        for clause in parts {
            match clause.split_once(' ') {
                Some(("when", when)) => head.when = Some(occurred(this_year, when)?),
                Some(("cost", amount)) => head.cost = Some(Amount::parse_whole(amount).map_err(said)?),
                Some(("reading", reading)) => head.reading = Some(read_reading(reading)?),
                Some(("as", label)) => head.label = Some(label),
                Some(("to", note)) => head.to = Some(note),
                Some(("label", what)) => {
                    let known = Label::ALL.into_iter().find(|label| label.words() == what);
                    head.what = Some(known.ok_or_else(|| format!("“{what}” is no label"))?);
                }
                None if clause == "meanwhile" => head.meanwhile = true,
                _ => return Err(format!("the clause “{clause}” is not understood")),
            }
        }
        Ok(head)
    }

    /// The wall clock at which it was entered: as it is said, or an evening hour that stays with the entry.
    pub(super) fn moment(&self, record: &str, line: usize) -> DateTime {
        let sum = record.bytes().fold(line, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
        let second = (sum % 60) as i8;
        match self.time {
            Some(time) => self.date.at(time.hour(), time.minute(), second, 0),
            None => self.date.at(18 + (sum / 60 % 4) as i8, (sum / 240 % 60) as i8, second, 0),
        }
    }
}

/// What is entered. `now` is the wall clock of whoever does.
pub(super) fn deed(head: &Head<'_>, body: &[String], now: DateTime) -> Result<Deed, String> {
    let object = || head.object.map(str::to_owned).ok_or_else(|| format!("{} needs the name of an entry", head.verb));
    let occurred = head.when.unwrap_or(Occurred::day(head.date));
    let text = body.join("\n");
    let note = || -> Result<NewNote, String> {
        Ok(NewNote {
            text: NoteText::parse(&text).map_err(said)?,
            occurred,
            amount: head.cost,
            reading: head.reading.clone(),
        })
    };
    let reason = || match text.is_empty() {
        true => Ok(None),
        false => Reason::parse(&body.join(" ")).map(Some).map_err(said),
    };
    let change = |meaning| -> Result<Deed, String> {
        let said = facts(body, now)?;
        Ok(Deed::Change(Change { said, meaning, occurred, meanwhile: head.meanwhile }))
    };
    let nothing_below = |deed| if body.is_empty() { Ok(deed) } else { Err("nothing belongs below this".to_owned()) };
    let takes_object = matches!(head.verb, "rewords" | "undoes" | "hands" | "relabels" | "replaces" | "removes");
    if let Some(object) = head.object.filter(|_| !takes_object) {
        return Err(format!("“{object}” is not understood"));
    }
    match head.verb {
        "begins" => Ok(Deed::Begin(Box::new(begin(body, occurred, now)?))),
        "notes" => Ok(Deed::Note(note()?)),
        "rewords" => Ok(Deed::Reword(object()?, note()?)),
        "changes" => change(Meaning::Changed),
        "corrects" => change(Meaning::Wrong),
        "deletes" => Ok(Deed::Delete(reason()?)),
        "restores" => Ok(Deed::Restore(reason()?)),
        "shares" => nothing_below(Deed::Share),
        "unshares" => nothing_below(Deed::Unshare),
        "hands" => nothing_below(Deed::HandOver(object()?)),
        "undoes" => Ok(Deed::Undo(object()?, reason()?)),
        "files" => Ok(Deed::File(paper(&text)?, head.to.map(str::to_owned), head.what, occurred)),
        "relabels" => Ok(Deed::Relabel(object()?, head.what, FileName::of(&text))),
        "replaces" => Ok(Deed::Replace(object()?, paper(&text)?)),
        "removes" => nothing_below(Deed::Remove(object()?)),
        verb => Err(format!("“{verb}” is nothing that a member does")),
    }
}

/// `lease.pdf`, or `lease.pdf = Lease.pdf`: which paper, and what it is called.
fn paper(line: &str) -> Result<Paper, String> {
    let (which, name) = line.split_once(" = ").unwrap_or((line, line));
    let (_, bytes) =
        PAPERS.iter().find(|(known, _)| *known == which).ok_or_else(|| format!("there is no paper {which}"))?;
    Ok(Paper { name: FileName::of(name), bytes })
}

fn begin(body: &[String], occurred: Occurred, now: DateTime) -> Result<NewRecord, String> {
    let private = body.iter().any(|line| line == "private");
    let rest: Vec<String> = body.iter().filter(|line| *line != "private").cloned().collect();
    let (mut title, mut category, mut description) = (None, None, None);
    let (mut tags, mut fields) = (Vec::new(), Vec::new());
    for fact in facts(&rest, now)? {
        match fact {
            Said::Title(words) => title = Some(words),
            Said::Category(word) => category = Some(word),
            Said::About(words) => description = Some(words),
            Said::Tag(tag) => tags.push(tag),
            Said::Fact(field) => fields.push(field),
            Said::NoTag(_) | Said::NoFact(_) => return Err("a beginning takes nothing away".to_owned()),
        }
    }
    Ok(NewRecord {
        title: title.ok_or("a record begins with a title")?,
        category,
        description,
        tags,
        fields,
        visibility: if private { Visibility::Private } else { Visibility::Household },
        occurred,
        external: None,
    })
}

/// What a form says: a word and its value on each line. Lines that stand deeper go on with the one above.
fn facts(body: &[String], now: DateTime) -> Result<Vec<Said>, String> {
    let mut lines: Vec<String> = Vec::new();
    for line in body {
        match (line.strip_prefix("    "), lines.last_mut()) {
            (Some(more), Some(above)) => above.extend(["\n", more]),
            (None, Some(above)) if line.is_empty() => above.push('\n'),
            _ => lines.push(line.clone()),
        }
    }
    let mut all = Vec::new();
    for line in &lines {
        let (word, value) = line.split_once(' ').ok_or_else(|| format!("“{line}” is not understood"))?;
        match word {
            "title" => all.push(Said::Title(Title::parse(value).map_err(said)?)),
            "category" => all.push(Said::Category(Category::parse(value).map_err(said)?)),
            "about" => all.push(Said::About(Description::parse(value).map_err(said)?)),
            "tags" => all.extend(parse_tags(value).map_err(said)?.into_iter().map(Said::Tag)),
            "untag" => all.push(Said::NoTag(Tag::parse(value).map_err(said)?)),
            "unset" => all.push(Said::NoFact(FieldName::parse(value).map_err(said)?)),
            ty => {
                let ty: FieldType = ty.parse().map_err(said)?;
                let (name, value) = value.split_once(" = ").ok_or_else(|| format!("“{line}” has no ="))?;
                let value = FieldValue::parse(ty, value, now).map_err(said)?;
                all.push(Said::Fact(Field { name: FieldName::parse(name).map_err(said)?, value }));
            }
        }
    }
    if all.is_empty() { Err("nothing is said".to_owned()) } else { Ok(all) }
}

fn read_reading(text: &str) -> Result<Reading, String> {
    let (value, unit) = text.split_once(' ').ok_or("a reading has a unit")?;
    Ok(Reading { value: Decimal::parse(value).map_err(said)?, unit: Unit::parse(unit).map_err(said)? })
}

/// `-9`, `-9 10`, `-9 10-02`, `-9 10-02 14:30`.
fn occurred(this_year: i16, text: &str) -> Result<Occurred, String> {
    let (offset, rest) = text.split_once(' ').unwrap_or((text, ""));
    let year = year(this_year, offset)?;
    let iso = match rest.split_once(' ') {
        _ if rest.is_empty() => format!("{year:04}"),
        Some((day, time)) => format!("{year:04}-{day}T{time}"),
        None => format!("{year:04}-{rest}"),
    };
    Occurred::parse_iso(&iso).map_err(said)
}

/// A year by its distance from this one: `-9`, `0`, `+3`.
pub(super) fn year(this_year: i16, offset: &str) -> Result<i16, String> {
    let far: i16 = offset.parse().map_err(|_| format!("“{offset}” is no distance in years"))?;
    this_year.checked_add(far).ok_or_else(|| format!("“{offset}” leads nowhere"))
}

/// A day: the year's distance, and month-day.
pub(super) fn date(this_year: i16, offset: &str, day: &str) -> Result<Date, String> {
    let year = year(this_year, offset)?;
    format!("{year:04}-{day}").parse().map_err(|_| format!("there is no day {offset} {day}"))
}

/// A time of day, such as 20:05.
pub(super) fn time(text: &str) -> Result<Time, String> {
    text.parse().map_err(|_| format!("“{text}” is no time of day"))
}

fn said(refusal: Refusal) -> String {
    refusal.0
}
