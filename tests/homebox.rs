//! The import of another program's file: what becomes of each column, what is refused, and that the same file twice adds
//! nothing.

use lifeops::app::{App, Clock};
use lifeops::commands::accounts::{self, NewHousehold, NewMember};
use lifeops::domain::access::{Actor, Role, Via};
use lifeops::domain::event::{Fact, Payload};
use lifeops::domain::ids::RecordId;
use lifeops::domain::instant::Instant;
use lifeops::domain::money::Currency;
use lifeops::domain::person::{Email, Zone};
use lifeops::domain::record::Record;
use lifeops::error::Error;
use lifeops::passwords::Password;
use lifeops::store::db::sql;
use lifeops::store::streams;
use lifeops::upkeep::import_homebox::{self, Options, Report};

use crate::support::{PASSWORD, Place, settings};

const MEMBER: &str = "ana@home.example";

/// Noon of 22 November 2026, UTC.
pub fn clock() -> Clock {
    Clock::fixed(Instant::parse("2026-11-22T12:00:00.000000Z").unwrap())
}

/// An installation with one household, and its owner.
pub async fn installation(place: &Place) -> (App, Actor) {
    let app = App::open(settings(place), clock()).await.unwrap();
    let actor = household(&app, "The Lindens", MEMBER).await;
    (app, actor)
}

/// One more household with its owner.
pub async fn household(app: &App, name: &str, email: &str) -> Actor {
    let new = NewHousehold {
        household: lifeops::domain::text::HouseholdName::parse(name).unwrap(),
        name: lifeops::domain::text::MemberName::parse("Ana").unwrap(),
        email: Email::parse(email).unwrap(),
        password: Password::parse(PASSWORD).unwrap(),
        zone: Zone::parse("Europe/Lisbon").unwrap(),
    };
    accounts::add_household(app, new).await.unwrap();
    let member = accounts::find(app, &Email::parse(email).unwrap()).await.unwrap();
    Actor {
        household: member.household,
        member: member.member,
        role: member.role,
        zone: member.zone,
        via: Via::Page,
        via_ref: None,
    }
}

/// One of the samples.
pub fn sample(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/samples/homebox/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn options() -> Options {
    Options {
        member: Email::parse(MEMBER).unwrap(),
        currency: Currency::parse("EUR").ok(),
        dry_run: false,
        skip_bad_rows: false,
    }
}

/// Imports a sample as a person would who gives the currency.
pub async fn import(app: &App, name: &str) -> Report {
    import_homebox::run(app, &options(), &sample(name), &|_, _| {}).await.unwrap()
}

async fn events(app: &App) -> i64 {
    sql("select count(*) as n from record_events").one(&app.db).await.unwrap().int("n").unwrap()
}

/// The stream of the record with a title.
async fn stream(app: &App, actor: &Actor, title: &str) -> Vec<Fact> {
    let row = sql("select id from record_view where household_id = $1 and title = $2")
        .bind(actor.household)
        .bind(title)
        .one(&app.db)
        .await
        .unwrap();
    streams::facts(&app.db, actor.household, RecordId(row.uuid("id").unwrap())).await.unwrap()
}

fn fields(record: &Record) -> Vec<String> {
    record.fields().map(|(held, value)| format!("{}: {}", held.label, value.value)).collect()
}

/// Each note: when, its text, its amount.
fn notes(facts: &[Fact]) -> Vec<String> {
    facts
        .iter()
        .filter_map(|fact| match &fact.payload {
            Payload::NoteAdded(note) => {
                let amount = note.amount.map(|amount| format!(" [{amount}]")).unwrap_or_default();
                Some(format!("{} {}{amount}", fact.occurred, note.text))
            }
            _ => None,
        })
        .collect()
}

both_engines! {
    async fn every_column_finds_its_place(engine: Engine) {
        let place = Place::empty(engine).await;
        let (app, actor) = installation(&place).await;
        let report = import(&app, "household.csv").await;
        assert_eq!((report.rows, report.added, report.bad.len()), (5, 5, 0), "{report:?}");
        assert_eq!(report.unknown, ["Warehouse"]);

        let boiler = stream(&app, &actor, "Water heater").await;
        let record = lifeops::domain::fold::fold(&boiler).unwrap();
        assert_eq!(record.description(), Some("Heats the water, all of it"));
        assert_eq!(record.tags.iter().map(ToString::to_string).collect::<Vec<_>>(), ["energy", "heating"]);
        assert_eq!(fields(&record), [
            "Manufacturer: Vaillant",
            "Model number: ecoTEC",
            "Serial number: VT-1200",
            "Asset ID: 000-007",
            "Location: House / Cellar / Boiler room",
            "Quantity: 1",
            "Insured: Yes",
            "Lifetime warranty: Yes",
            "Warranty expires: 2031-03-01",
            "Warranty details: Ten years on the tank",
            "Colour: white",
            "Location (2): North wall",
            "Homebox page: https://inventory.home.example/item/7",
        ]);
        assert_eq!(notes(&boiler), [
            "2019-05-03 Bought from Müller & Söhne. [1249.50 EUR]",
            "2026-11-22 First line\nSecond line with \"quotes\"",
        ]);

        let anode = stream(&app, &actor, "Anode").await;
        let record = lifeops::domain::fold::fold(&anode).unwrap();
        assert!(fields(&record).contains(&"Part of: Water heater".to_owned()), "{:?}", fields(&record));
        assert!(fields(&record).contains(&"Archived: Yes".to_owned()));
        assert_eq!(notes(&anode), ["2021-05-03 Bought. [36.00 EUR]"]);

        // No day is known of this purchase: what is known stays as a field, and no day is made up.
        let bike = stream(&app, &actor, "Old bicycle").await;
        let record = lifeops::domain::fold::fold(&bike).unwrap();
        assert!(fields(&record).contains(&"Purchase price: 250.00 EUR".to_owned()));
        assert_eq!(notes(&bike), ["2024-06-30 Sold to Jana Å. for €120.00.\n\nShe paid in cash. [-120.00 EUR]"]);

        let chair = lifeops::domain::fold::fold(&stream(&app, &actor, "Chair").await).unwrap();
        assert_eq!(fields(&chair), ["Location: House / Kitchen", "Quantity: 4.5"]);

        let rows = sql("select distinct via, via_ref, batch_id from record_events where via = 'import'").all(&app.db).await;
        let rows = rows.unwrap();
        assert_eq!(rows.len(), 1, "one batch");
        assert_eq!(rows[0].opt_text("via_ref").unwrap().as_deref(), Some("homebox"));
        assert_eq!(rows[0].uuid("batch_id").unwrap(), report.batch.unwrap().0);
        crate::support::audit(&app).await;
    }

    async fn the_same_file_twice_adds_nothing_and_a_changed_row_is_told(engine: Engine) {
        let place = Place::empty(engine).await;
        let (app, actor) = installation(&place).await;
        import(&app, "household.csv").await;
        let before = events(&app).await;
        // A day later, and after somebody changed a record here: the file still says what it said.
        app.clock.advance(86_400);
        let again = import(&app, "household.csv").await;
        assert_eq!((again.added, again.present, again.differing.len()), (0, 5, 0), "{again:?}");
        assert_eq!((events(&app).await, again.batch), (before, None));

        let changed = import(&app, "changed.csv").await;
        assert_eq!((changed.added, changed.present, changed.differing.len()), (1, 4, 1), "{changed:?}");
        assert_eq!(changed.differing[0].row, 2);
        assert_eq!(changed.differing[0].what, ["Colour", "purchase, sale or notes"]);
        assert_eq!(events(&app).await, before + 1);
        // The parent of the new row is not new.
        let lamp = lifeops::domain::fold::fold(&stream(&app, &actor, "Lamp").await).unwrap();
        assert!(fields(&lamp).contains(&"Part of: Water heater".to_owned()));
    }

    async fn tabs_marks_aliases_and_things_that_nothing_tells_apart(engine: Engine) {
        let place = Place::empty(engine).await;
        let (app, actor) = installation(&place).await;
        let report = import(&app, "garden.tsv").await;
        assert_eq!((report.rows, report.added), (3, 3), "{report:?}");
        let can = stream(&app, &actor, "Gießkanne, grün").await;
        assert_eq!(notes(&can), ["2020-04-18 Bought.", "2023-01-02 Sold."]);
        assert_eq!(fields(&lifeops::domain::fold::fold(&can).unwrap()), ["Location: Garten / Schuppen", "Größe: 10 l"]);
        let benches = sql("select id from record_view where title = 'Gartenbank'").all(&app.db).await.unwrap();
        assert_eq!(benches.len(), 2);
        let again = import(&app, "garden.tsv").await;
        assert_eq!((again.added, again.present), (0, 3));
    }

    async fn bad_rows_are_listed_and_nothing_is_imported(engine: Engine) {
        let place = Place::empty(engine).await;
        let (app, _) = installation(&place).await;
        let before = events(&app).await;
        let report = import(&app, "bad-rows.csv").await;
        assert!(report.refused);
        assert_eq!(events(&app).await, before);
        let bad: Vec<_> = report.bad.iter().map(|bad| (bad.row, bad.column.as_str())).collect();
        assert_eq!(bad, [
            (3, "HB.purchase_date"),
            (4, "HB.purchase_date"),
            (5, "HB.name"),
            // Row 6 is empty: a spreadsheet counts it.
            (7, "HB.purchase_price"),
            (7, "HB.quantity"),
            (8, "HB.import_ref"),
            (9, "HB.insured"),
            (10, "HB.purchase_date"),
            (11, ""),
        ]);
        assert!(report.bad.iter().all(|bad| bad.reason.ends_with('.')), "{:#?}", report.bad);
        assert!(report.bad[1].reason.contains("0202"));

        let skipping = Options { skip_bad_rows: true, ..options() };
        let report = import_homebox::run(&app, &skipping, &sample("bad-rows.csv"), &|_, _| {}).await.unwrap();
        assert_eq!((report.rows, report.added, report.refused), (10, 2, false), "{report:?}");
    }

    async fn a_dry_run_writes_nothing(engine: Engine) {
        let place = Place::empty(engine).await;
        let (app, _) = installation(&place).await;
        let before = events(&app).await;
        let dry = Options { dry_run: true, ..options() };
        let report = import_homebox::run(&app, &dry, &sample("household.csv"), &|_, _| {}).await.unwrap();
        assert_eq!((report.added, report.batch), (5, None));
        assert_eq!(events(&app).await, before);
    }

    async fn prices_without_a_currency_are_refused(engine: Engine) {
        let place = Place::empty(engine).await;
        let (app, _) = installation(&place).await;
        let none = Options { currency: None, ..options() };
        let report = import_homebox::run(&app, &none, &sample("household.csv"), &|_, _| {}).await.unwrap();
        assert!(report.refused && report.bad.iter().all(|bad| bad.reason.contains("--currency")), "{report:?}");
    }

    async fn only_who_may_write_may_import(engine: Engine) {
        let place = Place::empty(engine).await;
        let (app, actor) = installation(&place).await;
        let new = NewMember {
            name: lifeops::domain::text::MemberName::parse("Mila").unwrap(),
            email: Email::parse("mila@home.example").unwrap(),
            password: Password::parse(PASSWORD).unwrap(),
            role: Role::Viewer,
            zone: Zone::utc(),
        };
        accounts::add_member(&app, actor.household, new).await.unwrap();
        for (email, forbidden) in [("mila@home.example", true), ("nobody@home.example", false)] {
            let options = Options { member: Email::parse(email).unwrap(), ..options() };
            let refused = import_homebox::run(&app, &options, &sample("household.csv"), &|_, _| {}).await.unwrap_err();
            assert_eq!(matches!(refused, Error::Forbidden(_)), forbidden, "{refused}");
        }
    }

    async fn an_import_of_many_rows_is_one_batch(engine: Engine) {
        let place = Place::empty(engine).await;
        let (app, _) = installation(&place).await;
        let rows = (0..450).map(|n| format!("ref-{n},Thing {n},2020-01-02,note {n}\n")).collect::<String>();
        let file = format!("HB.import_ref,HB.name,HB.purchase_date,HB.notes\n{rows}");
        let half = format!("HB.import_ref,HB.name,HB.purchase_date,HB.notes\n{}", &rows[..rows.len() / 2]);
        let half = &half[..half.rfind('\n').unwrap()];
        // What an interrupted import left is found again.
        let first = import_homebox::run(&app, &options(), half.as_bytes(), &|_, _| {}).await.unwrap();
        let whole = import_homebox::run(&app, &options(), file.as_bytes(), &|_, _| {}).await.unwrap();
        assert_eq!((first.added + whole.added, whole.present), (450, first.added));
        assert_eq!(whole.events, whole.added * 3);
        let batches = sql("select distinct batch_id from record_events where via = 'import'").all(&app.db).await.unwrap();
        assert_eq!(batches.len(), 2, "one for each file");
        crate::support::audit(&app).await;
    }
}
