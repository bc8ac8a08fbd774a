//! What comes after a right password: the second step if there is one, the session, what must be told, and where the person
//! was going.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use jiff::tz::TimeZone;

use super::error::HtmlError;
use super::forms::{PARKED, RawForm};
use super::guards::{Me, own_path};
use super::page::{Frame, Tab};
use super::reply::{page, see_other};
use super::session::{self, Auth, Member};
use super::visit::Visit;
use super::{account, parked, sign_in_code};
use crate::app::App;
use crate::commands::proof::Proven;
use crate::commands::{self, second_factor};
use crate::domain::instant::Instant;
use crate::error::Result;
use crate::store::resets::{self, Untold};

/// Where somebody is going who signs in: a page, and perhaps a form that was turned away.
#[derive(Clone, Debug, Default)]
pub struct Going {
    /// The path; what is not one of ours leads to the start page.
    pub next: String,
    /// The form, sealed; empty if there is none.
    pub parked: String,
}

impl Going {
    /// What a form carries on.
    pub fn of(raw: &RawForm) -> Self {
        Self { next: raw.text("next"), parked: raw.text(PARKED) }
    }

    /// The path, if it is worth carrying on.
    pub fn next(&self) -> Option<&str> {
        own_path(&self.next).filter(|path| *path != "/")
    }

    async fn follow(&self, app: &App, auth: &Auth, visit: &Visit) -> Result<Response> {
        if !self.parked.is_empty()
            && let Some(form) = parked::shown_again(app, auth, visit, &self.parked).await?
        {
            return Ok(form);
        }
        Ok(see_other(self.next().unwrap_or("/")))
    }
}

/// Goes on for somebody whose password was right. No session begins before everything that the account asks for is right.
pub async fn after_password(
    app: &App,
    auth: &mut Auth,
    visit: &Visit,
    proven: Proven,
    going: Going,
) -> Result<Response, HtmlError> {
    if second_factor::of(app, proven.account).await?.is_some() {
        return Ok(sign_in_code::ask(app, proven, &going)?);
    }
    Ok(arrive(app, auth, visit, proven, going).await?)
}

/// Begins the session of somebody who has shown everything that the account asks for.
pub async fn arrive(app: &App, auth: &mut Auth, visit: &Visit, proven: Proven, going: Going) -> Result<Response> {
    session::sign_in_as(auth, visit, proven).await?;
    let untold = resets::untold(&app.db, proven.account).await?;
    match auth.user.clone() {
        Some(member) if untold != Untold::default() => Ok(tell(visit, &member, untold, going)),
        _ => going.follow(app, auth, visit).await,
    }
}

/// `POST /account/told`: the person has read it, and goes on.
pub async fn told(
    State(app): State<App>,
    Me(me): Me,
    auth: Auth,
    visit: Visit,
    raw: RawForm,
) -> Result<Response, HtmlError> {
    if let Some(seen) = raw.text("seen").parse::<i64>().ok().filter(|micros| *micros <= visit.at.micros()) {
        commands::resets::told(&app, me.account, Instant::from_micros(seen)).await?;
    }
    Ok(Going::of(&raw).follow(&app, &auth, &visit).await?)
}

fn tell(visit: &Visit, member: &Member, untold: Untold, going: Going) -> Response {
    let zone = TimeZone::get(&member.actor.zone).unwrap_or(TimeZone::UTC);
    let on = |at: Instant| account::in_words(at, &zone);
    let password = untold.password.map(|at| {
        format!("Whoever runs this server reset your password on {}, and signed you out everywhere.", on(at))
    });
    let factor = untold.second_factor.map(|at| {
        format!(
            "Whoever runs this server removed your second step on {}. Your password alone signs you in now.",
            on(at)
        )
    });
    page(&ToldPage {
        frame: Frame::member("Something was reset", Tab::None, member.who()),
        sentences: password.into_iter().chain(factor).collect(),
        seen: visit.at.micros(),
        going,
    })
}

#[derive(Template)]
#[template(path = "sign_in/told.html")]
struct ToldPage {
    frame: Frame,
    sentences: Vec<String>,
    seen: i64,
    going: Going,
}
