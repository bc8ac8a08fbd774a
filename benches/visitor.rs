//! Somebody who is signed in, and what there is to read and to write.

use std::net::SocketAddr;

use lifeops::app::App;
use lifeops::domain::access::{Actor, Via};
use lifeops::domain::ids::RecordId;
use lifeops::store::accounts;
use lifeops::store::db::sql;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::load::{self, Ask};
use crate::{Outcome, seed};

/// Pairs as a form sends them.
pub fn encode(pairs: &[(&str, &str)]) -> String {
    let text = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    pairs.iter().map(|(name, value)| format!("{}={}", text(name), text(value))).collect::<Vec<_>>().join("&")
}

/// Signs somebody in through the page and returns the cookie.
pub async fn sign_in(address: SocketAddr, name: &str) -> Outcome<String> {
    let form = encode(&[("email", &seed::email(name)), ("password", seed::PASSWORD)]);
    let ask = Ask::form("/sign-in", form);
    let answer = load::once(address, &ask).await?;
    answer.expect(&ask)?;
    let cookie = answer.cookie.ok_or("signing in gave no cookie")?;
    Ok(cookie.split(';').next().unwrap_or_default().to_owned())
}

/// A member, as the program's own functions take one.
pub async fn actor(app: &App, name: &str) -> Outcome<Actor> {
    let address = seed::email(name);
    let all = accounts::list(&app.db).await?;
    let found = all.into_iter().find(|member| member.email == address).ok_or("nobody has that address")?;
    Ok(Actor {
        household: found.household,
        member: found.member,
        role: found.role,
        zone: found.zone,
        via: Via::Page,
        via_ref: None,
    })
}

/// Living records that the household shares, with a number of events in this range: at most so many, evenly from all.
pub async fn records(app: &App, actor: &Actor, events: (i64, i64), most: usize) -> Outcome<Vec<RecordId>> {
    let rows = sql("
        select id from record_view
        where household_id = $1 and visibility = 'household' and not deleted and version between $2 and $3
        order by id")
    .bind(actor.household)
    .bind(events.0)
    .bind(events.1)
    .all(&app.db)
    .await?;
    let every = rows.len().div_ceil(most).max(1);
    rows.iter().step_by(every).map(|row| Ok(RecordId(row.uuid("id")?))).collect()
}

/// The record with the longest story that the household shares.
pub async fn longest(app: &App, actor: &Actor) -> Outcome<(RecordId, i64)> {
    let row = sql("
        select id, version from record_view
        where household_id = $1 and visibility = 'household' and not deleted
        order by version desc, id
        limit 1")
    .bind(actor.household)
    .one(&app.db)
    .await?;
    Ok((RecordId(row.uuid("id")?), row.int("version")?))
}
