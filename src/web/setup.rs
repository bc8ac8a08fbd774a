//! Set-up: the first visit to an empty installation. A small model of its own, because it must survive a double click:
//! the household is made once, and both clicks end signed in.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::account::{NewHouseholdForm, ZONES, Zones};
use super::arrival::{self, Going};
use super::error::HtmlError;
use super::forms::{Errors, RawForm};
use super::page::Frame;
use super::reply::{page_with, see_other};
use super::session::{self, Auth};
use super::visit::Visit;
use crate::app::App;
use crate::commands::accounts::{self, SetUp};
use crate::commands::proof;
use crate::error::Error;

/// The one-time code of an installation.
pub fn code(app: &App) -> String {
    accounts::set_up_code(app)
}

/// What the address that start-up prints carries.
#[derive(Debug, Deserialize)]
pub struct Asked {
    #[serde(default)]
    code: String,
}

/// `GET /setup`
pub async fn show(State(app): State<App>, Query(asked): Query<Asked>) -> Result<Response, HtmlError> {
    if crate::store::accounts::any(&app.db).await? {
        return Ok(see_other("/"));
    }
    let form = NewHouseholdForm { code: asked.code, ..NewHouseholdForm::default() };
    Ok(shown(&app, form, &Errors::none()))
}

/// `POST /setup`
pub async fn set_up(State(app): State<App>, mut auth: Auth, visit: Visit, raw: RawForm) -> Result<Response, HtmlError> {
    if crate::store::accounts::any(&app.db).await? {
        return second_click(&app, auth, &visit, &raw).await;
    }
    let mut errors = Errors::of_form(&raw);
    let form = NewHouseholdForm::of(&raw);
    let new = form.parse(&raw, &mut errors);
    if errors.is_empty() && !accounts::is_set_up_code(&app, &form.code) {
        errors.add("code", CODE_WRONG);
    }
    let Some(new) = new.filter(|_| errors.is_empty()) else { return Ok(shown(&app, form, &errors)) };
    match accounts::set_up(&app, &form.code, new).await? {
        SetUp::Done(account) => {
            session::sign_in(&mut auth, &visit, account).await?;
            Ok(see_other("/"))
        }
        SetUp::Closed => second_click(&app, auth, &visit, &raw).await,
    }
}

const CODE_WRONG: &str = "This is not the set-up code. Open the whole address that LifeOps printed when it started";

/// Somebody was first: most likely the same person, one click earlier. Whoever knows that account's password is signed
/// in; anybody else may sign in as usual.
async fn second_click(app: &App, mut auth: Auth, visit: &Visit, raw: &RawForm) -> Result<Response, HtmlError> {
    if auth.user.is_some() {
        return Ok(see_other("/"));
    }
    match proof::check_from(app, &visit.caller(), &raw.text("email"), &raw.text("password")).await {
        Ok(account) => arrival::after_password(app, &mut auth, visit, account, Going::default()).await,
        Err(Error::Refused(_)) => Ok(see_other("/sign-in")),
        Err(error) => Err(error.into()),
    }
}

fn shown(app: &App, mut form: NewHouseholdForm, errors: &Errors) -> Response {
    form.code_given = accounts::is_set_up_code(app, &form.code);
    let status = if errors.is_empty() { StatusCode::OK } else { errors.status() };
    let frame = Frame::public("Set up your household").wrong(!errors.is_empty());
    page_with(status, &SetUpPage { frame, form, errors, zones: &ZONES })
}

#[derive(Template)]
#[template(path = "setup/setup.html")]
struct SetUpPage<'a> {
    frame: Frame,
    form: NewHouseholdForm,
    errors: &'a Errors,
    zones: &'a Zones,
}
