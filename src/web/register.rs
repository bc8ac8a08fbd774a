//! Registration, where it is open: everybody makes a household of their own.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::account::{NewHouseholdForm, ZONES, Zones, throttled};
use super::error::HtmlError;
use super::forms::{Errors, RawForm};
use super::page::Frame;
use super::reply::{page_with, see_other};
use super::session::{self, Auth};
use super::visit::Visit;
use crate::app::App;
use crate::commands::accounts;
use crate::config::Registration;
use crate::error::{Error, Result};

/// `GET /register`
pub async fn show(State(app): State<App>, auth: Auth) -> Result<Response, HtmlError> {
    if let Some(elsewhere) = elsewhere(&app, &auth).await? {
        return Ok(elsewhere);
    }
    Ok(shown(NewHouseholdForm::default(), &Errors::none()))
}

/// `POST /register`
pub async fn register(
    State(app): State<App>,
    mut auth: Auth,
    visit: Visit,
    raw: RawForm,
) -> Result<Response, HtmlError> {
    if let Some(elsewhere) = elsewhere(&app, &auth).await? {
        return Ok(elsewhere);
    }
    let mut errors = Errors::of_form(&raw);
    let form = NewHouseholdForm::of(&raw);
    let Some(new) = form.parse(&raw, &mut errors) else { return Ok(shown(form, &errors)) };
    match accounts::register(&app, visit.network(), new).await {
        Ok(account) => {
            session::sign_in(&mut auth, &visit, account).await?;
            Ok(see_other("/"))
        }
        Err(Error::Refused(refusal)) => {
            errors.add("email", refusal.0);
            Ok(shown(form, &errors))
        }
        Err(Error::Throttled { seconds, sentence }) => {
            errors.add("", sentence);
            Ok(throttled(shown(form, &errors), seconds))
        }
        Err(error) => Err(error.into()),
    }
}

/// Where somebody goes for whom this page is not: home, or to set-up. Closed registration is not there at all.
async fn elsewhere(app: &App, auth: &Auth) -> Result<Option<Response>> {
    if auth.user.is_some() {
        return Ok(Some(see_other("/")));
    }
    if app.settings.registration == Registration::Closed {
        return Err(Error::NotFound);
    }
    Ok(if crate::store::accounts::any(&app.db).await? { None } else { Some(see_other("/setup")) })
}

fn shown(form: NewHouseholdForm, errors: &Errors) -> Response {
    let frame = Frame::public("Register").wrong(!errors.is_empty());
    page_with(errors.status(), &RegisterPage { frame, form, errors, zones: &ZONES })
}

#[derive(Template)]
#[template(path = "register/register.html")]
struct RegisterPage<'a> {
    frame: Frame,
    form: NewHouseholdForm,
    errors: &'a Errors,
    zones: &'a Zones,
}
