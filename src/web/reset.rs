//! A new password by a link that whoever runs the server has made. The link's secret leaves the address at once: it moves
//! into a cookie, so that it stands in no history and no log. Links that never were, were used or are too old answer alike.

use askama::Template;
use axum::extract::{RawPathParams, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;

use super::cookies;
use super::error::HtmlError;
use super::forms::{Errors, RawForm};
use super::page::{Frame, PlainPage};
use super::reply::{page_with, see_other};
use crate::app::App;
use crate::commands::resets;
use crate::error::{Error, Result};
use crate::passwords::Password;

/// For how long the browser keeps the link's secret, in seconds.
const AT_HAND: i64 = 60 * 60;

/// `GET /reset/{token}`: whatever the token is, it moves into the cookie.
pub async fn open(State(app): State<App>, params: RawPathParams) -> Result<Response, HtmlError> {
    let token = params.iter().find(|(name, _)| *name == "token").map_or("", |(_, value)| value);
    let is_ours = token.len() <= 100 && token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    Ok(moved(&app, "/reset", if is_ours { token } else { "-" }, AT_HAND)?)
}

/// `GET /reset`
pub async fn show(State(app): State<App>, headers: HeaderMap) -> Result<Response, HtmlError> {
    if resets::works(&app, &token(&app, &headers)).await? {
        return Ok(shown(&Errors::none()));
    }
    Ok(does_not_work())
}

/// `POST /reset`
pub async fn set_password(State(app): State<App>, headers: HeaderMap, raw: RawForm) -> Result<Response, HtmlError> {
    let token = token(&app, &headers);
    if !resets::works(&app, &token).await? {
        return Ok(does_not_work());
    }
    let mut errors = Errors::of_form(&raw);
    let new = errors.take("new", raw.get("new").parse(Password::parse));
    let Some(new) = new.filter(|_| errors.is_empty()) else { return Ok(shown(&errors)) };
    match resets::use_link(&app, &token, &new).await {
        Ok(()) => Ok(moved(&app, "/sign-in?done=password", "", 0)?),
        Err(Error::NotFound) => Ok(does_not_work()),
        Err(error) => Err(error.into()),
    }
}

fn token(app: &App, headers: &HeaderMap) -> String {
    cookies::read(headers, &cookies::name(app, "reset")).unwrap_or_default()
}

fn moved(app: &App, to: &str, token: &str, seconds: i64) -> Result<Response> {
    let mut response = see_other(to);
    response.headers_mut().append(header::SET_COOKIE, cookies::line(app, "reset", token, seconds)?);
    Ok(response)
}

fn does_not_work() -> Response {
    let page = PlainPage {
        frame: Frame::public("This link does not work"),
        heading: "This link does not work".to_owned(),
        sentences: vec![
            "It may be mistyped, older than a day, replaced by a newer one, or used already. If you have just set a new \
             password with it, sign in with that."
                .to_owned(),
            "If you still need one, ask whoever runs this server for a new link.".to_owned(),
        ],
        ways: vec![("/sign-in".to_owned(), "Go to sign in".to_owned())],
        note: None,
    };
    page_with(StatusCode::NOT_FOUND, &page)
}

fn shown(errors: &Errors) -> Response {
    let frame = Frame::public("Set a new password").wrong(!errors.is_empty());
    page_with(errors.status(), &ResetPage { frame, errors })
}

#[derive(Template)]
#[template(path = "reset/reset.html")]
struct ResetPage<'a> {
    frame: Frame,
    errors: &'a Errors,
}
