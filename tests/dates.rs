//! What is entered comes back the same, wherever in the world one lives.

use lifeops::app::Clock;
use lifeops::domain::instant::Instant;

use crate::support::{Engine, Form, Home, Page, Place, Visitor, audit, count_events, words};

const ZONES: [&str; 5] =
    ["Pacific/Kiritimati", "Pacific/Pago_Pago", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu"];

/// What is typed (date, time), what the page's `time` element then holds, and what it says in words.
const ENTRIES: &[(&str, &str, &str, &str)] = &[
    ("27 3 2025", "", "2025-03-27", "27 March 2025"),
    ("27.3.2025", "", "2025-03-27", "27 March 2025"),
    ("27/3/2025", "", "2025-03-27", "27 March 2025"),
    ("27 March 2025", "", "2025-03-27", "27 March 2025"),
    ("2025-03-27", "", "2025-03-27", "27 March 2025"),
    ("27 3 2025", "00:00", "2025-03-27T00:00", "27 March 2025"),
    ("27 3 2025", "23:59", "2025-03-27T23:59", "27 March 2025"),
    ("30 3 2025", "02:30", "2025-03-30T02:30", "30 March 2025"), // an hour that Berlin skips
    ("26 10 2025", "02:30", "2025-10-26T02:30", "26 October 2025"), // and one that it has twice
    ("30 12 2011", "12:00", "2011-12-30T12:00", "30 December 2011"), // a day that Samoa never had
    ("31 12 1994", "", "1994-12-31", "31 December 1994"),        // and one that Kiritimati never had
    ("29 2 2024", "", "2024-02-29", "29 February 2024"),
    ("March 2019", "", "2019-03", "March 2019"),
    ("5 2019", "", "2019-05", "May 2019"),
    ("2019-05", "", "2019-05", "May 2019"),
    ("2016", "", "2016", "2016"),
    ("1 1 0001", "", "0001-01-01", "1 January"),
    ("1870", "", "1870", "1870"),
];

/// 10 March 2026, 10:30 UTC: in Kiritimati it is the 11th already, in Pago Pago still the 9th.
fn noon() -> Clock {
    Clock::fixed(Instant::parse("2026-03-10T10:30:00.000000Z").unwrap())
}

async fn live_in(visitor: &Visitor, zone: &str) {
    let page = visitor.open("/account").await;
    let form = page.forms().into_iter().find(|f| f.has("zone")).expect("a form for the time zone");
    let button = form.button_words()[0].clone();
    visitor.submit(&form.fill("zone", zone), &button).await;
}

/// The path of the form that corrects the note with this text.
async fn correction(visitor: &Visitor, record: &str) -> String {
    let page = visitor.open(record).await;
    let correct = page.links().into_iter().map(|(_, href)| href).find(|href| href.contains("/notes/"));
    correct.unwrap_or_else(|| panic!("no way to correct a note: {:?}", page.links()))
}

fn entered(form: &Form) -> (String, String) {
    (form.value("occurred"), form.value("occurred_time"))
}

async fn in_every_zone(engine: Engine) {
    let home = Home::set_up(Place::empty(engine).await, noon()).await;
    for zone in ZONES {
        live_in(&home.ana, zone).await;
        for (date, time, iso, words) in ENTRIES {
            let record = home.create(&home.ana, &format!("{zone} {date}"), &[]).await;
            let form = home.ana.open(&record).await.form(words::NOTE);
            let form = form.fill("text", "Something happened").fill("occurred", date).fill("occurred_time", time);
            let page = home.ana.submit(&form, words::NOTE).await;
            let shown = |page: &Page| page.attributes("#history time", "datetime").contains(&(*iso).to_owned());
            assert!(shown(&page), "{zone}: {date} {time} is shown as {iso}: {:?}", page.attributes("time", "datetime"));
            let undo =
                page.links().into_iter().map(|(_, to)| to).find(|to| to.ends_with("/undo")).expect("a way to undo it");
            home.ana.open(&undo).await.expect_words(words);

            // The form for its correction shows it again; sent back as it is, it changes nothing.
            let path = correction(&home.ana, &record).await;
            let form = home.ana.open(&path).await.form(words::CORRECT);
            let first = entered(&form);
            let before = count_events(&home.server.app.db).await;
            home.ana.submit(&form, words::CORRECT).await;
            assert_eq!(count_events(&home.server.app.db).await, before, "{zone}: {date} {time} came back as {first:?}");

            // Typed as shown, it is the same again; and the same words in another zone.
            assert_eq!(first.1.is_empty(), time.is_empty(), "{zone}: {date} {time} came back as {first:?}");
            if !time.is_empty() {
                assert!(first.1.contains(time), "{zone}: {time} came back as {}", first.1);
            }
            assert!(shown(&home.ben.open(&record).await), "{zone}: {date} {time} reads the same for Ben in Berlin");
        }
    }
    audit(&home.server.app).await;
}

both_engines! {
    async fn what_is_entered_comes_back_the_same_in_five_zones(engine: Engine) {
        in_every_zone(engine).await;
    }

    async fn today_is_today_where_one_lives(engine: Engine) {
        let home = Home::set_up(Place::empty(engine).await, noon()).await;
        let days = [
            ("Pacific/Kiritimati", "2026-03-11"), ("Pacific/Pago_Pago", "2026-03-09"),
            ("Europe/Berlin", "2026-03-10"), ("America/St_Johns", "2026-03-10"), ("Asia/Kathmandu", "2026-03-10"),
        ];
        for (zone, day) in days {
            live_in(&home.ana, zone).await;
            let record = home.create(&home.ana, zone, &[]).await;
            let form = home.ana.open(&record).await.form(words::NOTE).fill("text", "Now").fill("occurred", "today");
            let page = home.ana.submit(&form, words::NOTE).await;
            let times = |page: &Page| page.attributes("#history time", "datetime").iter().filter(|at| *at == day).count();
            assert!(times(&page) > 0, "{zone}: today is {day}: {}", page.text());
            // What the form itself proposes is that day too.
            let form = home.ana.open(&record).await.form(words::NOTE).fill("text", "As proposed");
            let after = home.ana.submit(&form, words::NOTE).await;
            assert!(times(&after) > times(&page), "{zone}: the proposed day is {day}");
            // Tomorrow is refused with a sentence and what was typed.
            let tomorrow = "12 March 2026";
            let form = home.ana.open(&record).await.form(words::NOTE).fill("text", "Too early").fill("occurred", tomorrow);
            let page = home.ana.press(&form, words::NOTE).await.expect(422);
            assert!(!page.summary().is_empty());
            assert_eq!(page.form(words::NOTE).value("occurred"), tomorrow);
        }
    }

    async fn impossible_dates_are_refused_with_a_sentence_and_kept(engine: Engine) {
        let home = Home::set_up(Place::empty(engine).await, noon()).await;
        let record = home.create(&home.ana, "Calendar", &[]).await;
        let wrong = [
            ("31 2 2025", ""), ("29 2 2023", ""), ("0 1 2020", ""), ("1 13 2020", ""), ("0000", ""), ("10000", ""), ("soon", ""),
            ("2020-13-01", ""), ("-5", ""), ("1 1 2020", "24:00"), ("1 1 2020", "7"), ("1 1 2020", "noonish"), ("2020", "12:00"), ("May 2020", "12:00"),
        ];
        for (date, time) in wrong {
            let form = home.ana.open(&record).await.form(words::NOTE);
            let form = form.fill("text", "Never").fill("occurred", date).fill("occurred_time", time);
            let page = home.ana.press(&form, words::NOTE).await;
            assert_eq!(page.status, 422, "{date} {time}: {}", page.text());
            assert!(page.summary().iter().any(|(sentence, _)| sentence.len() > 10), "{date} {time}");
            let form = page.form(words::NOTE);
            assert_eq!(entered(&form), (date.to_owned(), time.to_owned()));
            assert_eq!(form.value("text"), "Never");
        }
        audit(&home.server.app).await;
    }
}
