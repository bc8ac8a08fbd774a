//! The account page: name, time zone, address, password, and where one is signed in. One page of small forms, each of
//! which comes back whole when it is refused.

use std::sync::LazyLock;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::error::HtmlError;
use super::forms::{Errors, RawForm};
use super::guards::Me;
use super::page::{Flash, Frame, Tab};
use super::reply::{page_with, see_other};
use super::session::{self, Auth, Member};
use super::visit::Visit;
use crate::app::App;
use crate::commands::accounts::{self, NewHousehold};
use crate::domain::instant::Instant;
use crate::domain::person::{Email, Zone};
use crate::domain::text::{HouseholdName, MemberName};
use crate::error::{Error, Result};
use crate::passwords::Password;
use crate::store::sessions::{self, OwnSession};

/// What was just done, as a word in the address.
#[derive(Debug, Deserialize)]
pub struct Asked {
    #[serde(default)]
    done: String,
}

/// `GET /account`
pub async fn show(
    State(app): State<App>,
    Me(me): Me,
    auth: Auth,
    visit: Visit,
    Query(asked): Query<Asked>,
) -> Result<Response, HtmlError> {
    let frame = Frame::member("Your account", Tab::None, me.who()).flash(flash(&asked.done));
    let here = Here { app: &app, auth: &auth, visit: &visit, me: &me };
    Ok(here.shown(frame, Form::of(&me), &Errors::none()).await?)
}

fn flash(done: &str) -> Option<Flash> {
    let text = match done {
        "name" => "Your name was changed.",
        "zone" => "Your time zone was changed.",
        "email" => "Your email address was changed. Sign in with the new one from now on.",
        "password" => "Your password was changed. Your other devices are signed out.",
        "session" => "That device is signed out.",
        "others" => "All your other devices are signed out.",
        _ => return None,
    };
    Some(Flash::new("Saved", text))
}

/// `POST /account/name`
pub async fn rename(
    State(app): State<App>,
    Me(me): Me,
    auth: Auth,
    visit: Visit,
    raw: RawForm,
) -> Result<Response, HtmlError> {
    let mut errors = Errors::of_form(&raw);
    let form = Form { name: raw.text("name"), ..Form::of(&me) };
    match errors.take("name", raw.get("name").parse(MemberName::parse)) {
        Some(name) if errors.is_empty() => match accounts::rename(&app, &me.actor, name).await {
            Ok(()) => Ok(see_other("/account?done=name")),
            Err(Error::Refused(refusal)) => {
                errors.add("name", refusal.0);
                Here { app: &app, auth: &auth, visit: &visit, me: &me }.refused(form, &errors).await
            }
            Err(error) => Err(error.into()),
        },
        _ => Here { app: &app, auth: &auth, visit: &visit, me: &me }.refused(form, &errors).await,
    }
}

/// `POST /account/zone`
pub async fn set_zone(
    State(app): State<App>,
    Me(me): Me,
    auth: Auth,
    visit: Visit,
    raw: RawForm,
) -> Result<Response, HtmlError> {
    let mut errors = Errors::of_form(&raw);
    let form = Form { zone: raw.text("zone"), ..Form::of(&me) };
    match errors.take("zone", raw.get("zone").parse(Zone::parse)) {
        Some(zone) if errors.is_empty() => {
            accounts::set_zone(&app, me.account, &zone).await?;
            Ok(see_other("/account?done=zone"))
        }
        _ => Here { app: &app, auth: &auth, visit: &visit, me: &me }.refused(form, &errors).await,
    }
}

/// `POST /account/email`
pub async fn change_email(
    State(app): State<App>,
    Me(me): Me,
    auth: Auth,
    visit: Visit,
    raw: RawForm,
) -> Result<Response, HtmlError> {
    let mut errors = Errors::of_form(&raw);
    let form = Form { email: raw.text("email"), ..Form::of(&me) };
    let email = errors.take("email", raw.get("email").parse(Email::parse));
    let password = current(&raw, "password", "email-password", &mut errors);
    if let (Some(email), true) = (email, errors.is_empty()) {
        match accounts::change_email(&app, visit.network(), me.account, &password, &email).await {
            Ok(()) => return Ok(see_other("/account?done=email")),
            Err(Error::Refused(refusal)) if refusal.0 == accounts::ADDRESS_TAKEN => errors.add("email", refusal.0),
            Err(error) => {
                return Here { app: &app, auth: &auth, visit: &visit, me: &me }
                    .not_proven(form, errors, "email-password", error)
                    .await;
            }
        }
    }
    Here { app: &app, auth: &auth, visit: &visit, me: &me }.refused(form, &errors).await
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
    if let (Some(new), true) = (new, errors.is_empty()) {
        match accounts::change_password(&app, visit.network(), me.account, &password, &new).await {
            Ok(()) => {
                session::sign_in(&mut auth, &visit, me.account).await?;
                return Ok(see_other("/account?done=password"));
            }
            Err(error) => {
                return Here { app: &app, auth: &auth, visit: &visit, me: &me }
                    .not_proven(Form::of(&me), errors, "current", error)
                    .await;
            }
        }
    }
    Here { app: &app, auth: &auth, visit: &visit, me: &me }.refused(Form::of(&me), &errors).await
}

/// `POST /account/sessions/sign-out`
pub async fn sign_out_session(State(app): State<App>, Me(me): Me, raw: RawForm) -> Result<Response, HtmlError> {
    let session = raw.text("session");
    let is_key = !session.is_empty() && session.len() <= 128 && session.bytes().all(|byte| byte.is_ascii_graphic());
    if is_key && sessions::end(&app.db, me.account, &session).await? {
        Ok(see_other("/account?done=session"))
    } else {
        Ok(see_other("/account"))
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
    Ok(see_other("/account?done=others"))
}

fn current(raw: &RawForm, name: &str, id: &str, errors: &mut Errors) -> String {
    let typed = raw.text(name);
    if typed.is_empty() {
        errors.add(id, "Enter your current password");
    }
    typed
}

/// What every answer of this page is made from.
struct Here<'a> {
    app: &'a App,
    auth: &'a Auth,
    visit: &'a Visit,
    me: &'a Member,
}

impl Here<'_> {
    /// A wrong or too often tried current password: the form again, with what to do.
    async fn not_proven(&self, form: Form, mut errors: Errors, id: &str, error: Error) -> Result<Response, HtmlError> {
        match error {
            Error::Refused(refusal) => {
                errors.add(id, refusal.0);
                self.refused(form, &errors).await
            }
            Error::Throttled { seconds, sentence } => {
                errors.add(id, sentence);
                Ok(throttled(self.refused(form, &errors).await?, seconds))
            }
            error => Err(error.into()),
        }
    }

    async fn refused(&self, form: Form, errors: &Errors) -> Result<Response, HtmlError> {
        let frame = Frame::member("Your account", Tab::None, self.me.who()).wrong(true);
        Ok(self.shown(frame, form, errors).await?)
    }

    async fn shown(&self, frame: Frame, form: Form, errors: &Errors) -> Result<Response> {
        let (idle, max) = (self.app.settings.session_idle, self.app.settings.session_max);
        let own = sessions::of_account(&self.app.db, self.me.account, self.visit.at, idle, max).await?;
        let this = self.auth.session.id().map(|id| sessions::key(&id));
        let zone = TimeZone::get(&self.me.actor.zone).unwrap_or(TimeZone::UTC);
        let sessions = own.into_iter().map(|session| SessionLine::of(session, this.as_deref(), &zone)).collect();
        Ok(page_with(errors.status(), &AccountPage { frame, me: self.me, form, errors, zones: &ZONES, sessions }))
    }
}

/// The same page, said to have come too soon (RFC 6585, 429).
pub(super) fn throttled(mut page: Response, seconds: i64) -> Response {
    *page.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    page.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    page
}

/// What the forms of the page hold.
struct Form {
    name: String,
    email: String,
    zone: String,
}

impl Form {
    fn of(me: &Member) -> Self {
        Self { name: me.name.clone(), email: me.email.clone(), zone: me.actor.zone.clone() }
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
            last_iso: super::moments::iso(session.last_seen),
            created: in_words(session.created_at, zone),
            created_iso: super::moments::iso(session.created_at),
            key: session.key,
            device: session.device,
            address: session.address,
        }
    }
}

fn in_words(at: Instant, zone: &TimeZone) -> String {
    at.local(zone).strftime("%-d %B %Y at %-H:%M").to_string()
}

#[derive(Template)]
#[template(path = "account/account.html")]
struct AccountPage<'a> {
    frame: Frame,
    me: &'a Member,
    form: Form,
    errors: &'a Errors,
    zones: &'a Zones,
    sessions: Vec<SessionLine>,
}

/// What somebody types who begins a household, at set-up or when registering. The password is never kept.
#[derive(Debug)]
pub(super) struct NewHouseholdForm {
    pub household: String,
    pub name: String,
    pub email: String,
    pub zone: String,
    pub code: String,
    pub code_given: bool,
}

impl Default for NewHouseholdForm {
    fn default() -> Self {
        Self {
            household: String::new(),
            name: String::new(),
            email: String::new(),
            zone: Zone::of_machine().as_str().to_owned(),
            code: String::new(),
            code_given: false,
        }
    }
}

impl NewHouseholdForm {
    pub fn of(raw: &RawForm) -> Self {
        Self {
            household: raw.text("household"),
            name: raw.text("name"),
            email: raw.text("email"),
            zone: raw.text("zone"),
            code: raw.text("code"),
            code_given: false,
        }
    }

    /// The parsed values, or what is wrong with each.
    pub fn parse(&self, raw: &RawForm, errors: &mut Errors) -> Option<NewHousehold> {
        let household = errors.take("household", raw.get("household").parse(HouseholdName::parse));
        let name = errors.take("name", raw.get("name").parse(MemberName::parse));
        let email = errors.take("email", raw.get("email").parse(Email::parse));
        let password = errors.take("password", raw.get("password").parse(Password::parse));
        let zone = errors.take("zone", raw.get("zone").parse(Zone::parse));
        let new = NewHousehold { household: household?, name: name?, email: email?, password: password?, zone: zone? };
        errors.is_empty().then_some(new)
    }
}

/// The time zones that the pages offer, by region.
pub(super) static ZONES: LazyLock<Zones> = LazyLock::new(Zones::new);

#[derive(Debug)]
pub(super) struct Zones {
    pub regions: Vec<(String, Vec<(String, String)>)>,
}

impl Zones {
    fn new() -> Self {
        let mut regions: Vec<(String, Vec<(String, String)>)> = Vec::new();
        for name in Zone::all() {
            let (region, place) = name.split_once('/').unwrap_or(("Other", name.as_str()));
            let words = place.replace('_', " ").replace('/', ", ");
            match regions.last_mut() {
                Some((last, names)) if last == region => names.push((name.clone(), words)),
                _ => regions.push((region.to_owned(), vec![(name.clone(), words)])),
            }
        }
        Self { regions }
    }

    pub fn knows(&self, zone: &str) -> bool {
        self.regions.iter().any(|(_, names)| names.iter().any(|(name, _)| name == zone))
    }
}
