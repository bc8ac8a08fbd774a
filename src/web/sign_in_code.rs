//! The second step of signing in: a code of the person's app, or a recovery code. Nothing is kept between the steps; that
//! the password was right travels sealed in the form, and there is no session before the code is right.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::account::throttled;
use super::arrival::{self, Going};
use super::error::HtmlError;
use super::forms::{Errors, RawForm};
use super::page::Frame;
use super::reply::{page_with, see_other};
use super::session::Auth;
use super::sign_in::{self, Before};
use super::visit::Visit;
use crate::app::App;
use crate::commands::proof::Proven;
use crate::commands::second_factor;
use crate::domain::ids::AccountId;
use crate::error::{Error, Result};
use crate::seal;
use crate::store::accounts;

/// For how long a right password waits for its code, in seconds.
const WAITS: i64 = 10 * 60;

/// Under which purpose the first step is sealed.
const FIRST_STEP: &str = "sign-in";

/// Whose password was right, and until when that counts. The account's epoch makes it worth nothing once the account is
/// signed out everywhere.
#[derive(Serialize, Deserialize)]
struct FirstStep {
    account: AccountId,
    epoch: i64,
    until: i64,
}

/// Asks somebody for the code whose password was right a moment ago.
///
/// # Errors
/// If the system gives no random bytes.
pub fn ask(app: &App, Proven { account, epoch }: Proven, going: &Going) -> Result<Response> {
    let until = app.clock.now().plus_seconds(WAITS).micros();
    let first_step = seal::seal_text(&app.key, FIRST_STEP, &FirstStep { account, epoch, until })?;
    Ok(page(&first_step, going, &Errors::none()))
}

/// `GET /sign-in/code`: there is nothing to see without the first step.
pub async fn show() -> Response {
    see_other("/sign-in")
}

/// `POST /sign-in/code`
pub async fn check(State(app): State<App>, mut auth: Auth, visit: Visit, raw: RawForm) -> Result<Response, HtmlError> {
    let going = Going::of(&raw);
    let mut errors = Errors::of_form(&raw);
    let sealed = raw.text("first_step");
    let Some(first_step) = still_counts(&app, &sealed).await? else {
        errors.add("", "Too much time has passed since you entered your password. Sign in again");
        return Ok(sign_in::page(&app, "", &going, Before::Nothing, &errors));
    };
    if raw.get("code").is_blank() {
        errors.add("code", "Enter the code from your app, or a recovery code");
    }
    if !errors.is_empty() {
        return Ok(page(&sealed, &going, &errors));
    }
    match second_factor::check_code(&app, &visit.caller(), first_step.account, &raw.text("code")).await {
        Ok(()) => {
            let proven = Proven { account: first_step.account, epoch: first_step.epoch };
            Ok(arrival::arrive(&app, &mut auth, &visit, proven, going).await?)
        }
        Err(Error::Refused(refusal)) => {
            errors.add("code", refusal.0);
            Ok(page(&sealed, &going, &errors))
        }
        Err(Error::Throttled { seconds, sentence }) => {
            errors.add("code", sentence);
            Ok(throttled(page(&sealed, &going, &errors), seconds))
        }
        Err(error) => Err(error.into()),
    }
}

async fn still_counts(app: &App, sealed: &str) -> Result<Option<FirstStep>> {
    let Some(step) = seal::open_text::<FirstStep>(&app.key, FIRST_STEP, sealed) else { return Ok(None) };
    let account = accounts::by_id(&app.db, step.account).await?;
    let counts = step.until > app.clock.now().micros() && account.is_some_and(|a| a.session_epoch == step.epoch);
    Ok(counts.then_some(step))
}

fn page(first_step: &str, going: &Going, errors: &Errors) -> Response {
    let frame = Frame::public("Enter your code").wrong(!errors.is_empty());
    page_with(errors.status(), &CodePage { frame, first_step, going, errors })
}

#[derive(Template)]
#[template(path = "sign_in/code.html")]
struct CodePage<'a> {
    frame: Frame,
    first_step: &'a str,
    going: &'a Going,
    errors: &'a Errors,
}
