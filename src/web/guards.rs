//! Who may pass. A route says its access where it is declared; these layers and extractors enforce it.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::error::HtmlError;
use super::parked;
use super::reply::see_other;
use super::session::{Auth, Member};
use super::visit::Visit;
use crate::domain::access::Actor;
use crate::error::Error;
use crate::store::accounts;

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Public,
    /// Set-up: anybody, as long as nobody has an account; the handler itself closes it afterwards.
    Setup,
    /// A signed-in member.
    Member,
}

/// The signed-in member as the one who acts. Only on routes of [`Access::Member`].
#[derive(Clone, Debug)]
pub struct SignedIn(pub Actor);

impl<S: Send + Sync> FromRequestParts<S> for SignedIn {
    type Rejection = HtmlError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, HtmlError> {
        member(parts).map(|member| Self(member.actor.clone())).ok_or_else(nobody)
    }
}

/// The signed-in member with names, for pages. Only on routes of [`Access::Member`].
#[derive(Clone, Debug)]
pub struct Me(pub Arc<Member>);

impl<S: Send + Sync> FromRequestParts<S> for Me {
    type Rejection = HtmlError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, HtmlError> {
        member(parts).map(Self).ok_or_else(nobody)
    }
}

fn member(parts: &Parts) -> Option<Arc<Member>> {
    parts.extensions.get::<Visit>()?.member().cloned()
}

fn nobody() -> HtmlError {
    HtmlError::from(Error::internal("a handler that needs a member stands on a route that does not"))
}

/// Lets only signed-in members pass; the others are sent to sign in, or to set-up when nobody has an account yet.
pub async fn members_only(auth: Auth, request: Request, next: Next) -> Response {
    if auth.user.is_some() {
        return next.run(request).await;
    }
    if request.extensions().get::<Visit>().is_some_and(Visit::was_shut_out) {
        // The session of somebody who may no longer be here ends, and the next page says so.
        return match auth.session.flush().await {
            Ok(()) => to(&request, SIGNED_OUT),
            Err(error) => HtmlError::from(Error::internal(error)).into_response(),
        };
    }
    match accounts::any(&auth.backend.app.db).await {
        Ok(true) if is_a_form(&request) => parked::turn_away(&auth.backend.app, request).await,
        Ok(true) => to_sign_in(&request, false),
        Ok(false) => see_other("/setup"),
        Err(error) => HtmlError::from(error).into_response(),
    }
}

/// Where somebody learns that they were signed out.
pub const SIGNED_OUT: &str = "/signed-out";

/// Whether somebody's form was turned away; leaving is none that anybody typed.
fn is_a_form(request: &Request) -> bool {
    *request.method() == Method::POST && request.uri().path() != "/sign-out"
}

/// Where somebody was: the page itself, or the one that holds the form.
pub(super) fn page_of(request: &Request) -> Option<String> {
    let asked = |name| request.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let back = match *request.method() {
        Method::GET | Method::HEAD if !is_part(request) => {
            request.uri().path_and_query().map(|path| path.as_str().to_owned())
        }
        _ if is_part(request) => asked("hx-current-url").and_then(path_of),
        _ => asked("referer").and_then(path_of),
    };
    back.filter(|path| own_path(path).is_some())
}

fn is_part(request: &Request) -> bool {
    request.extensions().get::<Visit>().is_some_and(|visit| visit.wants_part)
}

/// The way to the sign-in page, which leads back; `unsaved` if a form could not be taken along.
pub(super) fn to_sign_in(request: &Request, unsaved: bool) -> Response {
    let mut target = match page_of(request).as_deref() {
        Some("/") | None => "/sign-in".to_owned(),
        Some(path) => format!("/sign-in?next={}", utf8_percent_encode(path, QUERY_VALUE)),
    };
    if unsaved {
        target.push(if target.contains('?') { '&' } else { '?' });
        target.push_str("unsaved=1");
    }
    to(request, &target)
}

/// Leads somewhere else: a browser by a redirect, htmx by its own header.
fn to(request: &Request, target: &str) -> Response {
    if is_part(request) {
        return (StatusCode::UNAUTHORIZED, [("hx-redirect", target)], super::error::Plain, ()).into_response();
    }
    see_other(target)
}

const QUERY_VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

fn path_of(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    uri.path_and_query().map(|path| path.as_str().to_owned())
}

/// A path of our own, safe to send somebody to; nothing for another site's address in any disguise.
pub fn own_path(text: &str) -> Option<&str> {
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let own = text.starts_with('/') && !text.starts_with("//");
    let is_uri = text.parse::<Uri>().is_ok_and(|uri| uri.authority().is_none());
    (plain && own && is_uri && text.len() <= 2000).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_paths_are_followed() {
        for path in ["/", "/records", "/records?category=Car&tag=a%20b", "/records/new"] {
            assert_eq!(own_path(path), Some(path));
        }
        for path in [
            "",
            "records",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "/a b",
            "/\t/evil.example",
            "javascript:alert(1)",
            "/\n",
            "///evil.example",
            "/ä",
        ] {
            assert_eq!(own_path(path), None, "{path:?}");
        }
    }
}
