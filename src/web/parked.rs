//! A form that arrives after its session ended is not lost: what was typed travels, sealed, in a hidden field of the
//! sign-in pages, and comes back as the filled form. It is never sent by itself.
//!
//! There is one mechanism for all forms. Every handler shows its form again, with what was typed, when something is wrong
//! with it. So the parked request is handed to its own handler once more, marked [`ShownAgain`], which is such a thing;
//! and through an application that only looks ([`App::looking`]), so that even a handler that overlooks the mark cannot
//! do anything.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::Response;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use tower::ServiceExt as _;

use super::arrival::Going;
use super::cookies;
use super::forms::{Errors, PARKED, RawForm, SIGNED_OUT, SIGNED_OUT_WITH_FILES, ShownAgain};
use super::guards::{own_path, page_of, to_sign_in};
use super::page::{Frame, PlainPage, Tab};
use super::reply::{page, see_other};
use super::session::{self, Auth, Member};
use super::sign_in::{self, Before};
use super::visit::Visit;
use super::weighing::{Scales, StrangersScales, holding};
use crate::app::App;
use crate::domain::ids::AccountId;
use crate::error::Result;
use crate::seal;
use crate::store::sessions;

/// The most that is taken along, in bytes of names and values: several of the longest texts.
const MOST: usize = 256 * 1024;

/// The most that is read of a form that is turned away: every byte may come as three.
const MOST_READ: usize = 4 * MOST;

/// For how long it keeps, in seconds.
const KEEPS: i64 = 12 * 60 * 60;

/// What is never taken along: passwords and codes, and what nobody typed here.
const LEFT_OUT: [&str; 6] = ["password", "current", "new", "code", "username", PARKED];

/// The largest page that comes back.
const LARGEST_PAGE: usize = 16 * 1024 * 1024;

/// A form on its way.
#[derive(Serialize, Deserialize)]
struct Parked {
    path: String,
    back: Option<String>,
    pairs: Vec<(String, String)>,
    until: i64,
    /// Whose session had ended: nobody else is shown the form.
    author: Option<AccountId>,
}

/// Answers a form whose sender is not signed in: with the sign-in page, which takes it along if it can.
pub async fn turn_away(app: &App, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let author = author(app, &parts.headers).await;
    let bare = Request::from_parts(parts.clone(), Body::empty());
    let scales = parts.extensions.get::<StrangersScales>().cloned().unwrap_or_default();
    let Some(room) = scales.room(&parts.headers, MOST_READ).await else { return to_sign_in(&bare, true) };
    let form = RawForm::receive(Request::from_parts(parts, body), MOST_READ).await;
    match park(app, &bare, &form, author) {
        Some(parked) => {
            let going = Going { next: page_of(&bare).unwrap_or_default(), parked };
            let page = sign_in::page(app, "", &going, Before::Nothing, &Errors::none());
            turned_away(&bare, page).map(|body| holding(body, room))
        }
        None => to_sign_in(&bare, true),
    }
}

/// The sign-in page in place of what was asked for; htmx puts it where the whole page was.
fn turned_away(request: &Request, mut page: Response) -> Response {
    *page.status_mut() = StatusCode::FORBIDDEN;
    if request.extensions().get::<Visit>().is_some_and(|visit| visit.wants_part) {
        for (name, value) in [("hx-retarget", "body"), ("hx-reswap", "innerHTML"), ("hx-push-url", "/sign-in")] {
            page.headers_mut().insert(name, HeaderValue::from_static(value));
        }
    }
    page
}

/// Whose session it was, if that is known still.
async fn author(app: &App, headers: &HeaderMap) -> Option<AccountId> {
    let id = cookies::read(headers, session::cookie_name(app))?.parse().ok()?;
    sessions::owner(&app.db, &id).await.ok().flatten()
}

fn park(app: &App, request: &Request, form: &RawForm, author: Option<AccountId>) -> Option<String> {
    let pairs: Vec<(String, String)> = form
        .pairs()
        .filter(|(name, _)| !LEFT_OUT.contains(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    if pairs.is_empty() || !form.is_whole() || form.size_without(PARKED) > MOST {
        return None;
    }
    let path = request.uri().path_and_query()?.as_str().to_owned();
    let until = app.clock.now().plus_seconds(KEEPS).micros();
    let parked = Parked { path, back: page_of(request), pairs, until, author };
    seal::seal_text(&app.key, "parked form", &parked).ok()
}

/// Shows a parked form again to the member who has just signed in; nothing if there is none, or it is too old.
pub async fn shown_again(app: &App, auth: &Auth, visit: &Visit, sealed: &str) -> Result<Option<Response>> {
    let parked: Option<Parked> = seal::open_text(&app.key, "parked form", sealed);
    let (Some(parked), Some(member)) = (parked, auth.user.clone()) else { return Ok(None) };
    if parked.until <= app.clock.now().micros() {
        return Ok(None);
    }
    if parked.author.is_some_and(|author| author != member.account) {
        return Ok(Some(of_somebody_else(&member)));
    }
    let answer = ask_again(app, auth, visit, member, &parked).await?;
    Ok(Some(match answer.status() {
        // What is not this member's to see or to change says so, and nothing of the form.
        StatusCode::OK | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => answer,
        // A form that holds no words of its person: its page again.
        _ => see_other(page_again(&parked).unwrap_or("/")),
    }))
}

fn of_somebody_else(member: &Member) -> Response {
    let heading = "Somebody else’s text is not shown";
    page(&PlainPage {
        frame: Frame::member(heading, Tab::None, member.who()),
        heading: heading.to_owned(),
        sentences: vec![
            "Whoever was signed in on this device before you had typed something that was not saved. It is theirs, so it is \
             not shown to you, and nothing of it was kept."
                .to_owned(),
        ],
        ways: vec![("/".to_owned(), "Go to the start page".to_owned())],
        note: None,
    })
}

async fn ask_again(app: &App, auth: &Auth, visit: &Visit, member: Member, parked: &Parked) -> Result<Response> {
    let (pages, _) = super::routes::all().routers();
    let mut request = Request::new(Body::from(encoded(&parked.pairs)));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = parked.path.parse().map_err(crate::error::Error::internal)?;
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    request.extensions_mut().insert(auth.clone());
    request.extensions_mut().insert(visit.now_by(member));
    request.extensions_mut().insert(ShownAgain);
    // Whoever sent it was weighed before.
    request.extensions_mut().insert(Scales::default());
    let answer = match pages.with_state(app.looking()).oneshot(request).await {
        Ok(answer) => answer,
        Err(never) => match never {},
    };
    as_it_was_left(answer, &parked.path).await
}

/// Handlers say in the title that something is wrong with a form that they show again. Here nothing is; and the notice,
/// which stands at the top of a page that may be long, leads to the form.
async fn as_it_was_left(answer: Response, path: &str) -> Result<Response> {
    if answer.status() != StatusCode::OK {
        return Ok(answer);
    }
    let (mut parts, body) = answer.into_parts();
    let page = to_bytes(body, LARGEST_PAGE).await.map_err(crate::error::Error::internal)?;
    let mut page = String::from_utf8_lossy(&page).replacen("<title>Error: ", "<title>", 1);
    if let Some(control) = first_control(&page, path) {
        // One begins with the other.
        if let Some(notice) = [SIGNED_OUT_WITH_FILES, SIGNED_OUT].into_iter().find(|notice| page.contains(notice)) {
            let link = format!("{notice} <a class=\"does44\" href=\"#{control}\">Go to the form</a>");
            page = page.replacen(notice, &link, 1);
        }
    }
    parts.headers.remove(CONTENT_LENGTH);
    Ok(Response::from_parts(parts, Body::from(page)))
}

/// The id of the first control of the form that a page sends to a path.
fn first_control<'a>(page: &'a str, path: &str) -> Option<&'a str> {
    let (_, form) = page.split_once(&format!(" action=\"{path}\""))?;
    let form = form.split("</form>").next()?;
    let is_control = |tag: &&str| ["input ", "textarea ", "select "].iter().any(|name| tag.starts_with(name));
    let tags = form.split('<').filter(is_control).filter_map(|tag| tag.split('>').next());
    tags.filter_map(|tag| tag.split_once(" id=\"")?.1.split('"').next()).next()
}

/// The page that holds the form: the one that its person had before, or the one of the same address.
fn page_again(parked: &Parked) -> Option<&str> {
    let is_page = |path: &str| {
        let bare = path.split('?').next().unwrap_or_default();
        super::routes::all().has_page(bare)
    };
    let own = own_path(&parked.path).filter(|path| is_page(path));
    own.or_else(|| parked.back.as_deref().and_then(own_path))
}

fn encoded(pairs: &[(String, String)]) -> String {
    let piece = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    pairs.iter().map(|(name, value)| format!("{}={}", piece(name), piece(value))).collect::<Vec<_>>().join("&")
}
