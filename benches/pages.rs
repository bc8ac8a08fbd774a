//! Pages: list, record, timeline, each beside the bare page of the same rows, in turns.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt as _;
use lifeops::app::App;
use lifeops::store::db::Sql;
use tower::ServiceExt as _;

use crate::load::{self, Ask, Script, Took};
use crate::place::Place;
use crate::process::{self, Running};
use crate::report::{Growth, Report, median, number, range};
use crate::taped::{Pages, Taped};
use crate::words::Dice;
use crate::{Outcome, Plan, say, visitor};

/// A page that is measured.
#[derive(Clone)]
pub struct Page {
    pub name: &'static str,
    /// What is said of it in the report.
    pub words: String,
    /// Its addresses, the same for the program and the bare server; clients ask for them in a random order.
    pub paths: Arc<Vec<String>>,
}

impl Page {
    pub fn script(&self, cookie: Option<&str>) -> Script {
        let (paths, cookie) = (Arc::clone(&self.paths), cookie.map(str::to_owned));
        Arc::new(move |client, n| {
            let at = Dice::new((client * 1_000_003 + n) as u64).below(paths.len());
            Ask { cookie: cookie.clone(), ..Ask::page(paths[at].clone()) }
        })
    }

    pub fn first(&self) -> Ask {
        Ask::page(self.paths[0].clone())
    }
}

/// The pages of a place, and what the bare server is told of them.
pub async fn prepare(place: &Place, cookie: &str) -> Outcome<(Vec<Page>, Vec<String>)> {
    let app = place.open().await?;
    let actor = visitor::actor(&app, "ana").await?;
    let records = visitor::records(&app, &actor, (10, 14), 1_000).await?;
    let (longest, events) = visitor::longest(&app, &actor).await?;
    let path = |record| format!("/records/{record}");
    let page = |name, words: String, paths| Page { name, words, paths: Arc::new(paths) };
    let mut pages = vec![
        page("list", "list, 50 records".into(), vec!["/records".into()]),
        page("record", "record of 10 to 14 events".into(), records.into_iter().map(path).collect()),
        page("story", format!("record of {} events", number(events as f64)), vec![path(longest)]),
    ];
    let mut notes = Vec::new();
    let (asked, _) = tape(&app, cookie, "/timeline").await?;
    let timeline = rows_of_timeline(&app, &asked).await?;
    match &timeline {
        Some(_) => pages.push(page("timeline", "timeline".into(), vec!["/timeline".into()])),
        None => notes.push("**The timeline is not there: `GET /timeline` asks for no timeline_entry.**".to_owned()),
    }
    for page in &pages {
        // The first page of all prepares its statements; the second is like every other.
        tape(&app, cookie, &page.paths[0]).await?;
        let (asked, bytes) = tape(&app, cookie, &page.paths[0]).await?;
        let mut rows = 0;
        for sql in &asked {
            rows += sql.clone().all(&app.db).await?.len();
        }
        notes.push(format!(
            "- {}: {} statements, {rows} rows, {} bytes",
            page.words,
            asked.len(),
            number(bytes as f64)
        ));
    }
    let household = Pages {
        household: actor.household.0,
        member: actor.member.0,
        timeline,
        taped: std::collections::HashMap::new(),
    };
    std::fs::write(place.directory.join("statements.json"), serde_json::to_vec(&household)?)?;
    app.db.close().await;
    Ok((pages, notes))
}

/// What the program asks its database for a page, and how large the page is.
pub async fn tape(app: &App, cookie: &str, path: &str) -> Outcome<(Vec<Sql>, usize)> {
    let request = Request::get(path).header("host", "127.0.0.1").header("cookie", cookie).body(Body::empty())?;
    app.db.meter().record(true);
    let response = lifeops::web::router(app.clone()).oneshot(request).await?;
    let asked = app.db.meter().record(false);
    Ok((asked, response.into_body().collect().await?.to_bytes().len()))
}

/// The statement with which the timeline's rows come: of those that name the projection, the one with the most rows. The
/// program knows what its members are called; whoever does not has to look it up.
async fn rows_of_timeline(app: &App, asked: &[Sql]) -> Outcome<Option<Taped>> {
    let mut best: Option<(usize, Taped)> = None;
    for sql in asked.iter().filter(|sql| sql.text().contains("timeline_entry")) {
        let rows = sql.clone().all(&app.db).await?.len();
        if best.as_ref().is_none_or(|(most, _)| rows > *most) {
            best = Some((rows, Taped::from(sql)));
        }
    }
    Ok(best.map(|(_, Taped { text, values })| Taped {
        text: format!(
            "select w.*, m.name as actor_name from ({text}) as w
             left join member as m on m.household_id = $1 and m.id = w.actor_id"
        ),
        values,
    }))
}

/// One measured block.
#[derive(Clone, Debug)]
pub struct Block {
    pub took: Took,
    /// Processor time of the server for each answer, in microseconds.
    pub cpu: f64,
}

async fn block(server: &Running, clients: usize, plan: &Plan, script: Script) -> Outcome<Block> {
    let before = server.cpu();
    let took = load::run(server.address, clients, plan.time, script).await?;
    let cpu = (server.cpu() - before) as f64 / took.answers.max(1) as f64;
    Ok(Block { took, cpu })
}

/// A round of one page: the program's block, the bare server's, and the anchor from memory in front of them.
pub type Rounds = BTreeMap<&'static str, Vec<(f64, Block, Block)>>;

pub async fn measure(plan: &Plan, place: &Place, size: usize, report: &mut Report, growth: &mut Growth) -> Outcome<()> {
    let program = process::program(&plan.program, place, &Ask { status: 303, ..Ask::page("/records") }).await?;
    let cookie = visitor::sign_in(program.address, "ana").await?;
    let (mut pages, notes) = prepare(place, &cookie).await?;
    report.line("\nWhat the program asks its database for a page of somebody who is signed in:\n");
    notes.iter().for_each(|note| report.line(note));
    pages.retain(|page| plan.pages.is_empty() || plan.pages.iter().any(|name| name == page.name));
    let bare = process::bare(place, &Ask::page("/memory")).await?;
    for &clients in &plan.connections {
        let probe = (process::load_average(), process::disk(&place.directory)?);
        let rounds = rounds(plan, &program, &bare, &pages, &cookie, clients).await?;
        let words = if clients == 1 { "1 connection".to_owned() } else { format!("{clients} connections") };
        report.heading(&format!("Pages, {words}"));
        report.columns(&[
            "page",
            "req/s",
            "p50 ms",
            "p99 ms",
            "CPU µs/req",
            "bare req/s",
            "bare p50 ms",
            "bare p99 ms",
            "bare CPU µs/req",
            "**ratio** (range)",
        ]);
        for page in &pages {
            row(report, growth, place, size, clients, page, &rounds[page.name]);
        }
        report.line(&format!(
            "\nLoad average {:.1} before, {:.1} after; a durable write of 4 KiB takes {:.2} and {:.2} ms.",
            probe.0,
            process::load_average(),
            probe.1,
            process::disk(&place.directory)?
        ));
    }
    Ok(())
}

pub async fn rounds(
    plan: &Plan,
    program: &Running,
    bare: &Running,
    pages: &[Page],
    cookie: &str,
    clients: usize,
) -> Outcome<Rounds> {
    let short = Plan { time: plan.time / 6, ..plan.clone() };
    let memory: Script = Arc::new(|_, _| Ask::page("/memory"));
    for page in pages {
        block(program, clients, &short, page.script(Some(cookie))).await?;
        block(bare, clients, &short, page.script(None)).await?;
    }
    let mut rounds = Rounds::new();
    for round in 0..plan.rounds {
        let anchor = block(bare, 8, &short, Arc::clone(&memory)).await?.took.per_second();
        for page in pages {
            let (ours, theirs) = if round % 2 == 0 {
                let ours = block(program, clients, plan, page.script(Some(cookie))).await?;
                (ours, block(bare, clients, plan, page.script(None)).await?)
            } else {
                let theirs = block(bare, clients, plan, page.script(None)).await?;
                (block(program, clients, plan, page.script(Some(cookie))).await?, theirs)
            };
            rounds.entry(page.name).or_default().push((anchor, ours, theirs));
        }
    }
    let best = rounds.values().flatten().map(|(anchor, _, _)| *anchor).fold(0.0, f64::max);
    for kept in rounds.values_mut() {
        let all = kept.len();
        kept.retain(|(anchor, _, _)| *anchor >= best / 2.0);
        if kept.len() < all {
            say(&format!("{} of {all} rounds dropped: the machine was busy with something else", all - kept.len()));
        }
    }
    Ok(rounds)
}

fn row(
    report: &mut Report,
    growth: &mut Growth,
    place: &Place,
    size: usize,
    clients: usize,
    page: &Page,
    rounds: &[(f64, Block, Block)],
) {
    let of = |read: &dyn Fn(&(f64, Block, Block)) -> f64| median(&rounds.iter().map(read).collect::<Vec<_>>());
    let ratios: Vec<f64> = rounds.iter().map(|(_, a, b)| a.took.per_second() / b.took.per_second()).collect();
    let (least, most) = range(&ratios);
    let p50 = of(&|(_, a, _)| a.took.within(0.5));
    growth.note(place.engine.name(), &format!("{}, {clients} at once", page.name), size, p50);
    report.row(&[
        page.words.clone(),
        number(of(&|(_, a, _)| a.took.per_second())),
        number(p50),
        number(of(&|(_, a, _)| a.took.within(0.99))),
        number(of(&|(_, a, _)| a.cpu)),
        number(of(&|(_, _, b)| b.took.per_second())),
        number(of(&|(_, _, b)| b.took.within(0.5))),
        number(of(&|(_, _, b)| b.took.within(0.99))),
        number(of(&|(_, _, b)| b.cpu)),
        format!("**{:.2}** ({least:.2}–{most:.2})", median(&ratios)),
    ]);
}
