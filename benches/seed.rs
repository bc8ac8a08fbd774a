//! The seeded installation that everything is measured on: one big household, and smaller ones for the runs of appends.
//! It is written through the program's own ledger and projector, so that every row is what the program itself would
//! have written.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant as Stopwatch};

use jiff::Timestamp;
use lifeops::app::{App, Clock};
use lifeops::commands::accounts::{self, NewHousehold, NewMember};
use lifeops::config::{BlobPlace, Database, LogFormat, Registration, Settings};
use lifeops::domain::access::{Role, Via, Visibility};
use lifeops::domain::analysis::Language;
use lifeops::domain::event::{
    EventRetracted, NoteAdded, NoteCorrected, Payload, RecordCreated, RecordDeleted, RecordRestored, RecordShared,
    RecordUnshared, RecordUpdated,
};
use lifeops::domain::field::{Field, FieldType, FieldValue};
use lifeops::domain::ids::{EventId, HouseholdId, MemberId, RecordId, SubmissionKey};
use lifeops::domain::instant::Instant;
use lifeops::domain::money::{Amount, Currency, Decimal, Reading};
use lifeops::domain::person::{Email, Zone};
use lifeops::domain::text::{Category, Description, FieldName, HouseholdName, MemberName, NoteText, Tag, Title, Unit};
use lifeops::domain::when::Occurred;
use lifeops::passwords::Password;
use lifeops::store::db::{Tx, sql};
use lifeops::store::ledger::{self, Hold, Origin};
use lifeops::store::projection::{self, Projector};
use lifeops::store::{accounts as rows, submissions};
use sha2::{Digest, Sha256};

use crate::words::{Dice, Words};
use crate::{Outcome, say};

/// Everybody's password.
pub const PASSWORD: &str = "a long sentence that nobody guesses";

/// How many households there are beside the big one.
pub const NEIGHBOURS: usize = 32;

/// How many records a neighbour has, and how many notes there are on each.
const NEIGHBOUR: (usize, usize) = (200, 3);

/// Events of one transaction while seeding.
const CHUNK: usize = 2_000;

/// The first entry, and how many seconds the household has been writing since.
const BEGUN: &str = "2015-01-03T10:00:00Z";
const SPAN: i64 = 11 * 365 * 86_400;

const CATEGORIES: [&str; 14] = [
    "Appliance",
    "Car",
    "Home",
    "Health",
    "Document",
    "Contract",
    "Insurance",
    "Pet",
    "Garden",
    "Bicycle",
    "Computer",
    "Furniture",
    "School",
    "Tool",
];
const TAGS: [&str; 40] = [
    "warranty",
    "winter",
    "summer",
    "kitchen",
    "cellar",
    "attic",
    "garage",
    "kids",
    "tax",
    "gift",
    "loan",
    "urgent",
    "yearly",
    "monthly",
    "rented",
    "shared",
    "spare",
    "sold",
    "second hand",
    "online",
    "outdoor",
    "safety",
    "fire",
    "water",
    "electric",
    "gas",
    "wood",
    "paper",
    "digital",
    "travel",
    "sport",
    "music",
    "books",
    "clothes",
    "medicine",
    "teeth",
    "glasses",
    "dog",
    "cat",
    "bees",
];
const FACTS: [&str; 8] =
    ["Serial number", "Model", "Shop", "Place", "Colour", "Customer number", "Contact", "Next check"];

/// The address that somebody signs in with: the big household's owner is `ana`, the neighbours are `n0`, `n1` …
pub fn email(name: &str) -> String {
    format!("{name}@home.example")
}

/// The settings of an installation in a directory.
pub fn settings(data: &Path, database: Database) -> Settings {
    Settings {
        data: data.to_owned(),
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        base_url: None,
        database,
        database_connections: 10,
        master_key: None,
        blobs: BlobPlace::Directory(data.join("blobs")),
        file_limit: 2_000_000_000,
        form_limit: 4_000_000_000,
        quota: None,
        registration: Registration::Closed,
        trusted_proxies: Vec::new(),
        session_idle: Duration::from_secs(30 * 86_400),
        session_max: Duration::from_secs(180 * 86_400),
        removal_grace: Duration::from_secs(14 * 86_400),
        search_language: Language::English,
        log_format: LogFormat::Human,
    }
}

/// A digest of all that a seeded database depends on: schema, fold, projections and this generator.
pub fn digest() -> Outcome<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for place in [
        "migrations",
        "src/domain",
        "src/store/projection.rs",
        "src/store/projection",
        "src/store/ledger.rs",
        "benches/seed.rs",
        "benches/words.rs",
        "benches/copy.rs",
    ] {
        collect(&root.join(place), &mut files)?;
    }
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        hash.update(file.to_string_lossy().as_bytes());
        hash.update(std::fs::read(&file)?);
    }
    Ok(hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect())
}

fn collect(place: &Path, files: &mut Vec<PathBuf>) -> Outcome<()> {
    if place.is_dir() {
        for entry in std::fs::read_dir(place)? {
            collect(&entry?.path(), files)?;
        }
    } else {
        files.push(place.to_owned());
    }
    Ok(())
}

/// What the big household has much of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Much {
    /// So many events, in long and short stories.
    Events(usize),
    /// So many records of some forty words, with little that happened in each: for finding things.
    Records(usize),
}

/// How many words are planted in exactly [`IN_EACH`] records, if there are enough records.
pub const PLANTED: usize = 50;
/// In how many records each planted word stands.
const IN_EACH: usize = 20;

/// A planted word.
pub fn planted(nth: usize) -> String {
    let letter = |n: usize| char::from(b'a' + u8::try_from(n % 26).unwrap_or(0));
    format!("zq{}{}x", letter(nth / 26), letter(nth))
}

/// The directory of the seeded SQLite installation; it is made if it is not there.
pub async fn sqlite(folder: &Path, much: Much, seed: u64) -> Outcome<PathBuf> {
    let (events, kind) = match much {
        Much::Events(events) => (events, "seed"),
        Much::Records(records) => (records, "records"),
    };
    let done = folder.join(format!("{kind}-{events}-{seed}-{}", digest()?));
    if done.join("lifeops.db").exists() {
        return Ok(done);
    }
    let making = folder.join(format!("making-{kind}-{events}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&making);
    std::fs::create_dir_all(&making)?;
    let started = Stopwatch::now();
    let clock = Clock::fixed(BEGUN.parse::<Timestamp>()?.into());
    let database = Database::Sqlite(making.join("lifeops.db"));
    let app = App::open(settings(&making, database), clock).await?;
    // A power cut while seeding costs a fresh start, nothing else.
    sql("pragma synchronous = off").run(&app.db).await?;
    let mut maker = Maker::new(&app, seed);
    maker.people().await?;
    match much {
        Much::Events(events) => maker.big(events).await?,
        Much::Records(records) => maker.many(records).await?,
    }
    maker.neighbours().await?;
    // As a server does by itself.
    projection::put_in_order(&app.db, &mut projection::Order::default()).await?;
    sql("analyze").run(&app.db).await?;
    sql("pragma wal_checkpoint(truncate)").run(&app.db).await?;
    app.db.close().await;
    std::fs::rename(&making, &done)?;
    say(&format!("seeded {much:?} in {:.0} s: {}", started.elapsed().as_secs_f64(), done.display()));
    Ok(done)
}

/// A record as the generator remembers it.
struct Known {
    id: RecordId,
    version: i64,
    owner: MemberId,
    private: bool,
    deleted: bool,
    /// Its latest note, if that may still be corrected or undone.
    note: Option<EventId>,
}

struct Maker<'a> {
    app: &'a App,
    dice: Dice,
    words: Words,
    now: i64,
    step: i64,
}

/// One household while it is being written.
struct Writing {
    household: HouseholdId,
    members: Vec<MemberId>,
    records: Vec<Known>,
    projector: Projector,
}

impl<'a> Maker<'a> {
    fn new(app: &'a App, seed: u64) -> Self {
        Self { app, dice: Dice::new(seed), words: Words::new(), now: app.clock.now().micros(), step: 1_000_000 }
    }

    async fn people(&self) -> Outcome<()> {
        let code = accounts::set_up_code(self.app);
        accounts::set_up(self.app, &code, household("The Lindens", "Ana", "ana")?).await?;
        let ana = accounts::find(self.app, &Email::parse(&email("ana"))?).await?;
        for (name, role) in [("Ben", Role::Editor), ("Mila", Role::Viewer)] {
            let new = NewMember {
                name: MemberName::parse(name)?,
                email: Email::parse(&email(&name.to_lowercase()))?,
                password: Password::parse(PASSWORD)?,
                role,
                zone: Zone::parse("Europe/Berlin")?,
            };
            accounts::add_member(self.app, ana.household, new).await?;
        }
        for n in 0..NEIGHBOURS {
            let name = format!("n{n}");
            accounts::add_household(self.app, household(&format!("House {}", n + 1), "Nora", &name)?).await?;
        }
        Ok(())
    }

    async fn writing(&self, name: &str) -> Outcome<Writing> {
        let owner = accounts::find(self.app, &Email::parse(&email(name))?).await?;
        let all = rows::list(&self.app.db).await?;
        let members = all
            .iter()
            .filter(|member| member.household == owner.household && member.role.may_write())
            .map(|member| member.member)
            .collect();
        Ok(Writing { household: owner.household, members, records: Vec::new(), projector: Projector::default() })
    }

    async fn big(&mut self, events: usize) -> Outcome<()> {
        let mut writing = self.writing("ana").await?;
        self.step = (SPAN * 1_000_000) / events as i64;
        let mut written = 0;
        while written < events {
            let mut tx = self.app.db.begin().await?;
            let mut hold = ledger::hold(&mut tx, writing.household).await?;
            for _ in 0..CHUNK.min(events - written) {
                self.event(&mut tx, &mut hold, &mut writing).await?;
                written += 1;
            }
            writing.projector.finish(&mut tx).await?;
            tx.commit().await?;
            if written % 100_000 == 0 {
                say(&format!("{written} events"));
            }
        }
        Ok(())
    }

    /// Records of three words in the title, some 25 in the description and, in every second one, a note; some planted words.
    async fn many(&mut self, records: usize) -> Outcome<()> {
        let mut writing = self.writing("ana").await?;
        self.step = (SPAN * 1_000_000) / (records * 3 / 2) as i64;
        let every = (records / IN_EACH).max(1);
        let mut written = 0;
        while written < records {
            let mut tx = self.app.db.begin().await?;
            let mut hold = ledger::hold(&mut tx, writing.household).await?;
            for _ in 0..CHUNK.min(records - written) {
                let mut description = self.words.phrase(&mut self.dice, 20, 30);
                if written % every < PLANTED && written / every < IN_EACH {
                    description.push_str(&format!(" {}", planted(written % every)));
                }
                let private = written % 10 == 9;
                self.found(&mut tx, &mut hold, &mut writing, private, &description).await?;
                if written % 2 == 0 {
                    let text = NoteText::parse(&self.words.phrase(&mut self.dice, 8, 16))?;
                    let note = NoteAdded { text, amount: None, reading: None };
                    let at = writing.records.len() - 1;
                    self.append(&mut tx, &mut hold, &mut writing, at, note.into()).await?;
                }
                written += 1;
            }
            writing.projector.finish(&mut tx).await?;
            tx.commit().await?;
            // What is done needs nothing more of it.
            writing.projector = Projector::default();
            if written % 100_000 == 0 {
                say(&format!("{written} records"));
            }
        }
        Ok(())
    }

    async fn found(
        &mut self,
        tx: &mut Tx,
        hold: &mut Hold,
        writing: &mut Writing,
        private: bool,
        description: &str,
    ) -> Outcome<()> {
        let mut tags: Vec<Tag> = Vec::new();
        for _ in 0..=self.dice.below(3) {
            let tag = Tag::parse(TAGS[self.dice.below(TAGS.len()).min(self.dice.below(TAGS.len()))])?;
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        let created = RecordCreated {
            title: Title::parse(&self.words.phrase(&mut self.dice, 3, 3))?,
            visibility: if private { Visibility::Private } else { Visibility::Household },
            category: Some(Category::parse(self.dice.pick(&CATEGORIES))?),
            description: Some(Description::parse(description)?),
            tags,
            fields: Vec::new(),
            external: None,
        };
        let owner = self.dice.pick(&writing.members);
        writing.records.push(Known { id: RecordId::new(), version: 0, owner, private, deleted: false, note: None });
        let at = writing.records.len() - 1;
        self.append(tx, hold, writing, at, created.into()).await
    }

    async fn neighbours(&mut self) -> Outcome<()> {
        let events = (NEIGHBOURS * NEIGHBOUR.0 * (1 + NEIGHBOUR.1)) as i64;
        (self.now, self.step) = (self.app.clock.now().micros(), SPAN * 1_000_000 / events);
        for n in 0..NEIGHBOURS {
            let mut writing = self.writing(&format!("n{n}")).await?;
            let mut tx = self.app.db.begin().await?;
            let mut hold = ledger::hold(&mut tx, writing.household).await?;
            for _ in 0..NEIGHBOUR.0 {
                self.begin(&mut tx, &mut hold, &mut writing, false).await?;
                let at = writing.records.len() - 1;
                for _ in 0..NEIGHBOUR.1 {
                    let payload = self.note()?;
                    self.append(&mut tx, &mut hold, &mut writing, at, payload).await?;
                }
            }
            writing.projector.finish(&mut tx).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// One more event: one in ten begins a record, a quarter goes to a few long stories, the others anywhere.
    async fn event(&mut self, tx: &mut Tx, hold: &mut Hold, writing: &mut Writing) -> Outcome<()> {
        if writing.records.len() < 8 || self.dice.percent(10) {
            let private = writing.records.len() >= 8 && self.dice.percent(12);
            return self.begin(tx, hold, writing, private).await;
        }
        let long = self.dice.percent(25);
        let at = if long { self.dice.below(4) } else { self.dice.below(writing.records.len()) };
        let payload = self.next(&writing.records[at], long)?;
        self.append(tx, hold, writing, at, payload).await
    }

    fn next(&mut self, record: &Known, long: bool) -> Outcome<Payload> {
        if record.deleted {
            return Ok(RecordRestored { reason: None }.into());
        }
        Ok(match (self.dice.below(1000), record.note) {
            (0..100, _) => self.update()?,
            (100..130, Some(note)) => NoteCorrected { note, text: self.text()?, amount: None, reading: None }.into(),
            // Undoing reads the whole story again, also here.
            (130..140, Some(event_id)) if !long => EventRetracted { event_id, reason: None }.into(),
            (140..144, _) if !long => RecordDeleted { reason: None }.into(),
            (144..147, _) if !long && record.private => RecordShared {}.into(),
            (147..150, _) if !long && !record.private => RecordUnshared {}.into(),
            _ => self.note()?,
        })
    }

    fn text(&mut self) -> Outcome<NoteText> {
        Ok(NoteText::parse(&self.words.note(&mut self.dice))?)
    }

    fn note(&mut self) -> Outcome<Payload> {
        let text = self.text()?;
        let amount = match self.dice.percent(30) {
            true => Some(Amount {
                minor: 100 + self.dice.below(80_000) as i64,
                currency: Currency::parse(self.dice.pick(&["EUR", "EUR", "EUR", "CHF", "GBP"]))?,
            }),
            false => None,
        };
        let reading = match self.dice.percent(15) {
            true => Some(Reading {
                value: Decimal::parse(&format!("{}.{}", self.dice.below(90_000), self.dice.below(10)))?,
                unit: Unit::parse(self.dice.pick(&["km", "kWh", "m³"]))?,
            }),
            false => None,
        };
        Ok(NoteAdded { text, amount, reading }.into())
    }

    fn fact(&mut self) -> Outcome<Field> {
        Ok(Field {
            name: FieldName::parse(self.dice.pick(&FACTS))?,
            value: match self.dice.below(4) {
                0 => FieldValue { ty: FieldType::Number, value: self.dice.below(10_000_000).to_string() },
                1 => FieldValue { ty: FieldType::Date, value: format!("20{:02}-05", 27 + self.dice.below(9)) },
                _ => FieldValue::text(self.words.phrase(&mut self.dice, 1, 3)),
            },
        })
    }

    fn update(&mut self) -> Outcome<Payload> {
        let mut updated = RecordUpdated { fields_set: vec![self.fact()?], ..RecordUpdated::nothing() };
        if self.dice.percent(20) {
            updated.set.description = Some(Description::parse(&self.words.phrase(&mut self.dice, 5, 20))?);
        }
        Ok(updated.into())
    }

    async fn begin(&mut self, tx: &mut Tx, hold: &mut Hold, writing: &mut Writing, private: bool) -> Outcome<()> {
        let mut tags: Vec<Tag> = Vec::new();
        for _ in 0..self.dice.below(4) {
            let tag = Tag::parse(self.dice.pick(&TAGS))?;
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        let mut fields: Vec<Field> = Vec::new();
        for _ in 0..self.dice.below(4) {
            let field = self.fact()?;
            if !fields.iter().any(|other| other.name == field.name) {
                fields.push(field);
            }
        }
        let description = match self.dice.percent(50) {
            true => Some(Description::parse(&self.words.phrase(&mut self.dice, 5, 20))?),
            false => None,
        };
        let created = RecordCreated {
            title: Title::parse(&self.words.phrase(&mut self.dice, 1, 4))?,
            visibility: if private { Visibility::Private } else { Visibility::Household },
            category: match self.dice.percent(90) {
                true => Some(Category::parse(self.dice.pick(&CATEGORIES))?),
                false => None,
            },
            description,
            tags,
            fields,
            external: None,
        };
        let owner = self.dice.pick(&writing.members);
        writing.records.push(Known { id: RecordId::new(), version: 0, owner, private, deleted: false, note: None });
        let at = writing.records.len() - 1;
        self.append(tx, hold, writing, at, created.into()).await
    }

    async fn append(
        &mut self,
        tx: &mut Tx,
        hold: &mut Hold,
        writing: &mut Writing,
        at: usize,
        payload: Payload,
    ) -> Outcome<()> {
        self.now += self.step / 2 + self.dice.below(self.step.max(1) as usize) as i64;
        let now = Instant::from_micros(self.now);
        let occurred = self.occurred(now)?;
        let record = &mut writing.records[at];
        let private = record.private || matches!(payload, Payload::RecordShared(_) | Payload::RecordUnshared(_));
        let actor = if private || record.version == 0 { record.owner } else { self.dice.pick(&writing.members) };
        let origin =
            Origin { household: writing.household, actor: Some(actor), via: Via::Page, via_ref: None, batch: None };
        let drafts = vec![(occurred, payload).into()];
        let events = ledger::append(tx, hold, now, &origin, record.id, record.version, drafts).await?;
        for event in &events {
            writing.projector.apply(tx, event).await?;
            record.version = event.version;
            match event.fact()?.payload {
                Payload::NoteAdded(_) => record.note = Some(event.event),
                Payload::EventRetracted(_) => record.note = None,
                Payload::RecordDeleted(_) => record.deleted = true,
                Payload::RecordRestored(_) => record.deleted = false,
                Payload::RecordShared(_) => record.private = false,
                Payload::RecordUnshared(_) => record.private = true,
                _ => {}
            }
        }
        let member = lifeops::domain::access::Actor {
            household: writing.household,
            member: actor,
            role: Role::Owner,
            zone: "Europe/Berlin".to_owned(),
            via: Via::Page,
            via_ref: None,
        };
        let mut said = [0; 32];
        said[..8].copy_from_slice(&self.dice.next().to_le_bytes());
        submissions::accept(tx, &member, SubmissionKey::new(), said, &events).await?;
        Ok(())
    }

    /// Mostly the day itself, sometimes long before, and not always known to the day.
    fn occurred(&mut self, now: Instant) -> Outcome<Occurred> {
        let ago = match self.dice.below(100) {
            0..70 => 0,
            70..90 => self.dice.below(30),
            _ => self.dice.below(3_000),
        };
        let iso = now.plus_seconds(-86_400 * ago as i64).to_string();
        let known = match self.dice.below(100) {
            0..5 => 16,
            5..11 => 7,
            11..15 => 4,
            _ => 10,
        };
        Ok(Occurred::parse_iso(&iso[..known])?)
    }
}

fn household(name: &str, owner: &str, address: &str) -> Outcome<NewHousehold> {
    Ok(NewHousehold {
        household: HouseholdName::parse(name)?,
        name: MemberName::parse(owner)?,
        email: Email::parse(&email(address))?,
        password: Password::parse(PASSWORD)?,
        zone: Zone::parse("Europe/Berlin")?,
    })
}
