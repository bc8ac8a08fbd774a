//! What a member takes along who leaves: their private records as JSON Lines, every event whole, with its salt, its hash
//! and the hash before it, so that each can be checked against the chain by itself.
//!
//! ```text
//! {"line":"header","format":"lifeops.private-records","version":1,"household":"…","member":"…","made_at":"…"}
//! {"title":"Passport","before":"…","line":"event","position":7, …}
//! {"line":"footer","events":1}
//! ```

use serde::Serialize;

use super::lines::{EventLine, Line};
use crate::app::App;
use crate::domain::access::Actor;
use crate::domain::chain::hex;
use crate::error::{Error, Result};
use crate::store::own::{self, OwnEvent};

/// How many events are in memory at once.
const PAGE: i64 = 200;

#[derive(Serialize)]
struct Header<'a> {
    line: &'static str,
    format: &'static str,
    version: u32,
    household: String,
    household_name: &'a str,
    member: String,
    member_name: &'a str,
    made_at: String,
}

#[derive(Serialize)]
struct Told {
    title: String,
    before: String,
    #[serde(flatten)]
    event: Line,
}

#[derive(Serialize)]
struct Footer {
    line: &'static str,
    events: u64,
}

/// A member's private records, piece by piece.
#[derive(Debug)]
pub struct Pieces {
    app: App,
    actor: Actor,
    /// The position of the last event that was given.
    after: i64,
    events: u64,
    done: bool,
}

impl Pieces {
    /// The pieces, and the first line, which says whose they are.
    ///
    /// # Errors
    /// If the names cannot be written, which is never.
    pub fn begin(app: &App, actor: &Actor, household_name: &str, member_name: &str) -> Result<(Self, String)> {
        let header = line(&Header {
            line: "header",
            format: "lifeops.private-records",
            version: 1,
            household: actor.household.to_string(),
            household_name,
            member: actor.member.to_string(),
            member_name,
            made_at: app.clock.now().to_string(),
        })?;
        Ok((Self { app: app.clone(), actor: actor.clone(), after: 0, events: 0, done: false }, header))
    }

    /// Some more lines; nothing after the last.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn next(&mut self) -> Result<Option<String>> {
        if self.done {
            return Ok(None);
        }
        let events = own::events(&self.app.db, &self.actor, self.after, PAGE).await?;
        let mut text = String::new();
        for OwnEvent { event, title, before } in events {
            self.after = event.position;
            self.events += 1;
            let event = EventLine::of(event).map_err(Error::Internal)?;
            text.push_str(&line(&Told { title, before: hex(&before), event })?);
        }
        if text.is_empty() {
            self.done = true;
            text = line(&Footer { line: "footer", events: self.events })?;
        }
        Ok(Some(text))
    }
}

fn line(of: &impl Serialize) -> Result<String> {
    let mut text = serde_json::to_string(of).map_err(Error::internal)?;
    text.push('\n');
    Ok(text)
}
