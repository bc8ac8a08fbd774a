//! The household log: what the household's own stream tells, in words, for owners. Names and roles are those of the
//! moment.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use jiff::tz::TimeZone;

use crate::app::App;
use crate::domain::event::{Fact, Payload};
use crate::domain::household::{self, Household};
use crate::domain::ids::MemberId;
use crate::store::members;

use super::error::HtmlError;
use super::guards::Me;
use super::household::owners_only;
use super::moments::{self, Moment};
use super::page::{Frame, Tab};
use super::paths::{Asked, with_query};
use super::records::Pages;
use super::reply::page;

/// How many entries a page shows.
const PAGE: usize = 50;

/// The log's address.
const PATH: &str = "/household/log";

/// `GET /household/log`
pub async fn show(State(app): State<App>, Me(me): Me, Asked(asked): Asked) -> Result<Response, HtmlError> {
    owners_only(&me)?;
    let before: Option<i64> = asked.text("before").parse().ok();
    let mut entries = tell(&members::log(&app.db, &me.actor).await?, &moments::zone(&me.actor));
    entries.retain(|entry| before.is_none_or(|before| entry.version < before));
    entries.reverse();
    let more = entries.len() > PAGE;
    entries.truncate(PAGE);
    let older = entries.last().filter(|_| more).map(|last| last.version.to_string());
    let heading = "Household log";
    let title = if before.is_some() { format!("{heading}, older entries") } else { heading.to_owned() };
    Ok(page(&LogPage {
        frame: Frame::member(title, Tab::Household, me.who()),
        crumbs: vec![("/household".to_owned(), "Household".to_owned()), (PATH.to_owned(), heading.to_owned())],
        heading,
        entries,
        pages: Pages {
            newer: before.map(|_| PATH.to_owned()),
            older: older.map(|older| with_query(PATH, &[("before", &older)])),
            what: "entries",
            by_title: false,
        },
    }))
}

/// Every event in words, as things stood then.
fn tell(facts: &[Fact], zone: &TimeZone) -> Vec<Entry> {
    let today = household::fold(facts);
    let mut state = Household::default();
    let mut entries = Vec::with_capacity(facts.len());
    for fact in facts {
        let words = sentence(&state, &fact.payload, zone);
        let known = fact.actor.is_some_and(|actor| state.member(actor).is_some());
        let then = fact.actor.filter(|_| known).map(|actor| name(&state, actor));
        state.apply(fact);
        let by = match fact.actor {
            None => "Whoever runs this LifeOps".to_owned(),
            Some(actor) => {
                let now = name(&today, actor);
                // Whoever begins or joins a household is known by name a moment later.
                match then.unwrap_or_else(|| state.member(actor).map_or(now.clone(), |member| member.name.clone())) {
                    then if then == now => now,
                    then => format!("{then} (now {now})"),
                }
            }
        };
        entries.push(Entry { version: fact.version, words, by, at: Moment::recorded(fact.recorded, zone) });
    }
    entries
}

/// What an event did, given how things stood before it.
fn sentence(before: &Household, payload: &Payload, zone: &TimeZone) -> String {
    match payload {
        Payload::HouseholdCreated(created) => format!("The household began as “{}”", created.name),
        Payload::HouseholdRenamed(renamed) => {
            format!("The household is called “{}” instead of “{}”", renamed.name, before.name)
        }
        Payload::MemberJoined(joined) => format!("{} joined as {}", joined.name, joined.role),
        Payload::MemberRenamed(renamed) => {
            format!("{} is called {} from now on", name(before, renamed.member_id), renamed.name)
        }
        Payload::MemberRoleChanged(changed) => {
            let was = before.member(changed.member_id).map(|member| member.role.as_str()).unwrap_or_default();
            format!("{} became {} instead of {was}", name(before, changed.member_id), changed.role)
        }
        Payload::MemberDisabled(disabled) => format!("{} was disabled", name(before, disabled.member_id)),
        Payload::MemberEnabled(enabled) => format!("{} was enabled again", name(before, enabled.member_id)),
        Payload::MemberRemoved(removed) => format!(
            "{} was removed; it holds from {}",
            name(before, removed.member_id),
            Moment::recorded(removed.holds_from, zone).words
        ),
        Payload::MemberReinstated(reinstated) => {
            format!("The removal of {} was taken back", name(before, reinstated.member_id))
        }
        other => format!("Something that this page has no words for: {}", other.kind()),
    }
}

fn name(state: &Household, member: MemberId) -> String {
    state.member(member).map_or_else(|| "Somebody".to_owned(), |member| member.name.clone())
}

struct Entry {
    version: i64,
    words: String,
    by: String,
    at: Moment,
}

#[derive(Template)]
#[template(path = "household/log.html")]
struct LogPage {
    frame: Frame,
    crumbs: Vec<(String, String)>,
    heading: &'static str,
    entries: Vec<Entry>,
    pages: Pages,
}
