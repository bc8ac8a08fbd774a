//! Whatever members do, in whatever order: the projections are what the events say.
//!
//! Random commands by several members (valid and refused, late and imprecise dates, corrections, deletes, shares,
//! retractions and retractions of retractions, stale forms, repeated submissions). After each one, an independent and
//! naive fold, written here over raw JSON, must give what the projections hold.

use std::collections::{BTreeMap, BTreeSet};

use lifeops::app::{App, Clock};
use lifeops::commands::accounts::{self, NewHousehold, NewMember, SetUp};
use lifeops::commands::files::{self, NewFiles};
use lifeops::commands::records::{EditRecord, Meaning, NewRecord, Written};
use lifeops::commands::{notes, records, uploads};
use lifeops::domain::access::{Actor, Role, Via, Visibility};
use lifeops::domain::attachment::{Label, NewFile};
use lifeops::domain::field::{Field, FieldType, FieldValue};
use lifeops::domain::ids::{AttachmentId, EventId, HouseholdId, MemberId, RecordId, SubmissionKey};
use lifeops::domain::instant::Instant;
use lifeops::domain::money::{Amount, Currency};
use lifeops::domain::person::{Email, Zone};
use lifeops::domain::text::{Category, FieldName, FileName, HouseholdName, MemberName, NoteText, Reason, Tag, Title};
use lifeops::domain::verbs::NewNote;
use lifeops::domain::when::{Occurred, Precision};
use lifeops::error::Error;
use lifeops::passwords::Password;
use lifeops::store::db::{Db, sql};
use lifeops::store::views::RecordView;
use lifeops::store::{streams, views};
use lifeops::upkeep;
use serde_json::Value;

use crate::support::{Dice, Engine, PASSWORD, Place, settings};

/// An installation with a household of three.
pub struct House {
    pub place: Place,
    pub app: App,
    pub actors: Vec<Actor>,
}

pub async fn house(engine: Engine) -> House {
    let place = Place::empty(engine).await;
    let clock = Clock::fixed(Instant::parse("2026-11-22T10:00:00.000000Z").unwrap());
    let app = App::open(settings(&place), clock).await.unwrap();
    let email = |name: &str| Email::parse(&format!("{name}@home.example")).unwrap();
    let zone = || Zone::parse("Europe/Berlin").unwrap();
    let password = || Password::parse(PASSWORD).unwrap();
    let new = NewHousehold {
        household: HouseholdName::parse("The Lindens").unwrap(),
        name: MemberName::parse("Ana").unwrap(),
        email: email("ana"),
        password: password(),
        zone: zone(),
    };
    let code = accounts::set_up_code(&app);
    assert!(matches!(accounts::set_up(&app, &code, new).await.unwrap(), SetUp::Done(_)));
    let household = accounts::find(&app, &email("ana")).await.unwrap().household;
    for (name, role) in [("Ben", Role::Editor), ("Mila", Role::Viewer)] {
        let new = NewMember {
            name: MemberName::parse(name).unwrap(),
            email: email(&name.to_lowercase()),
            password: password(),
            role,
            zone: zone(),
        };
        accounts::add_member(&app, household, new).await.unwrap();
    }
    let mut actors = Vec::new();
    for name in ["ana", "ben", "mila"] {
        let found = accounts::find(&app, &email(name)).await.unwrap();
        actors.push(Actor {
            household,
            member: found.member,
            role: found.role,
            zone: "Europe/Berlin".into(),
            via: Via::Page,
            via_ref: None,
        });
    }
    House { place, app, actors }
}

const DATES: [&str; 8] =
    ["2010", "2015", "2015-03", "2019-05-03", "2020", "2020-01-01", "2020-01-01T10:30", "2026-11-22"];

fn date(dice: &mut Dice) -> Occurred {
    // One in ten lies in the future, and is to be refused.
    let iso = if dice.below(10) == 0 { "2031" } else { DATES[dice.below(DATES.len() as u64) as usize] };
    Occurred::parse_iso(iso).unwrap()
}

fn word(dice: &mut Dice) -> &'static str {
    ["red", "blue", "KE 418 D", "14 kg", "Michelin", "Bosch", "Ünïcode ☂", "x"][dice.below(8) as usize]
}

fn value(dice: &mut Dice) -> FieldValue {
    match dice.below(4) {
        0 => FieldValue { ty: FieldType::Number, value: dice.below(1000).to_string() },
        1 => FieldValue { ty: FieldType::Money, value: format!("{}.50 EUR", dice.below(90) + 1) },
        2 => FieldValue { ty: FieldType::Date, value: "2031-02".into() },
        _ => FieldValue::text(word(dice)),
    }
}

fn fields(dice: &mut Dice) -> Vec<Field> {
    let mut fields = Vec::new();
    for name in ["Plate", "Colour", "Price"] {
        if dice.below(2) == 0 {
            fields.push(Field { name: FieldName::parse(name).unwrap(), value: value(dice) });
        }
    }
    fields
}

fn tags(dice: &mut Dice) -> Vec<Tag> {
    ["garden", "Winter", "lease"].into_iter().filter(|_| dice.below(2) == 0).map(|t| Tag::parse(t).unwrap()).collect()
}

fn title(dice: &mut Dice) -> Title {
    Title::parse(["Corolla", "Water heater", "Biscuit", "Flat"][dice.below(4) as usize]).unwrap()
}

fn category(dice: &mut Dice) -> Option<Category> {
    (dice.below(3) > 0).then(|| Category::parse(["Car", "Pet", "car"][dice.below(3) as usize]).unwrap())
}

fn note(dice: &mut Dice) -> NewNote {
    NewNote {
        text: NoteText::parse(&format!("Note {} {}", dice.below(1000), word(dice))).unwrap(),
        occurred: date(dice),
        amount: (dice.below(3) == 0)
            .then(|| Amount::parse(&dice.below(500).to_string(), Currency::parse("EUR").unwrap()).unwrap()),
        reading: None,
    }
}

/// A form as it was filled in from a page that its person looked at, perhaps a while ago.
fn form(dice: &mut Dice, seen: &RecordView) -> EditRecord {
    let state = &seen.state;
    let mut form = EditRecord {
        version: state.version,
        title: Title::parse(state.title()).unwrap(),
        category: state.category().map(|c| Category::parse(c).unwrap()),
        description: None,
        tags: state.tags.clone(),
        fields: state
            .fields()
            .map(|(held, value)| Field { name: FieldName::parse(&held.label).unwrap(), value: value.clone() })
            .collect(),
        meaning: if dice.below(3) == 0 { Meaning::Wrong } else { Meaning::Changed },
        occurred: date(dice),
    };
    if dice.below(3) == 0 {
        form.title = title(dice);
    }
    if dice.below(4) == 0 {
        form.category = category(dice);
    }
    if dice.below(2) == 0 {
        form.fields = fields(dice);
    }
    if dice.below(3) == 0 {
        form.tags = tags(dice);
    }
    form
}

/// The kinds of things that can be done, with what is needed to do them again.
#[derive(Clone, Debug)]
enum Deed {
    Create(NewRecord),
    Edit(RecordId, EditRecord),
    Delete(RecordId),
    Restore(RecordId),
    Share(RecordId),
    Unshare(RecordId),
    HandOver(RecordId, MemberId),
    Retract(RecordId, EventId),
    Add(RecordId, NewNote),
    Correct(RecordId, EventId, i64, NewNote),
    Attach(RecordId, Option<EventId>, Vec<NewFile>, Option<Label>, Occurred),
    Relabel(RecordId, AttachmentId, Option<Label>, FileName),
    Replace(RecordId, AttachmentId, NewFile),
    TakeOff(RecordId, AttachmentId),
}

async fn perform(app: &App, actor: &Actor, key: SubmissionKey, deed: Deed) -> Result<Written, Error> {
    let reason = || Reason::parse("because").ok();
    match deed {
        Deed::Create(new) => records::create(app, actor, key, new).await,
        Deed::Edit(record, form) => records::edit(app, actor, key, record, form).await,
        Deed::Delete(record) => records::delete(app, actor, key, record, reason()).await,
        Deed::Restore(record) => records::restore(app, actor, key, record, None).await,
        Deed::Share(record) => records::share(app, actor, key, record).await,
        Deed::Unshare(record) => records::unshare(app, actor, key, record).await,
        Deed::HandOver(record, to) => records::hand_over(app, actor, key, record, to).await,
        Deed::Retract(record, event) => records::retract(app, actor, key, record, event, reason()).await,
        Deed::Add(record, note) => notes::add(app, actor, key, record, note).await,
        Deed::Correct(record, note, version, form) => {
            notes::correct(app, actor, key, record, note, version, form).await
        }
        Deed::Attach(record, note, files, label, occurred) => {
            files::add(app, actor, key, record, note, NewFiles { files, label }, occurred).await
        }
        Deed::Relabel(record, file, label, name) => files::change(app, actor, key, record, file, label, name).await,
        Deed::Replace(record, file, by) => files::replace(app, actor, key, record, file, by).await,
        Deed::TakeOff(record, file) => files::remove(app, actor, key, record, file).await,
    }
}

/// A file that somebody uploads: few contents, so that the same one comes again.
async fn upload(app: &App, actor: &Actor, dice: &mut Dice) -> NewFile {
    let content = format!("content {}", dice.below(5));
    let name = ["a.txt", "b.pdf", "c"][dice.below(3) as usize];
    let source = futures_util::stream::iter([Ok::<_, std::convert::Infallible>(bytes::Bytes::from(content))]);
    uploads::take(app, actor, name, u64::MAX, source).await.unwrap()
}

fn label(dice: &mut Dice) -> Option<Label> {
    [None, Some(Label::Receipt), Some(Label::Photo)][dice.below(3) as usize]
}

struct Story<'a> {
    house: &'a House,
    dice: Dice,
    seen: Vec<RecordView>,
    records: Vec<RecordId>,
}

impl Story<'_> {
    async fn deed(&mut self) -> (Actor, Deed) {
        let actor = self.house.actors[[0, 0, 1, 1, 1, 2][self.dice.below(6) as usize]].clone();
        let dice = &mut self.dice;
        if self.records.is_empty() || dice.below(12) == 0 {
            let new = NewRecord {
                title: title(dice),
                category: category(dice),
                description: None,
                tags: tags(dice),
                fields: fields(dice),
                visibility: if dice.below(3) == 0 { Visibility::Private } else { Visibility::Household },
                occurred: date(dice),
                external: None,
            };
            return (actor, Deed::Create(new));
        }
        let record = self.records[dice.below(self.records.len() as u64) as usize];
        let events = streams::facts(&self.house.app.db, actor.household, record).await.unwrap();
        let any = |dice: &mut Dice| events[dice.below(events.len() as u64) as usize].event;
        let files = sql("select id from attachment where household_id = $1 and record_id = $2 order by id")
            .bind(actor.household)
            .bind(record)
            .all(&self.house.app.db)
            .await
            .unwrap();
        let file = |dice: &mut Dice| {
            let row = &files[dice.below(files.len() as u64) as usize];
            AttachmentId(row.uuid("id").unwrap())
        };
        let deed = match dice.below(28) {
            20..=22 => {
                let mut new = vec![upload(&self.house.app, &actor, dice).await];
                if dice.below(3) == 0 {
                    new.push(upload(&self.house.app, &actor, dice).await);
                }
                let note = (dice.below(2) == 0).then(|| any(dice));
                Deed::Attach(record, note, new, label(dice), date(dice))
            }
            23..=27 if files.is_empty() => {
                Deed::Attach(record, None, vec![upload(&self.house.app, &actor, dice).await], None, date(dice))
            }
            23 => Deed::Relabel(record, file(dice), label(dice), FileName::of(word(dice))),
            24 | 25 => Deed::Replace(record, file(dice), upload(&self.house.app, &actor, dice).await),
            26 | 27 => Deed::TakeOff(record, file(dice)),
            0 => Deed::Delete(record),
            1 | 2 => Deed::Restore(record),
            3 => Deed::Share(record),
            4 => match dice.below(2) {
                0 => Deed::Unshare(record),
                _ => Deed::HandOver(record, self.house.actors[[0, 0, 1, 1, 2][dice.below(5) as usize]].member),
            },
            5 | 6 => Deed::Retract(record, any(dice)),
            7 => Deed::Retract(record, events.last().unwrap().event),
            8 | 9 => Deed::Add(record, note(dice)),
            10 | 11 => Deed::Correct(record, any(dice), events.last().unwrap().version, note(dice)),
            _ => {
                let stale = self.seen.iter().filter(|seen| seen.id == record).collect::<Vec<_>>();
                let fresh = views::record(&self.house.app.db, &actor, record).await.ok();
                let seen = match stale.as_slice() {
                    [] => fresh,
                    some if dice.below(2) == 0 => Some(some[dice.below(some.len() as u64) as usize].clone()),
                    _ => fresh,
                };
                match seen {
                    Some(seen) => {
                        self.seen.push(seen.clone());
                        Deed::Edit(record, form(dice, &seen))
                    }
                    None => Deed::Delete(record),
                }
            }
        };
        (actor, deed)
    }

    async fn go_on(&mut self) {
        let (actor, deed) = self.deed().await;
        let app = &self.house.app;
        let before = position(&app.db, actor.household).await;
        let key = SubmissionKey::new();
        let answer = perform(app, &actor, key, deed.clone()).await;
        let after = position(&app.db, actor.household).await;
        match &answer {
            Ok(written) => {
                assert_eq!(
                    after > before,
                    written.event.is_some(),
                    "{deed:?}: told {written:?}, wrote {}",
                    after - before
                );
                assert!(!written.repeated);
                if matches!(deed, Deed::Create(_)) {
                    self.records.push(written.record);
                }
                let again = perform(app, &actor, key, deed.clone()).await;
                // Also where it took the record out of its sender's sight.
                let again = again.unwrap_or_else(|error| panic!("{deed:?} repeated: {error:?}"));
                assert_eq!((again.record, again.event), (written.record, written.event), "{deed:?}");
                assert_eq!(again.repeated, written.event.is_some(), "{deed:?}");
                if written.event.is_some() && !matches!(deed, Deed::Restore(_)) {
                    let other = perform(app, &actor, key, Deed::Restore(written.record)).await;
                    assert!(matches!(other, Err(Error::SubmissionReused)), "{other:?}");
                }
                assert_eq!(position(&app.db, actor.household).await, after, "a repeated submission appends nothing");
            }
            Err(Error::Internal(words)) => panic!("{deed:?}: {words}"),
            Err(refusal) => {
                assert_eq!(after, before, "{deed:?}: refused with {refusal}, but something was written");
                assert!(refusal.to_string().len() > 8);
            }
        }
        if actor.role == Role::Viewer {
            assert!(answer.is_err() || after == before, "a viewer wrote: {deed:?}");
        }
    }
}

async fn position(db: &Db, household: HouseholdId) -> i64 {
    sql("select position from household where id = $1").bind(household).one(db).await.unwrap().int("position").unwrap()
}

/// What a record is, by the naive fold and by the projections.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Known {
    version: i64,
    position: i64,
    owner: String,
    visibility: String,
    deleted: bool,
    values: BTreeMap<String, String>,
    tags: BTreeSet<String>,
    /// Event → the position of what undid it.
    undone: BTreeMap<String, i64>,
    /// Event → the month in which it happened, or the year.
    happenings: BTreeMap<String, String>,
    /// Attachment → what has become of it, its label and its name.
    files: BTreeMap<String, String>,
    /// Whether any is there.
    has_files: bool,
    /// Who ever wrote in it.
    writers: BTreeSet<String>,
}

struct RawEvent {
    event: String,
    position: i64,
    version: i64,
    kind: String,
    occurred: String,
    actor: String,
    payload: Value,
}

/// The naive fold: every assertion ever made, sorted, the last one wins.
fn naive(events: &[RawEvent]) -> Known {
    let mut live = vec![true; events.len()];
    let index = |id: &str| events.iter().position(|e| e.event == id);
    let mut undone = BTreeMap::new();
    for at in (0..events.len()).rev() {
        if events[at].kind == "event_retracted" && live[at] {
            let target = index(events[at].payload["event_id"].as_str().unwrap()).unwrap();
            live[target] = false;
            undone.entry(events[target].event.clone()).or_insert(events[at].position);
        }
    }
    // (key, effective from, precision, position, value, asserting event)
    let mut assertions: Vec<(String, String, usize, i64, Option<String>, String)> = Vec::new();
    let mut known = Known { undone, ..Known::default() };
    let from = |iso: &str| format!("{iso}{}", &"0000-01-01T00:00"[iso.len()..]);
    let fold = |name: &str| name.to_lowercase();
    for (event, _) in events.iter().zip(&live).filter(|(_, live)| **live) {
        let payload = &event.payload;
        let mut said: Vec<(String, Option<String>)> = Vec::new();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let source = if event.kind == "record_created" { payload } else { &payload["set"] };
        for key in ["title", "category", "description"] {
            if let Some(value) = text(&source[key]) {
                said.push((key.to_owned(), Some(value)));
            }
        }
        for key in payload["clear"].as_array().into_iter().flatten() {
            said.push((text(key).unwrap(), None));
        }
        for set in ["fields", "fields_set"] {
            for field in payload[set].as_array().into_iter().flatten() {
                let value = format!("{}={}", field["type"].as_str().unwrap(), field["value"].as_str().unwrap());
                said.push((format!("field:{}", fold(field["name"].as_str().unwrap())), Some(value)));
            }
        }
        for name in payload["fields_cleared"].as_array().into_iter().flatten() {
            said.push((format!("field:{}", fold(name.as_str().unwrap())), None));
        }
        for (key, value) in said {
            match payload["corrects"].as_str() {
                Some(wrong) => {
                    for known in assertions.iter_mut().filter(|a| a.0 == key && a.5 == wrong) {
                        known.4.clone_from(&value);
                    }
                }
                None => assertions.push((
                    key,
                    from(&event.occurred),
                    event.occurred.len(),
                    event.position,
                    value,
                    event.event.clone(),
                )),
            }
        }
        let removed: Vec<&Value> = payload["tags_removed"].as_array().into_iter().flatten().collect();
        for tag in removed {
            known.tags.remove(&fold(tag.as_str().unwrap()));
        }
        for set in ["tags", "tags_added"] {
            known.tags.extend(payload[set].as_array().into_iter().flatten().map(|t| fold(t.as_str().unwrap())));
        }
        match event.kind.as_str() {
            "record_created" => {
                known.owner.clone_from(&event.actor);
                known.visibility = text(&payload["visibility"]).unwrap();
            }
            "record_deleted" => known.deleted = true,
            "record_restored" => known.deleted = false,
            "record_shared" => known.visibility = "household".into(),
            "record_unshared" => known.visibility = "private".into(),
            "record_handed_over" => known.owner = text(&payload["to"]).unwrap(),
            _ => {}
        }
    }
    assertions.sort_by(|a, b| (&a.0, &a.1, a.2, a.3).cmp(&(&b.0, &b.1, b.2, b.3)));
    for (key, _, _, _, value, _) in assertions {
        match value {
            Some(value) => known.values.insert(key, value),
            None => known.values.remove(&key),
        };
    }
    let latest_wording = |note: &str| -> Option<i64> {
        let corrections = events.iter().zip(&live).filter(|(e, live)| **live && e.kind == "note_corrected");
        corrections.filter(|(e, _)| e.payload["note"].as_str() == Some(note)).map(|(e, _)| e.position).max()
    };
    for (event, _) in events.iter().zip(&live).filter(|(_, live)| **live) {
        let stands = match event.kind.as_str() {
            "record_created" | "record_updated" => true,
            "attachment_added" => event.payload["note"].is_null(),
            "note_added" => latest_wording(&event.event).is_none(),
            "note_corrected" => {
                let note = event.payload["note"].as_str().unwrap();
                live[index(note).unwrap()] && latest_wording(note) == Some(event.position)
            }
            _ => false,
        };
        if stands {
            let month = event.occurred.get(..7).unwrap_or(&event.occurred).to_owned();
            known.happenings.insert(event.event.clone(), month);
        }
    }
    for (event, is_live) in events.iter().zip(&live).filter(|(event, _)| event.kind == "attachment_added") {
        let id = event.payload["attachment_id"].as_str().unwrap();
        let later = || events.iter().zip(&live).filter(|(_, live)| **live).map(|(event, _)| event);
        let about = |other: &&RawEvent| other.payload["attachment_id"].as_str() == Some(id);
        // Whatever put it away first counts.
        let end = later().find(|other| {
            other.kind == "attachment_removed" && about(other)
                || other.kind == "attachment_added" && other.payload["supersedes"].as_str() == Some(id)
        });
        let standing = match (is_live, end.map(|end| end.kind.as_str())) {
            (false, _) => "undone",
            (true, Some("attachment_removed")) => "removed",
            (true, Some(_)) => "superseded",
            (true, None) => "present",
        };
        let last = |key: &str| {
            let changes = later().filter(|other| other.kind == "attachment_changed" && about(other));
            let changed = changes.filter_map(|other| other.payload[key].as_str()).next_back();
            changed.or(event.payload[key].as_str()).unwrap_or("-").to_owned()
        };
        known.files.insert(id.to_owned(), format!("{standing} {} {}", last("label"), last("file_name")));
    }
    known.version = events.last().unwrap().version;
    known.position = events.last().unwrap().position;
    known.has_files = known.files.values().any(|file| file.starts_with("present"));
    known.writers = events.iter().map(|event| event.actor.clone()).collect();
    known
}

async fn raw_events(db: &Db, household: HouseholdId) -> BTreeMap<String, Vec<RawEvent>> {
    let mut streams: BTreeMap<String, Vec<RawEvent>> = BTreeMap::new();
    let rows = sql("
        select record_id, event_id, position, version, kind, occurred, actor_id, payload from record_events
        where household_id = $1 and record_id <> $1 order by position")
    .bind(household)
    .all(db)
    .await
    .unwrap();
    for row in rows {
        streams.entry(row.uuid("record_id").unwrap().to_string()).or_default().push(RawEvent {
            event: row.uuid("event_id").unwrap().to_string(),
            position: row.int("position").unwrap(),
            version: row.int("version").unwrap(),
            kind: row.text("kind").unwrap(),
            occurred: row.text("occurred").unwrap(),
            actor: row.uuid("actor_id").unwrap().to_string(),
            payload: serde_json::from_slice(&row.bytes("payload").unwrap()).unwrap(),
        });
    }
    streams
}

async fn projected(db: &Db, household: HouseholdId) -> BTreeMap<String, Known> {
    let mut known: BTreeMap<String, Known> = BTreeMap::new();
    let rows = sql("select * from record_view where household_id = $1").bind(household).all(db).await.unwrap();
    for row in &rows {
        let state: Value = serde_json::from_str(&row.text("state").unwrap()).unwrap();
        let mut values = BTreeMap::new();
        for held in state["held"].as_array().unwrap() {
            let key = held["key"].as_str().unwrap().to_owned();
            if let Some(value) = held["value"]["value"].as_str() {
                let typed = match key.strip_prefix("field:") {
                    Some(_) => format!("{}={value}", held["value"]["type"].as_str().unwrap()),
                    None => value.to_owned(),
                };
                values.insert(key, typed);
            }
        }
        assert_eq!(values.get("title").cloned(), Some(row.text("title").unwrap()));
        assert_eq!(values.get("category").cloned(), row.opt_text("category").unwrap());
        known.insert(
            row.uuid("id").unwrap().to_string(),
            Known {
                version: row.int("version").unwrap(),
                position: row.int("position").unwrap(),
                owner: row.uuid("owner_id").unwrap().to_string(),
                visibility: row.text("visibility").unwrap(),
                deleted: row.bool("deleted").unwrap(),
                values,
                ..Known::default()
            },
        );
    }
    for row in sql("select * from record_label where household_id = $1").bind(household).all(db).await.unwrap() {
        let record = known.get_mut(&row.uuid("record_id").unwrap().to_string()).unwrap();
        let key = row.text("label_key").unwrap();
        match row.text("kind").unwrap().as_str() {
            "tag" => {
                record.tags.insert(key);
            }
            "category" => assert_eq!(key, record.values["category"].to_lowercase()),
            "by" => {
                record.writers.insert(key);
            }
            "files" => record.has_files = true,
            kind => assert_eq!((kind, key.as_str()), ("all", "")),
        }
        assert_eq!(row.int("position").unwrap(), record.position);
        let scope = if record.visibility == "private" { record.owner.clone() } else { household.to_string() };
        assert_eq!(row.uuid("scope").unwrap().to_string(), scope);
        assert_eq!(row.bool("deleted").unwrap(), record.deleted);
    }
    for row in sql("select * from timeline_entry where household_id = $1").bind(household).all(db).await.unwrap() {
        let record = known.get_mut(&row.uuid("record_id").unwrap().to_string()).unwrap();
        let event = row.uuid("event_id").unwrap().to_string();
        let scope = match (row.bool("happening").unwrap() && !record.deleted, record.visibility.as_str()) {
            (false, _) => None,
            (true, "private") => Some(record.owner.clone()),
            (true, _) => Some(household.to_string()),
        };
        assert_eq!(row.opt_uuid("scope").unwrap().map(|scope| scope.to_string()), scope, "of {event}");
        let kept_in = if record.visibility == "private" { record.owner.clone() } else { household.to_string() };
        let apart = (row.bool("happening").unwrap() && record.deleted).then_some(kept_in);
        assert_eq!(row.opt_uuid("deleted_scope").unwrap().map(|scope| scope.to_string()), apart, "of {event}");
        if row.bool("happening").unwrap() {
            let from = row.text("occurred_from").unwrap();
            let known = if row.int("occurred_precision").unwrap() == Precision::Year.rank() { 4 } else { 7 };
            record.happenings.insert(event, from[..known].to_owned());
        }
        if let Some(by) = row.opt_int("retracted_by").unwrap() {
            record.undone.insert(row.uuid("event_id").unwrap().to_string(), by);
        }
    }
    for row in sql("select * from attachment where household_id = $1").bind(household).all(db).await.unwrap() {
        let record = known.get_mut(&row.uuid("record_id").unwrap().to_string()).unwrap();
        let label = row.opt_text("label").unwrap().unwrap_or_else(|| "-".to_owned());
        let (standing, name) = (row.text("standing").unwrap(), row.text("file_name").unwrap());
        record.files.insert(row.uuid("id").unwrap().to_string(), format!("{standing} {label} {name}"));
    }
    known
}

/// Labels by scope, counted from what the naive fold knows.
fn counted(known: &BTreeMap<String, Known>, household: HouseholdId) -> BTreeMap<(String, String, String), i64> {
    let mut counts = BTreeMap::new();
    for record in known.values() {
        let scope = if record.visibility == "household" { household.to_string() } else { record.owner.clone() };
        if record.deleted {
            *counts.entry((scope, "deleted".to_owned(), String::new())).or_default() += 1;
            continue;
        }
        let category = record.values.get("category").map(|c| ("category".to_owned(), c.to_lowercase()));
        let tags = record.tags.iter().map(|tag| ("tag".to_owned(), tag.clone()));
        let all = ("all".to_owned(), String::new());
        let files = record.has_files.then(|| ("files".to_owned(), String::new()));
        for (kind, label) in category.into_iter().chain(tags).chain(files).chain([all]) {
            *counts.entry((scope.clone(), kind, label)).or_default() += 1;
        }
    }
    counts
}

/// Happenings by scope, year and month, counted from what the naive fold knows.
fn happened(known: &BTreeMap<String, Known>, household: HouseholdId) -> BTreeMap<(String, i64), [i64; 13]> {
    let mut years: BTreeMap<(String, i64), [i64; 13]> = BTreeMap::new();
    for record in known.values().filter(|record| !record.deleted) {
        let scope = if record.visibility == "household" { household.to_string() } else { record.owner.clone() };
        for month in record.happenings.values() {
            let year = month[..4].parse().unwrap();
            let month = month.get(5..).map_or(0, |month| month.parse().unwrap());
            years.entry((scope.clone(), year)).or_default()[month] += 1_i64;
        }
    }
    years
}

async fn check(db: &Db, household: HouseholdId) {
    let streams = raw_events(db, household).await;
    let told: BTreeMap<String, Known> = streams.iter().map(|(id, events)| (id.clone(), naive(events))).collect();
    assert_eq!(projected(db, household).await, told);
    let rows = sql("select * from label_count where household_id = $1").bind(household).all(db).await.unwrap();
    let labels: BTreeMap<_, i64> = rows
        .iter()
        .map(|row| {
            let key =
                (row.uuid("scope").unwrap().to_string(), row.text("kind").unwrap(), row.text("label_key").unwrap());
            (key, row.int("records").unwrap())
        })
        .collect();
    assert_eq!(labels, counted(&told, household));
    let rows = sql("select * from timeline_year where household_id = $1").bind(household).all(db).await.unwrap();
    let years: BTreeMap<_, [i64; 13]> = rows
        .iter()
        .map(|row| {
            let months = std::array::from_fn(|month| row.int(&format!("m{month}")).unwrap());
            ((row.uuid("scope").unwrap().to_string(), row.int("year").unwrap()), months)
        })
        .collect();
    assert_eq!(years, happened(&told, household));
    if db.engine() == lifeops::store::db::Engine::Postgres {
        let strays = sql("
            select coalesce(k.term, c.term) as term
            from (select f.term, f.records from search_frequency as f where f.household_id = $1 and f.records <> 0) as k
            full join (
                select t.term, count(*) as records
                from search_record as s
                cross join lateral unnest(tsvector_to_array(s.terms)) as t (term)
                where s.household_id = $1
                group by t.term
            ) as c on c.term = k.term
            where k.records is distinct from c.records")
        .bind(household)
        .all(db)
        .await
        .unwrap();
        assert!(strays.is_empty(), "{:?}", strays.iter().map(|row| row.text("term")).collect::<Vec<_>>());
    }
}

/// Every row of every projection as text, in a fixed order.
async fn dump(db: &Db, household: HouseholdId) -> Vec<String> {
    let mut rows = Vec::new();
    for (table, order, columns) in [
        ("record_view", "id", &["id", "owner_id", "state", "summary", "title", "category_key", "visibility"][..]),
        ("record_label", "record_id, kind, label_key", &["record_id", "label", "kind", "scope", "happened"][..]),
        ("search_record", "record_id", &["record_id", "title_words", "words", "note_terms"][..]),
        ("search_note", "record_id, version", &["record_id", "words"][..]),
        (
            "timeline_entry",
            "record_id, version",
            &["record_id", "event_id", "kind", "occurred_from", "scope", "deleted_scope"][..],
        ),
        (
            "record_change",
            "record_id, field, position",
            &["record_id", "field", "label", "old_value", "new_value", "effective"][..],
        ),
        ("label_count", "scope, kind, label_key", &["scope", "kind", "label_key", "label"][..]),
        ("timeline_year", "scope, year", &["scope"][..]),
        ("member_name", "member_id, position", &["member_id", "name"][..]),
        (
            "attachment",
            "position",
            &["id", "record_id", "event_id", "file_name", "label", "note_id", "supersedes_id", "standing"][..],
        ),
    ] {
        let found = sql(format!("select * from {table} where household_id = $1 order by {order}")).bind(household);
        for row in found.all(db).await.unwrap() {
            let cells: Vec<String> = columns
                .iter()
                .map(|column| match row.opt_uuid(column) {
                    Ok(id) => id.map(|id| id.to_string()).unwrap_or_default(),
                    Err(_) => row.opt_text(column).unwrap().unwrap_or_default(),
                })
                .collect();
            let numbers: Vec<i64> = [
                "version",
                "position",
                "retracted_by",
                "corrected_by",
                "records",
                "occurred_precision",
                "year",
                "m0",
                "m1",
                "m3",
            ]
            .iter()
            .filter_map(|column| row.opt_int(column).ok().flatten())
            .collect();
            rows.push(format!("{table} {cells:?} {numbers:?}"));
        }
    }
    rows
}

/// What a story must have held before it may end: otherwise it has shown little.
async fn is_rich(db: &Db, household: HouseholdId) -> Result<(), String> {
    let streams = raw_events(db, household).await;
    let all = || streams.values().flatten();
    let retraction = |event: &RawEvent| event.kind == "event_retracted";
    let kinds: BTreeSet<&str> = all().map(|event| event.kind.as_str()).collect();
    let corrected = all().any(|event| event.payload["corrects"].is_string());
    let undone_undoing = streams.values().any(|events| {
        events.iter().filter(|e| retraction(e)).any(|e| {
            let target = e.payload["event_id"].as_str().unwrap();
            events.iter().any(|other| other.event == target && retraction(other))
        })
    });
    let told_late = sql(
        "select count(*) as n from record_change where household_id = $1 and not in_force and effective is not null",
    )
    .bind(household)
    .one(db)
    .await
    .unwrap()
    .int("n")
    .unwrap();
    let rich = kinds.len() == 13 && corrected && undone_undoing && told_late > 0;
    rich.then_some(()).ok_or_else(|| {
        let events = all().count();
        format!(
            "{events} events, {kinds:?}, corrected {corrected}, undone undoing {undone_undoing}, told late {told_late}"
        )
    })
}

async fn story(house: &House, name: &str, deeds: usize) {
    let mut story = Story { house, dice: Dice::new(name), seen: Vec::new(), records: Vec::new() };
    let household = house.actors[0].household;
    let mut done = 0;
    loop {
        if done >= deeds {
            match is_rich(&house.app.db, household).await {
                Ok(()) => return,
                Err(poor) => assert!(done < 5_000, "a story of {done} deeds in which little happened: {poor}"),
            }
        }
        house.app.clock.advance(61);
        story.go_on().await;
        check(&house.app.db, household).await;
        done += 1;
    }
}

both_engines! {
    async fn projections_are_the_fold_of_the_events(engine: Engine) {
        let house = house(engine).await;
        story(&house, "projections", 300).await;
        let household = house.actors[0].household;
        let kept = dump(&house.app.db, household).await;
        upkeep::rebuild::all(&house.app, &|_, _| {}).await.unwrap();
        assert_eq!(dump(&house.app.db, household).await, kept, "a rebuild gives the same projections");
        let findings = upkeep::verify::all(&house.app, &[], &|_, _| {}).await.unwrap();
        assert!(findings.is_well(), "{:?}", findings.problems().collect::<Vec<_>>());
    }
}

async fn export(app: &App) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("export.jsonl");
    upkeep::export::to_file(app, &path, &|_, _| {}).await.unwrap();
    std::fs::read(&path).unwrap()
}

/// Export, restore on the other engine, export again: the same bytes. Both need PostgreSQL, and their names say so.
mod an_export_is_the_same_on_the_other_engine {
    use super::*;

    async fn across(from: Engine, to: Engine) {
        let house = house(from).await;
        story(&house, "across", 60).await;
        let first = export(&house.app).await;
        let place = Place::empty(to).await;
        // The files stay where they are, and open with the same key.
        let mut settings = settings(&place);
        settings.blobs = house.place.blobs();
        std::fs::copy(house.place.directory().join("master.key"), place.directory().join("master.key")).unwrap();
        let other = App::open(settings, house.app.clock.clone()).await.unwrap();
        upkeep::restore::from_reader(&other, first.as_slice(), &|_| {}).await.unwrap();
        assert_eq!(String::from_utf8(export(&other).await).unwrap(), String::from_utf8(first).unwrap());
        let household = house.actors[0].household;
        assert_eq!(dump(&other.db, household).await, dump(&house.app.db, household).await);
        let findings = upkeep::verify::all(&other, &[], &|_, _| {}).await.unwrap();
        assert!(findings.is_well(), "{:?}", findings.problems().collect::<Vec<_>>());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn postgres_from_sqlite() {
        across(Engine::Sqlite, Engine::Postgres).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn postgres_to_sqlite() {
        across(Engine::Postgres, Engine::Sqlite).await;
    }
}
