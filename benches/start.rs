//! What it costs to be there: the cold start, memory, and the program's size.

use std::time::Duration;

use crate::load::{self, Ask};
use crate::place::Place;
use crate::report::{Report, median, number};
use crate::{Outcome, Plan, pages, process, visitor};

/// How often each is started.
const STARTS: usize = 7;

pub async fn measure(plan: &Plan, place: &Place, report: &mut Report) -> Outcome<()> {
    let first = Ask { status: 303, ..Ask::page("/records") };
    let program = process::program(&plan.program, place, &first).await?;
    let cookie = visitor::sign_in(program.address, "ana").await?;
    let (pages, _) = pages::prepare(place, &cookie).await?;
    drop(program);
    let list = &pages[0];
    let ask = list.first().by(&cookie);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        ours.push(process::program(&plan.program, place, &ask).await?.first_page.as_secs_f64() * 1000.0);
        theirs.push(process::bare(place, &list.first()).await?.first_page.as_secs_f64() * 1000.0);
    }
    let program = process::program(&plan.program, place, &Ask::page("/health/live")).await?;
    let bare = process::bare(place, &Ask::page("/memory")).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let idle = (program.memory().0, bare.memory().0);
    for page in &pages {
        load::run(program.address, 64, plan.time, page.script(Some(&cookie))).await?;
        load::run(bare.address, 64, plan.time, page.script(None)).await?;
    }
    let busy = (program.memory(), bare.memory());
    let size = |path: &std::path::Path| std::fs::metadata(path).map_or(0.0, |file| file.len() as f64 / 1_048_576.0);
    report.heading("Cold start, memory and size");
    report.columns(&["", "program", "bare", "ratio"]);
    let mut row = |what: &str, ours: f64, theirs: f64, unit: &str| {
        let cell = |n| format!("{} {unit}", number(n));
        report.row(&[what.to_owned(), cell(ours), cell(theirs), format!("{:.2}", ours / theirs)]);
    };
    row("start to the first page (median of 7)", median(&ours), median(&theirs), "ms");
    row("resident, idle after the start", idle.0, idle.1, "MiB");
    row("resident after 64 connections on every page", busy.0.0, busy.1.0, "MiB");
    row("resident at most", busy.0.1, busy.1.1, "MiB");
    row("the program’s file (bare: with the bench in it)", size(&plan.program), size(&std::env::current_exe()?), "MiB");
    Ok(())
}
