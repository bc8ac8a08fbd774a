//! Signing in and out.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use serde::Deserialize;

use super::account::throttled;
use super::arrival::{self, Going};
use super::error::HtmlError;
use super::forms::{Errors, RawForm};
use super::guards::own_path;
use super::page::Frame;
use super::reply::{page_with, see_other};
use super::session::{self, Auth};
use super::visit::Visit;
use crate::app::App;
use crate::commands::proof;
use crate::config::Registration;
use crate::error::Error;

/// Where to go afterwards.
#[derive(Debug, Deserialize)]
pub struct Asked {
    #[serde(default)]
    next: String,
    /// Whether a form was turned away because its session had ended.
    #[serde(default)]
    unsaved: String,
    /// What was just done.
    #[serde(default)]
    done: String,
}

/// What happened before, if it must be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// Nothing, or a form was turned away and is taken along.
    Nothing,
    /// A form was turned away that could not be taken along.
    FormLost,
    /// A new password was set.
    NewPassword,
}

/// `GET /sign-in`
pub async fn show(State(app): State<App>, auth: Auth, Query(asked): Query<Asked>) -> Result<Response, HtmlError> {
    if auth.user.is_some() {
        return Ok(see_other(own_path(&asked.next).unwrap_or("/")));
    }
    if !crate::store::accounts::any(&app.db).await? {
        return Ok(see_other("/setup"));
    }
    let before = match asked.done.as_str() {
        "password" => Before::NewPassword,
        _ if asked.unsaved.is_empty() => Before::Nothing,
        _ => Before::FormLost,
    };
    Ok(page(&app, "", &Going { next: asked.next, parked: String::new() }, before, &Errors::none()))
}

/// `POST /sign-in`
pub async fn sign_in(
    State(app): State<App>,
    mut auth: Auth,
    visit: Visit,
    raw: RawForm,
) -> Result<Response, HtmlError> {
    let (email, going) = (raw.text("email"), Going::of(&raw));
    let mut errors = Errors::of_form(&raw);
    if raw.get("email").is_blank() {
        errors.add("email", "Enter your email address");
    }
    if raw.text("password").is_empty() {
        errors.add("password", "Enter your password");
    }
    if !errors.is_empty() {
        return Ok(page(&app, &email, &going, Before::Nothing, &errors));
    }
    match proof::check_from(&app, &visit.caller(), &email, &raw.text("password")).await {
        Ok(account) => arrival::after_password(&app, &mut auth, &visit, account, going).await,
        Err(Error::Refused(refusal)) => {
            errors.add("email", refusal.0);
            Ok(page(&app, &email, &going, Before::Nothing, &errors))
        }
        Err(Error::Throttled { seconds, sentence }) => {
            errors.add("", sentence);
            Ok(throttled(page(&app, &email, &going, Before::Nothing, &errors), seconds))
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST /sign-out`
pub async fn sign_out(mut auth: Auth) -> Result<Response, HtmlError> {
    session::sign_out(&mut auth).await?;
    let mut response = see_other("/sign-in");
    response.headers_mut().insert(HeaderName::from_static("clear-site-data"), HeaderValue::from_static("\"cache\""));
    Ok(response)
}

/// The page, and where it leads.
pub(super) fn page(app: &App, email: &str, going: &Going, before: Before, errors: &Errors) -> Response {
    let frame = Frame::public("Sign in").wrong(!errors.is_empty());
    let sheet = SignInPage {
        frame,
        email,
        errors,
        going,
        unsaved: before == Before::FormLost,
        new_password: before == Before::NewPassword,
        idle: days(app.settings.session_idle.as_secs()),
        open: app.settings.registration == Registration::Open,
    };
    page_with(errors.status(), &sheet)
}

fn days(seconds: u64) -> String {
    let counted = |n: u64, one: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") };
    match seconds {
        86_400.. => counted(seconds / 86_400, "day"),
        3_600.. => counted(seconds / 3_600, "hour"),
        _ => counted((seconds / 60).max(1), "minute"),
    }
}

#[derive(Template)]
#[template(path = "sign_in/sign_in.html")]
struct SignInPage<'a> {
    frame: Frame,
    email: &'a str,
    errors: &'a Errors,
    going: &'a Going,
    unsaved: bool,
    new_password: bool,
    idle: String,
    open: bool,
}
