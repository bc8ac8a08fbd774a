//! What keeps an account safe: its password, its second step, and where it is signed in.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use jiff::tz::TimeZone;

use super::account::{Asked, current, in_words, not_proven, too_soon};
use super::error::HtmlError;
use super::forms::{Errors, RawForm};
use super::guards::Me;
use super::moments;
use super::page::{Flash, Frame, Tab};
use super::reply::{page_with, see_other};
use super::session::{self, Auth, Member};
use super::visit::Visit;
use crate::app::App;
use crate::commands::{accounts, second_factor};
use crate::error::Result;
use crate::passwords::Password;
use crate::store::second_factors::SecondFactor;
use crate::store::sessions::{self, OwnSession};

/// `GET /account/security`
pub async fn show(
    State(app): State<App>,
    Me(me): Me,
    auth: Auth,
    visit: Visit,
    Query(asked): Query<Asked>,
) -> Result<Response, HtmlError> {
    Ok(shown(&app, &auth, &visit, &me, flash(&asked.done), &Errors::none()).await?)
}

fn flash(done: &str) -> Option<Flash> {
    let text = match done {
        "password" => "Your password was changed. Your other devices are signed out.",
        "session" => "That device is signed out.",
        "others" => "All your other devices are signed out.",
        "factor-off" => "The second step is off. Your password alone signs you in.",
        _ => return None,
    };
    Some(Flash::new("Saved", text))
}

/// `POST /account/password`
pub async fn change_password(
    State(app): State<App>,
    Me(me): Me,
    mut auth: Auth,
    visit: Visit,
    raw: RawForm,
) -> Result<Response, HtmlError> {
    let mut errors = Errors::of_form(&raw);
    let password = current(&raw, "current", "current", &mut errors);
    let new = errors.take("new", raw.get("new").parse(Password::parse));
    let mut seconds = None;
    if let (Some(new), true) = (new, errors.is_empty()) {
        match accounts::change_password(&app, &visit.caller(), me.account, &password, &new).await {
            Ok(()) => {
                session::sign_in(&mut auth, &visit, me.account).await?;
                return Ok(see_other("/account/security?done=password"));
            }
            Err(error) => seconds = not_proven(&mut errors, "current", error)?,
        }
    }
    Ok(too_soon(shown(&app, &auth, &visit, &me, None, &errors).await?, seconds))
}

/// `POST /account/sessions/sign-out`
pub async fn sign_out_session(State(app): State<App>, Me(me): Me, raw: RawForm) -> Result<Response, HtmlError> {
    let session = raw.text("session");
    let is_key = !session.is_empty() && session.len() <= 128 && session.bytes().all(|byte| byte.is_ascii_graphic());
    if is_key && sessions::end(&app.db, me.account, &session).await? {
        Ok(see_other("/account/security?done=session"))
    } else {
        Ok(see_other("/account/security"))
    }
}

/// `POST /account/sessions/sign-out-others`
pub async fn sign_out_others(
    State(app): State<App>,
    Me(me): Me,
    mut auth: Auth,
    visit: Visit,
) -> Result<Response, HtmlError> {
    accounts::end_sessions(&app, me.account).await?;
    session::sign_in(&mut auth, &visit, me.account).await?;
    Ok(see_other("/account/security?done=others"))
}

async fn shown(
    app: &App,
    auth: &Auth,
    visit: &Visit,
    me: &Member,
    flash: Option<Flash>,
    errors: &Errors,
) -> Result<Response> {
    let (idle, max) = (app.settings.session_idle, app.settings.session_max);
    let own = sessions::of_account(&app.db, me.account, visit.at, idle, max).await?;
    let this = auth.session.id().map(|id| sessions::key(&id));
    let zone = TimeZone::get(&me.actor.zone).unwrap_or(TimeZone::UTC);
    let page = SecurityPage {
        frame: Frame::member("Security", Tab::None, me.who()).flash(flash).wrong(!errors.is_empty()),
        me,
        sessions: own.into_iter().map(|session| SessionLine::of(session, this.as_deref(), &zone)).collect(),
        factor: second_factor::of(app, me.account).await?.map(|factor| FactorLine::of(&factor, &zone)),
        errors,
    };
    Ok(page_with(errors.status(), &page))
}

/// The second step as it stands.
struct FactorLine {
    since: String,
    since_iso: String,
    codes: String,
}

impl FactorLine {
    fn of(factor: &SecondFactor, zone: &TimeZone) -> Self {
        let codes = match factor.codes_left {
            0 => "No recovery code is left: make new ones.".to_owned(),
            1 => "One recovery code is left.".to_owned(),
            left => format!("{left} recovery codes are left."),
        };
        Self { since: in_words(factor.turned_on_at, zone), since_iso: moments::iso(factor.turned_on_at), codes }
    }
}

struct SessionLine {
    key: String,
    device: String,
    address: String,
    this: bool,
    last_used: String,
    last_iso: String,
    created: String,
    created_iso: String,
}

impl SessionLine {
    fn of(session: OwnSession, this: Option<&str>, zone: &TimeZone) -> Self {
        Self {
            this: this == Some(session.key.as_str()),
            last_used: in_words(session.last_seen, zone),
            last_iso: moments::iso(session.last_seen),
            created: in_words(session.created_at, zone),
            created_iso: moments::iso(session.created_at),
            key: session.key,
            device: session.device,
            address: session.address,
        }
    }
}

#[derive(Template)]
#[template(path = "account/security.html")]
struct SecurityPage<'a> {
    frame: Frame,
    me: &'a Member,
    sessions: Vec<SessionLine>,
    factor: Option<FactorLine>,
    errors: &'a Errors,
}
