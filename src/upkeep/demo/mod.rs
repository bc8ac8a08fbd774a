//! A household to look around in: three people, some forty records, ten years. The story stands in `story/*.txt`, dated
//! by years before the current one, so that it is fresh on any day; it is played through the same commands that pages
//! use, each event under its own clock, and what would lie ahead of today is left out.

mod play;
mod script;
mod sentence;

use jiff::tz::TimeZone;

use crate::app::{App, Clock, Parts};
use crate::commands::accounts::{self, NewHousehold, NewMember, SetUp};
use crate::commands::news;
use crate::domain::Refusal;
use crate::domain::access::{Actor, Role, Via};
use crate::domain::instant::Instant;
use crate::domain::person::Email;
use crate::error::{Error, Result};
use crate::passwords::Password;
use crate::store::ledger;
use play::Player;
use script::{Member, Script};

/// What an installation holds after it was filled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Filled {
    /// What the household is called.
    pub household: String,
    /// Who can sign in, all with the same password.
    pub people: Vec<Person>,
    /// How many records there are, deleted ones included.
    pub records: usize,
    /// How many events there are, the household's own included.
    pub events: i64,
}

/// Somebody who can sign in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Person {
    /// What the member is called.
    pub name: String,
    /// The address to sign in with.
    pub email: Email,
    /// What the member may do.
    pub role: Role,
}

/// How long ago everybody last looked at what is new, in seconds.
const LAST_LOOK: i64 = 40 * 24 * 60 * 60;

/// What a visit asks first: the same words wherever an installation is not empty.
const NOT_EMPTY: &str = "This installation is not empty, and the demo household moves only into an empty one. Name a new \
                         data directory or database.";

/// Fills an empty installation. `progress` is told how many steps of how many are done.
///
/// # Errors
/// [`Error::Refused`] if somebody lives here already; otherwise as every write. What was written before a failure
/// stays.
pub async fn fill(app: &App, password: &Password, progress: &(dyn Fn(u64, u64) + Send + Sync)) -> Result<Filled> {
    let now = app.clock.now();
    // The year of the story is that of its house, wherever the server stands.
    let home = TimeZone::get(script::HOME).map_err(Error::internal)?;
    let mut script = Script::read(now.local(&home).year()).map_err(Error::internal)?;
    script.members.retain(|member| member.joins <= now);
    script.scenes.retain(|scene| scene.at <= now);
    let total = (script.members.len() + script.scenes.len()) as u64;
    let (mut people, mut players) = (Vec::new(), Player::new(app));
    let mut arrivals = script.members.into_iter().peekable();
    // Everybody looked around some weeks ago, so that the start page tells of a few things that are new.
    let (mut here, last_look) = (Vec::new(), now.plus_seconds(-LAST_LOOK));
    for (done, scene) in (0_u64..).zip(&script.scenes) {
        while let Some(member) = arrivals.next_if(|member| member.joins <= scene.at) {
            let arrived = arrive(app, &script.household, &member, password, people.is_empty()).await?;
            here.push(arrived.clone());
            players.welcome(member.name.as_str(), arrived);
            people.push(Person { name: member.name.to_string(), email: member.email, role: member.role });
        }
        if scene.at > last_look {
            for actor in here.drain(..) {
                let position = ledger::households(&app.db).await?.first().map_or(0, |household| household.position);
                news::seen(app, &actor, None, position).await?;
            }
        }
        players.play(scene).await.map_err(|error| match error {
            Error::Internal(problem) => Error::Internal(format!("{}: {problem}", scene.place)),
            other => Error::Internal(format!("{}: {other}", scene.place)),
        })?;
        progress(done + 1 + people.len() as u64, total);
    }
    let events = ledger::households(&app.db).await?.iter().map(|household| household.position).sum();
    Ok(Filled { household: script.household.to_string(), people, records: players.records(), events })
}

/// Somebody joins: the first one begins the household, as set-up does.
async fn arrive(
    app: &App,
    household: &crate::domain::text::HouseholdName,
    member: &Member,
    password: &Password,
    first: bool,
) -> Result<Actor> {
    let app = at(app, member.joins);
    let (name, email) = (member.name.clone(), member.email.clone());
    let (password, zone) = (password.clone(), member.zone.clone());
    if first {
        let new = NewHousehold { household: household.clone(), name, email, password, zone };
        if accounts::set_up(&app, &accounts::set_up_code(&app), new).await? == SetUp::Closed {
            return Err(Error::Refused(Refusal::new(NOT_EMPTY)));
        }
    } else {
        let house = ledger::households(&app.db).await?;
        let house = house.first().ok_or(Error::NotFound)?;
        accounts::add_member(&app, house.id, NewMember { name, email, password, role: member.role, zone }).await?;
    }
    let found = accounts::find(&app, &member.email).await?;
    Ok(Actor {
        household: found.household,
        member: found.member,
        role: found.role,
        zone: found.zone,
        via: Via::Page,
        via_ref: Some("demo".to_owned()),
    })
}

/// The same installation at another moment.
fn at(app: &App, moment: Instant) -> App {
    Parts { clock: Clock::fixed(moment), ..Parts::clone(app) }.into()
}
