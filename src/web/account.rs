//! The account page: name, time zone, address, and who sees new records. One page of small forms, each of which comes
//! back whole when it is refused. What keeps the account safe is on a page of its own ([`super::security`]).

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
use super::session::Member;
use super::visit::Visit;
use crate::app::App;
use crate::commands::accounts::{self, NewHousehold};
use crate::domain::access::Visibility;
use crate::domain::instant::Instant;
use crate::domain::person::{Email, Zone};
use crate::domain::text::{HouseholdName, MemberName};
use crate::error::{Error, Result};
use crate::passwords::Password;
use crate::store::accounts as rows;

/// What was just done, as a word in the address.
#[derive(Debug, Deserialize)]
pub struct Asked {
    /// The word.
    #[serde(default)]
    pub(super) done: String,
}

/// `GET /account`
pub async fn show(State(app): State<App>, Me(me): Me, Query(asked): Query<Asked>) -> Result<Response, HtmlError> {
    let form = Form::of(&app, &me).await?;
    Ok(shown(&me, form, flash(&asked.done), &Errors::none()))
}

fn flash(done: &str) -> Option<Flash> {
    let text = match done {
        "name" => "Your name was changed.",
        "zone" => "Your time zone was changed.",
        "email" => "Your email address was changed. Sign in with the new one from now on.",
        "visibility" => "Your choice was saved. It counts for records that you begin from now on.",
        _ => return None,
    };
    Some(Flash::new("Saved", text))
}

/// `POST /account/name`
pub async fn rename(State(app): State<App>, Me(me): Me, raw: RawForm) -> Result<Response, HtmlError> {
    let mut errors = Errors::of_form(&raw);
    let form = Form { name: raw.text("name"), ..Form::of(&app, &me).await? };
    match errors.take("name", raw.get("name").parse(MemberName::parse)) {
        Some(name) if errors.is_empty() => match accounts::rename(&app, &me.actor, name).await {
            Ok(()) => Ok(see_other("/account?done=name")),
            Err(Error::Refused(refusal)) => {
                errors.add("name", refusal.0);
                Ok(shown(&me, form, None, &errors))
            }
            Err(error) => Err(error.into()),
        },
        _ => Ok(shown(&me, form, None, &errors)),
    }
}

/// `POST /account/zone`
pub async fn set_zone(State(app): State<App>, Me(me): Me, raw: RawForm) -> Result<Response, HtmlError> {
    let mut errors = Errors::of_form(&raw);
    let form = Form { zone: raw.text("zone"), ..Form::of(&app, &me).await? };
    match errors.take("zone", raw.get("zone").parse(Zone::parse)) {
        Some(zone) if errors.is_empty() => {
            accounts::set_zone(&app, me.account, &zone).await?;
            Ok(see_other("/account?done=zone"))
        }
        _ => Ok(shown(&me, form, None, &errors)),
    }
}

/// `POST /account/visibility`
pub async fn set_visibility(State(app): State<App>, Me(me): Me, raw: RawForm) -> Result<Response, HtmlError> {
    let mut errors = Errors::of_form(&raw);
    let form = Form { private: raw.text("visibility") == "private", ..Form::of(&app, &me).await? };
    match errors.take("v-h", raw.get("visibility").parse(str::parse::<Visibility>)) {
        Some(visibility) if errors.is_empty() => {
            accounts::set_default_visibility(&app, me.account, visibility).await?;
            Ok(see_other("/account?done=visibility"))
        }
        _ => Ok(shown(&me, form, None, &errors)),
    }
}

/// `POST /account/email`
pub async fn change_email(
    State(app): State<App>,
    Me(me): Me,
    visit: Visit,
    raw: RawForm,
) -> Result<Response, HtmlError> {
    let mut errors = Errors::of_form(&raw);
    let form = Form { email: raw.text("email"), ..Form::of(&app, &me).await? };
    let email = errors.take("email", raw.get("email").parse(Email::parse));
    let password = current(&raw, "password", "email-password", &mut errors);
    let (Some(email), true) = (email, errors.is_empty()) else { return Ok(shown(&me, form, None, &errors)) };
    match accounts::change_email(&app, &visit.caller(), me.account, &password, &email).await {
        Ok(()) => Ok(see_other("/account?done=email")),
        Err(Error::Refused(refusal)) if refusal.0 == accounts::ADDRESS_TAKEN => {
            errors.add("email", refusal.0);
            Ok(shown(&me, form, None, &errors))
        }
        Err(error) => {
            let seconds = not_proven(&mut errors, "email-password", error)?;
            Ok(too_soon(shown(&me, form, None, &errors), seconds))
        }
    }
}

/// The current password as it was typed.
pub(super) fn current(raw: &RawForm, name: &str, id: &str, errors: &mut Errors) -> String {
    let typed = raw.text(name);
    if typed.is_empty() {
        errors.add(id, "Enter your current password");
    }
    typed
}

/// A wrong or too often tried proof becomes an error of the control `id`; with it, how many seconds to wait.
pub(super) fn not_proven(errors: &mut Errors, id: &str, error: Error) -> Result<Option<i64>> {
    match error {
        Error::Refused(refusal) => {
            errors.add(id, refusal.0);
            Ok(None)
        }
        Error::Throttled { seconds, sentence } => {
            errors.add(id, sentence);
            Ok(Some(seconds))
        }
        error => Err(error),
    }
}

/// The same page, said to have come too soon if there are seconds to wait.
pub(super) fn too_soon(page: Response, seconds: Option<i64>) -> Response {
    match seconds {
        Some(seconds) => throttled(page, seconds),
        None => page,
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
    private: bool,
}

impl Form {
    async fn of(app: &App, me: &Member) -> Result<Self> {
        let private = rows::default_visibility(&app.db, me.account).await? == Visibility::Private;
        Ok(Self { name: me.name.clone(), email: me.email.clone(), zone: me.actor.zone.clone(), private })
    }
}

fn shown(me: &Member, form: Form, flash: Option<Flash>, errors: &Errors) -> Response {
    let frame = Frame::member("Your account", Tab::None, me.who()).flash(flash).wrong(!errors.is_empty());
    page_with(
        errors.status(),
        &AccountPage {
            frame,
            form,
            errors,
            zones: &ZONES,
            may_write: me.actor.role.may_write(),
            leaving: me.leaving.is_some(),
        },
    )
}

/// An instant in a member's zone, as the account's pages say it.
pub(super) fn in_words(at: Instant, zone: &TimeZone) -> String {
    at.local(zone).strftime("%-d %B %Y at %-H:%M").to_string()
}

#[derive(Template)]
#[template(path = "account/account.html")]
struct AccountPage<'a> {
    frame: Frame,
    form: Form,
    errors: &'a Errors,
    zones: &'a Zones,
    may_write: bool,
    leaving: bool,
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
