//! Who can see a record, in words: names, not only "the household".

use crate::app::App;
use crate::domain::access::{Actor, Visibility};
use crate::domain::record::Record;
use crate::store::people::People;
use crate::store::views::RecordView;

use super::moments::{self, Moment};
use super::telling::listed;

/// How many names a sentence holds.
const NAMED: usize = 8;

/// "Ana, Ben (until 10 December 2026) and Mila": those who see what the household shares now.
pub fn names(app: &App, actor: &Actor, people: &People) -> String {
    let zone = moments::zone(actor);
    let names: Vec<String> = people
        .seeing(app.clock.now())
        .map(|person| match person.until {
            Some(until) => format!("{} (until {})", person.name, Moment::day(until, &zone, None).words),
            None => person.name.clone(),
        })
        .collect();
    let more = names.len().saturating_sub(NAMED);
    if more < 2 {
        return listed(names.iter().map(String::as_str));
    }
    let others = format!("{more} others");
    listed(names.iter().map(String::as_str).take(NAMED).chain([others.as_str()]))
}

/// "Everyone in The Lindens will see it: Ana, Ben and Mila"; `does` is what they do.
pub fn everyone(app: &App, actor: &Actor, view: &RecordView, does: &str) -> String {
    match view.people.seeing(app.clock.now()).count() {
        0 | 1 => format!("Everyone in {} {does}; so far that is nobody else", view.household_name),
        _ => format!("Everyone in {} {does}: {}", view.household_name, names(app, actor, &view.people)),
    }
}

/// Who keeps a record and who sees it.
pub fn seen_by(app: &App, view: &RecordView, actor: &Actor) -> String {
    if view.state.visibility == Visibility::Private {
        return "Only you see it".to_owned();
    }
    let keeper =
        if view.is_kept_by(actor.member) { "You keep".to_owned() } else { format!("{} keeps", view.owner_name) };
    format!("{keeper} it. {}", everyone(app, actor, view, "sees it"))
}

/// The same for a record as it was: today's rights, and who kept it then if that was somebody else.
pub fn seen_by_then(app: &App, view: &RecordView, past: &Record, actor: &Actor) -> String {
    let today = seen_by(app, view, actor);
    let other = past.owner.filter(|owner| view.state.owner != Some(*owner));
    match other.and_then(|owner| view.people.called(owner, view.position)) {
        Some(owner) => format!("{today}. {owner} kept it then"),
        None => today,
    }
}
