//! Failures in two voices: a page, or for htmx a fragment. Whatever fails, a handler, a guard or a library, comes out
//! here in a household's words, with the request's id; what happened inside goes to the log under the same id.

use std::any::Any;
use std::convert::Infallible;

use askama::Template;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, IntoResponseParts, Response, ResponseParts};

use super::page::{Frame, PlainPage, Tab};
use super::reply;
use super::visit::Visit;
use crate::domain::Refusal;
use crate::error::Error;

/// What went wrong, in a person's words, with the status for machines.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The HTTP status.
    pub status: StatusCode,
    /// What happened.
    pub heading: String,
    /// What to do.
    pub sentence: String,
    /// When to come back, in seconds.
    pub retry_after: Option<i64>,
    /// What happened inside, for the log alone.
    pub inside: Option<String>,
}

impl Failure {
    fn new(status: StatusCode, heading: &str, sentence: impl Into<String>) -> Self {
        Self { status, heading: heading.to_owned(), sentence: sentence.into(), retry_after: None, inside: None }
    }

    /// 421: asked under a name that is not ours.
    pub(super) fn misdirected(sentence: String) -> Self {
        Self::new(StatusCode::MISDIRECTED_REQUEST, "This address is not ours", sentence)
    }

    /// 403: another site sent this form.
    pub(super) fn foreign(sentence: String) -> Self {
        Self::new(StatusCode::FORBIDDEN, "This came from another site", sentence)
    }

    /// The words for a status that a library answered with.
    fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::from(Error::NotFound),
            StatusCode::METHOD_NOT_ALLOWED => {
                Self::new(status, "That does not work here", "Go back and use the form or the link on the page.")
            }
            StatusCode::PAYLOAD_TOO_LARGE => Self::new(
                status,
                "That is too much at once",
                "Nothing was saved. Shorten the longest text and send the form again.",
            ),
            StatusCode::REQUEST_TIMEOUT => Self::new(
                status,
                "That took too long",
                "It may have been saved all the same. Look before you send it again.",
            ),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::new(
                status,
                "This form came in an unknown shape",
                "Open the page again and send the form from there.",
            ),
            status if status.is_server_error() => {
                Self { inside: Some(format!("answered {status}")), ..Self::from(Error::Internal(String::new())) }
                    .with_status(status)
            }
            status => Self::new(status, "This cannot be understood", "Open the page again and try once more."),
        }
    }

    fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::new(
                StatusCode::NOT_FOUND,
                "There is nothing here",
                "The address may be mistyped, or what was here is not yours to see.",
            ),
            Error::Forbidden(sentence) => Self::new(StatusCode::FORBIDDEN, "You may not do this", sentence),
            Error::Refused(Refusal(sentence)) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "This was not done", sentence)
            }
            Error::Conflict(_) => Self::new(
                StatusCode::CONFLICT,
                "Someone else changed this",
                "Open the record again to see their words, then make your change once more.",
            ),
            reused @ Error::SubmissionReused => {
                Self::new(StatusCode::CONFLICT, "This form was sent before", reused.to_string())
            }
            Error::Throttled { seconds, sentence } => Self {
                retry_after: Some(seconds),
                ..Self::new(StatusCode::TOO_MANY_REQUESTS, "Too many tries", sentence)
            },
            Error::Unavailable(sentence) => {
                Self { retry_after: Some(5), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "Not just now", sentence) }
            }
            Error::Internal(inside) => Self {
                inside: Some(inside),
                ..Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "Something went wrong on our side",
                    "Nothing of yours is lost. Try again; if it happens again, tell whoever runs this LifeOps the number below.",
                )
            },
        }
    }
}

/// How a handler fails: any failure, to be drawn by [`draw`].
#[derive(Debug)]
pub struct HtmlError(Box<Failure>);

impl<E: Into<Error>> From<E> for HtmlError {
    fn from(error: E) -> Self {
        Self(Box::new(error.into().into()))
    }
}

impl HtmlError {
    /// A failure of the web's own.
    pub(super) fn of(failure: Failure) -> Self {
        Self(Box::new(failure))
    }

    /// The failure inside.
    pub fn failure(&self) -> &Failure {
        &self.0
    }
}

impl IntoResponse for HtmlError {
    fn into_response(self) -> Response {
        let mut response = self.0.status.into_response();
        response.extensions_mut().insert(*self.0);
        response
    }
}

/// Marks an answer that stays as it is, although its status is an error: health, redirects by htmx.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

impl IntoResponseParts for Plain {
    type Error = Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Infallible> {
        parts.extensions_mut().insert(self);
        Ok(parts)
    }
}

/// The layer that draws failures: those of handlers, and those that a library answered in words of its own.
pub async fn draw(visit: Visit, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let failure = match response.extensions().get::<Failure>() {
        Some(failure) => failure.clone(),
        None if is_strange(&response) => Failure::of_status(response.status()),
        None => return response,
    };
    if let Some(inside) = &failure.inside {
        tracing::error!(target: "lifeops::request", id = %visit.id, "{inside}");
    }
    drawn(&failure, &visit, response)
}

/// An error without a page: nothing of ours answers so.
fn is_strange(response: &Response) -> bool {
    let is_error = response.status().is_client_error() || response.status().is_server_error();
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    is_error && !kind.starts_with("text/html") && response.extensions().get::<Plain>().is_none()
}

fn drawn(failure: &Failure, visit: &Visit, old: Response) -> Response {
    let mut response = if visit.wants_part {
        reply::part(failure.status, &ErrorPart { failure, request: &visit.id })
    } else {
        reply::page_with(failure.status, &error_page(failure, visit))
    };
    for (name, value) in old.headers() {
        if name != header::CONTENT_TYPE && name != header::CONTENT_LENGTH {
            response.headers_mut().append(name, value.clone());
        }
    }
    if let Some(seconds) = failure.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    }
    if visit.wants_part {
        response.headers_mut().insert("hx-retarget", HeaderValue::from_static("#failure"));
        response.headers_mut().insert("hx-reselect", HeaderValue::from_static(".flash"));
        response.headers_mut().insert("hx-reswap", HeaderValue::from_static("innerHTML"));
    }
    response
}

/// Turns a panic into a failure; its words go to the log.
pub fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let words = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without words");
    HtmlError::from(Error::internal(format!("panic: {words}"))).into_response()
}

/// What a path that nobody knows answers.
pub async fn nothing_here() -> HtmlError {
    HtmlError::from(Error::NotFound)
}

/// What happened, what to do, a way on, and the request's number for whoever looks into the log.
fn error_page(failure: &Failure, visit: &Visit) -> PlainPage {
    let title = failure.heading.clone();
    let frame = match visit.member() {
        Some(member) => Frame::member(title, Tab::None, member.who()),
        None => Frame::public(title),
    };
    PlainPage {
        frame,
        heading: failure.heading.clone(),
        sentences: vec![failure.sentence.clone()],
        ways: vec![("/".to_owned(), "Go to the start page".to_owned())],
        note: Some(format!("Number of this request: {}", visit.id)),
    }
}

#[derive(Template)]
#[template(path = "error/_error.html")]
struct ErrorPart<'a> {
    failure: &'a Failure,
    request: &'a str,
}
