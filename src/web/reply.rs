//! How a handler answers: a page, a piece of one, or a redirect.

use std::convert::Infallible;

use askama::Template;
use axum::extract::FromRequestParts;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::page;

/// Whether the request comes from htmx, and what it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hx {
    part: bool,
}

impl Hx {
    /// Reads the request's headers.
    pub fn of(headers: &HeaderMap) -> Self {
        let says = |name: &str| headers.get(name).is_some_and(|value| value == "true");
        Self { part: says("hx-request") && !says("hx-boosted") && !says("hx-history-restore-request") }
    }

    /// Whether a piece of the page is wanted: an htmx request that is neither boosted nor a history restore.
    pub fn wants_part(self) -> bool {
        self.part
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Hx {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

/// A whole page, status 200.
pub fn page(page: &impl Template) -> Response {
    page_with(StatusCode::OK, page)
}

/// A whole page with its status; the icons that it uses come with it.
pub fn page_with(status: StatusCode, page: &impl Template) -> Response {
    send(status, page.render().map(|html| page::with_sprite(&html)))
}

/// A piece of a page, as htmx swaps it in.
pub fn part(status: StatusCode, part: &impl Template) -> Response {
    send(status, part.render())
}

/// 303: the form was taken, now look at this page. The address is one of ours, never one that came in.
pub fn see_other(path: &str) -> Response {
    match HeaderValue::from_str(path) {
        Ok(location) => (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response(),
        Err(_) => (StatusCode::SEE_OTHER, [(LOCATION, HeaderValue::from_static("/"))]).into_response(),
    }
}

fn send(status: StatusCode, rendered: askama::Result<String>) -> Response {
    match rendered {
        Ok(html) => (status, [(CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                [(CONTENT_TYPE, "text/plain; charset=utf-8")],
                "Something went wrong while this page was made. Nothing was lost. Try again in a minute.\n",
            )
                .into_response()
        }
    }
}
