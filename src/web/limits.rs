//! How long a request may take and how much it may send. A form that brings files may do both for longer: its own reading
//! has limits that fit.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::Limited;

use super::files_in::is_multipart;
use super::routes::takes_files;

/// The largest form that is read, its files apart. Generous, so that a form whose one text is far too long still gets its
/// own words back.
pub const BODY_LIMIT: usize = 8 * 1024 * 1024;

/// A request that takes longer is given up; what it began to write is still finished.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// Lets a request through within its limits.
pub async fn apply(request: Request, next: Next) -> Response {
    if brings_files(&request) {
        return next.run(request).await;
    }
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: u64| length > BODY_LIMIT as u64) {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    }
    let request = request.map(|body| Body::new(Limited::new(body, BODY_LIMIT)));
    match tokio::time::timeout(TIME_LIMIT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
    }
}

fn brings_files(request: &Request) -> bool {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str).unwrap_or_default();
    *request.method() == Method::POST && takes_files(path) && is_multipart(request.headers())
}
