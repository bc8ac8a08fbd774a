//! Opening an invitation. The token leaves the address at once: it goes into a cookie that lives for an hour and is sent
//! to these pages alone. Whatever is wrong with a link, the answer is the same.

use askama::Template;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;

use crate::app::App;
use crate::commands::accounts::ADDRESS_TAKEN;
use crate::commands::invitations::{self as commands, NewPerson};
use crate::domain::person::{Email, Zone};
use crate::domain::text::MemberName;
use crate::error::{Error, Result};
use crate::passwords::Password;
use crate::store::invitations::Invitation;

use super::account::{ZONES, Zones, throttled};
use super::cookies;
use super::error::HtmlError;
use super::forms::{Errors, RawForm};
use super::invitations::a_role;
use super::moments::Moment;
use super::page::{Frame, PlainPage};
use super::reply::{page_with, see_other};
use super::session::{self, Auth};
use super::visit::Visit;

/// Where an opened invitation leads.
const ACCEPT: &str = "/invitations/accept";

/// How long the cookie lives.
const KEPT: i64 = 60 * 60;

/// The longest token that is carried on; ours have 27 characters.
const LONGEST: usize = 64;

/// `GET /invitations/{token}`: nothing is looked up, so that every link looks alike.
pub async fn open(State(app): State<App>, token: Result<Path<String>, PathRejection>) -> Response {
    // What is not even text opens nothing, like any other wrong token.
    let Path(token) = token.unwrap_or_else(|_| Path(String::new()));
    let is_one =
        token.len() <= LONGEST && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    let token = if is_one { token } else { "-".to_owned() };
    with_cookie(&app, see_other(ACCEPT), &token, KEPT)
}

/// `GET /invitations/accept`
pub async fn show(State(app): State<App>, auth: Auth, visit: Visit, headers: HeaderMap) -> Result<Response, HtmlError> {
    if let Some(member) = &auth.user {
        return Ok(someone_is_here(member));
    }
    match commands::open(&app, visit.network(), &token(&app, &headers)).await {
        Ok(found) => Ok(shown(&found, &PersonForm::default(), &Errors::none())),
        Err(Error::NotFound) => Ok(dead()),
        Err(error) => Err(error.into()),
    }
}

/// `POST /invitations/accept`
pub async fn accept(
    State(app): State<App>,
    mut auth: Auth,
    visit: Visit,
    headers: HeaderMap,
    raw: RawForm,
) -> Result<Response, HtmlError> {
    if auth.user.is_some() {
        return Ok(see_other(ACCEPT));
    }
    let token = token(&app, &headers);
    let found = match commands::open(&app, visit.network(), &token).await {
        Ok(found) => found,
        Err(Error::NotFound) => return Ok(dead()),
        Err(error) => return Err(error.into()),
    };
    let mut errors = Errors::of_form(&raw);
    let form = PersonForm::of(&raw);
    let Some(new) = form.parse(&raw, &mut errors) else { return Ok(shown(&found, &form, &errors)) };
    match commands::accept(&app, visit.network(), &token, new).await {
        Ok(account) => {
            session::sign_in(&mut auth, &visit, account).await?;
            Ok(with_cookie(&app, see_other("/"), "", 0))
        }
        Err(Error::NotFound) => Ok(dead()),
        Err(Error::Refused(refusal)) if refusal.0 == ADDRESS_TAKEN => {
            errors.add(
                "email",
                "This address already has an account here, and an account belongs to one household. Enter another \
                 address",
            );
            Ok(shown(&found, &form, &errors))
        }
        Err(Error::Refused(refusal)) => {
            errors.add("name", refusal.0);
            Ok(shown(&found, &form, &errors))
        }
        Err(Error::Throttled { seconds, sentence }) => {
            errors.add("", sentence);
            Ok(throttled(shown(&found, &form, &errors), seconds))
        }
        Err(error) => Err(error.into()),
    }
}

fn shown(found: &Invitation, form: &PersonForm, errors: &Errors) -> Response {
    let heading = format!("Join {}", found.household_name);
    let zone = jiff::tz::TimeZone::UTC;
    let sheet = AcceptPage {
        frame: Frame::public(heading.clone()).wrong(!errors.is_empty()),
        heading,
        by: found.made_by_name.as_deref().unwrap_or("Whoever runs this LifeOps"),
        household: &found.household_name,
        role: a_role(found.role),
        may: match found.role {
            crate::domain::access::Role::Owner => "read and write, and look after its members",
            crate::domain::access::Role::Editor => "read and write",
            crate::domain::access::Role::Viewer => "read",
        },
        until: Moment::day(found.expires_at, &zone, None),
        form,
        errors,
        zones: &ZONES,
    };
    page_with(errors.status(), &sheet)
}

/// Wrong, used, taken back, run out, or lost on the way: one page for all of them.
fn dead() -> Response {
    let heading = "This invitation does not work";
    page_with(
        StatusCode::NOT_FOUND,
        &PlainPage {
            frame: Frame::public(heading),
            heading: heading.to_owned(),
            sentences: vec![
                "An invitation works once, and only for some days. This one may have been used, taken back or run out, \
                 or a part of its address got lost on the way."
                    .to_owned(),
                "Ask whoever invited you for a new link. If you have joined already, sign in.".to_owned(),
            ],
            ways: vec![("/sign-in".to_owned(), "Go to sign in".to_owned())],
            note: None,
        },
    )
}

fn someone_is_here(member: &session::Member) -> Response {
    let heading = format!("You are signed in as {}", member.name);
    page_with(
        StatusCode::OK,
        &PlainPage {
            frame: Frame::member(heading.clone(), super::page::Tab::None, member.who()),
            heading,
            sentences: vec![
                "An invitation is for somebody who has no account here yet, and an account belongs to one household. \
                 Nothing has happened with the link: pass it on, or sign out and open it again to join as somebody else."
                    .to_owned(),
            ],
            ways: vec![("/".to_owned(), "Go to the start page".to_owned())],
            note: None,
        },
    )
}

/// What the cookie is about that carries an invitation's token.
const COOKIE: &str = "invitation";

/// The token that the browser carries; nothing that opens anything if it carries none.
fn token(app: &App, headers: &HeaderMap) -> String {
    cookies::read(headers, &cookies::name(app, COOKIE)).unwrap_or_default()
}

fn with_cookie(app: &App, mut response: Response, token: &str, seconds: i64) -> Response {
    if let Ok(line) = cookies::line(app, COOKIE, token, seconds) {
        response.headers_mut().append(header::SET_COOKIE, line);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// What somebody types who joins. The password is never kept.
struct PersonForm {
    name: String,
    email: String,
    zone: String,
}

impl Default for PersonForm {
    fn default() -> Self {
        Self { name: String::new(), email: String::new(), zone: Zone::of_machine().as_str().to_owned() }
    }
}

impl PersonForm {
    fn of(raw: &RawForm) -> Self {
        Self { name: raw.text("name"), email: raw.text("email"), zone: raw.text("zone") }
    }

    fn parse(&self, raw: &RawForm, errors: &mut Errors) -> Option<NewPerson> {
        let name = errors.take("name", raw.get("name").parse(MemberName::parse));
        let email = errors.take("email", raw.get("email").parse(Email::parse));
        let password = errors.take("password", raw.get("password").parse(Password::parse));
        let zone = errors.take("zone", raw.get("zone").parse(Zone::parse));
        let new = NewPerson { name: name?, email: email?, password: password?, zone: zone? };
        errors.is_empty().then_some(new)
    }
}

#[derive(Template)]
#[template(path = "invitations/accept.html")]
struct AcceptPage<'a> {
    frame: Frame,
    heading: String,
    by: &'a str,
    household: &'a str,
    role: &'a str,
    may: &'a str,
    until: Moment,
    form: &'a PersonForm,
    errors: &'a Errors,
    zones: &'a Zones,
}
