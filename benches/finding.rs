//! Finding things: lists with filters, the timeline and the search, each beside the bare statements of the same rows and
//! beside the list without a filter, in turns.

use std::collections::HashMap;
use std::sync::Arc;

use lifeops::store::db::sql;
use lifeops::store::filter::{Key, key_words};

use crate::load::Ask;
use crate::pages::{self, Page};
use crate::place::Place;
use crate::process;
use crate::report::{Growth, Report, median, number, range};
use crate::seed;
use crate::taped::{Pages, Taped};
use crate::words::Words;
use crate::{Outcome, Plan, visitor};

/// How many words, or pairs of words, of each kind are asked for in turn.
const WORDS: usize = 20;

/// The pages: what is said of each, and its addresses.
fn pages_of(middle: &str) -> Vec<Page> {
    let words = Words::new();
    let search = |query: &str| format!("/search?q={}", query.replace(' ', "+").replace('"', "%22"));
    let each = |make: &dyn Fn(usize) -> String| (0..WORDS).map(|nth| search(&make(nth))).collect::<Vec<_>>();
    let common = |nth: usize| words.of_rank(5 + nth % 20).to_owned();
    let mid = |nth: usize| words.of_rank(975 + nth).to_owned();
    let page = |name: &'static str, said: &str, paths: Vec<String>| Page {
        name,
        words: said.to_owned(),
        paths: Arc::new(paths),
    };
    let one = |path: &str| vec![path.to_owned()];
    vec![
        page("list", "list, no filter", one("/records")),
        page("tag", "list, a tag", one("/records?tag=water")),
        page("two tags", "list, two tags", one("/records?tag=water&tag=warranty")),
        page("range", "list, a category and a range", one("/records?category=Car&from=2019&until=2019")),
        page("title", "list, by title", one("/records?sort=title")),
        page("middle", "list, a page in the middle", one(middle)),
        page("timeline", "timeline, first page", one("/timeline")),
        page("year", "timeline, a year", one("/timeline?at=2019")),
        page("rare", "search, a rare word", each(&|nth| seed::planted(nth % seed::PLANTED))),
        page("mid", "search, a middling word", each(&mid)),
        page("common", "search, a common word", each(&common)),
        page("two", "search, two words (common and middling)", each(&|nth| format!("{} {}", common(nth), mid(nth)))),
        page("both", "search, two common words", each(&|nth| format!("{} {}", common(nth), common(nth + 7)))),
        page(
            "phrase",
            "search, a phrase of two common words",
            each(&|nth| format!("\"{} {}\"", common(nth), common(nth + 1))),
        ),
        page("prefix", "search, the first three letters of a word", each(&|nth| mid(nth).chars().take(3).collect())),
    ]
}

pub async fn measure(plan: &Plan, place: &Place, size: usize, report: &mut Report, growth: &mut Growth) -> Outcome<()> {
    let program = process::program(&plan.program, place, &Ask { status: 303, ..Ask::page("/records") }).await?;
    let cookie = visitor::sign_in(program.address, "ana").await?;
    let app = place.open().await?;
    let actor = visitor::actor(&app, "ana").await?;
    let last = sql("select position from household where id = $1")
        .bind(actor.household)
        .one(&app.db)
        .await?
        .int("position")?;
    let middle = format!("/records?before={}", key_words(&Key::Activity(last / 2)));
    let mut pages = pages_of(&middle);
    pages
        .retain(|page| plan.pages.is_empty() || page.name == "list" || plan.pages.iter().any(|name| name == page.name));
    let mut taped: HashMap<String, Vec<Taped>> = HashMap::new();
    report.line("\nWhat the program asks its database for a page of somebody who is signed in:\n");
    for page in &pages {
        pages::tape(&app, &cookie, &page.paths[0]).await?;
        for (nth, path) in page.paths.iter().enumerate() {
            let (asked, bytes) = pages::tape(&app, &cookie, path).await?;
            if nth == 0 {
                report.line(&format!("- {}: {} statements, {} bytes", page.words, asked.len(), number(bytes as f64)));
            }
            taped.insert(path.clone(), asked.iter().map(Taped::from).collect());
        }
    }
    let asked = Pages { household: actor.household.0, member: actor.member.0, timeline: None, taped };
    std::fs::write(place.directory.join("statements.json"), serde_json::to_vec(&asked)?)?;
    app.db.close().await;
    let bare = process::bare(place, &Ask::page("/memory")).await?;
    let rounds = pages::rounds(plan, &program, &bare, &pages, &cookie, 1).await?;
    report.heading("Finding things, 1 connection");
    report.columns(&[
        "page",
        "p50 ms",
        "p99 ms",
        "CPU µs/req",
        "bare p50 ms",
        "**ratio to bare** (range)",
        "**p50 to the list's**",
    ]);
    let of = |name: &str, read: &dyn Fn(&(f64, pages::Block, pages::Block)) -> f64| {
        median(&rounds[name].iter().map(read).collect::<Vec<_>>())
    };
    let list = of("list", &|(_, a, _)| a.took.within(0.5));
    for page in &pages {
        let p50 = of(page.name, &|(_, a, _)| a.took.within(0.5));
        let ratios: Vec<f64> =
            rounds[page.name].iter().map(|(_, a, b)| a.took.per_second() / b.took.per_second()).collect();
        let (least, most) = range(&ratios);
        growth.note(place.engine.name(), &page.words, size, p50);
        report.row(&[
            page.words.clone(),
            number(p50),
            number(of(page.name, &|(_, a, _)| a.took.within(0.99))),
            number(of(page.name, &|(_, a, _)| a.cpu)),
            number(of(page.name, &|(_, _, b)| b.took.within(0.5))),
            format!("**{:.2}** ({least:.2}–{most:.2})", median(&ratios)),
            format!("**{:.2}**", p50 / list),
        ]);
    }
    report.line(&format!("\nLoad average {:.1} after.", process::load_average()));
    Ok(())
}
