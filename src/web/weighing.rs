//! Bounds how much of all members' forms is in memory at once. One form may be large, so that a text that is far too
//! long comes back to be shortened; many large ones at once would be more than a small server has.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::HtmlError;
use super::forms::{LARGEST_FORM, SMALL_FORM, SMALL_FORM_AND_PARKED};
use crate::error::Error;

/// The unit of weight, in bytes.
const UNIT: usize = 64 * 1024;

/// What may be in memory at once, in bytes of form as it arrives. While it is answered a form is there several times:
/// as it came, as it was understood, and in the page that shows it again.
const AT_ONCE: usize = 32 * 1024 * 1024;

/// How long a form waits for the others.
const WAITING: Duration = Duration::from_secs(20);

/// The scales that all forms of a server share.
#[derive(Clone, Debug)]
pub struct Scales(Arc<Semaphore>);

impl Default for Scales {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE / UNIT)))
    }
}

/// The scales of forms whose senders are not signed in: those of signing in that carry another form, and those that are
/// turned away. They are apart, so that strangers take no room from members.
#[derive(Clone, Debug, Default)]
pub struct StrangersScales(Scales);

impl StrangersScales {
    /// Room for a form of at most so many bytes, once there is some; nothing after a while.
    pub(super) async fn room(self, headers: &HeaderMap, most: usize) -> Option<OwnedSemaphorePermit> {
        self.0.room(weight(headers, most)).await
    }
}

impl Scales {
    async fn room(self, weight: u32) -> Option<OwnedSemaphorePermit> {
        tokio::time::timeout(WAITING, self.0.acquire_many_owned(weight)).await.ok()?.ok()
    }
}

/// Lets a form through once there is room for it. The room is given back when its answer has been read.
pub async fn weigh(Extension(scales): Extension<Scales>, request: Request, next: Next) -> Response {
    let weight = weight(request.headers(), LARGEST_FORM);
    pass(scales, weight, request, next).await
}

/// The same for a form of somebody who is not signed in. A small one, as nearly all are, waits for nobody.
pub async fn weigh_strangers(
    Extension(StrangersScales(scales)): Extension<StrangersScales>,
    request: Request,
    next: Next,
) -> Response {
    let weight = weight(request.headers(), SMALL_FORM_AND_PARKED);
    if weight as usize * UNIT <= SMALL_FORM {
        return next.run(request).await;
    }
    pass(scales, weight, request, next).await
}

async fn pass(scales: Scales, weight: u32, mut request: Request, next: Next) -> Response {
    let Some(room) = scales.room(weight).await else {
        let sentence = "Too many long texts arrive at once. Nothing was saved. Send the form again in a minute.";
        return HtmlError::from(Error::Unavailable(sentence.to_owned())).into_response();
    };
    let room = Room(Arc::new(Mutex::new(room)));
    request.extensions_mut().insert(room.clone());
    next.run(request).await.map(|body| holding(body, room))
}

/// The room that a form takes, until its answer has been read.
#[derive(Clone, Debug)]
pub(super) struct Room(Arc<Mutex<OwnedSemaphorePermit>>);

impl From<OwnedSemaphorePermit> for Room {
    fn from(permit: OwnedSemaphorePermit) -> Self {
        Self(Arc::new(Mutex::new(permit)))
    }
}

impl Room {
    /// Gives back what a form of so many bytes does not need: the files of a form are never in memory.
    pub(super) fn shrink(&self, bytes: usize) {
        let mut room = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let surplus = room.num_permits().saturating_sub(bytes.div_ceil(UNIT).max(1));
        drop(room.split(surplus));
    }
}

/// In units. A form that does not say how long it is counts as the largest. What it says is so: the server reads no more.
fn weight(headers: &HeaderMap, most: usize) -> u32 {
    let said = headers.get(header::CONTENT_LENGTH).filter(|_| !headers.contains_key(header::TRANSFER_ENCODING));
    let bytes: Option<usize> = said.and_then(|said| said.to_str().ok()).and_then(|said| said.parse().ok());
    u32::try_from(bytes.unwrap_or(most).min(most).div_ceil(UNIT)).unwrap_or(1).max(1)
}

/// An answer's body that holds the room of its form until it has been read. The server takes a whole frame at once, however
/// slowly it is read at the other end; so a large answer goes in pieces, of which it takes no more than it can buffer.
pub(super) fn holding(body: Body, room: impl Into<Room>) -> Body {
    let room = room.into();
    if body.size_hint().exact().is_some_and(|size| size <= PIECE as u64) {
        return Body::new(body.map_frame(move |frame| {
            let _held = &room;
            frame
        }));
    }
    let whole = body.into_data_stream().map_ok(|bytes| stream::iter(pieces(bytes).map(Ok))).try_flatten();
    Body::from_stream(whole.map(move |piece: Result<Bytes, axum::Error>| {
        let _held = &room;
        piece
    }))
}

/// How much of a large answer is handed on at once, in bytes.
const PIECE: usize = 64 * 1024;

fn pieces(mut bytes: Bytes) -> impl Iterator<Item = Bytes> {
    std::iter::from_fn(move || (!bytes.is_empty()).then(|| bytes.split_to(PIECE.min(bytes.len()))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn a_form_weighs_what_it_says_and_the_most_if_it_says_nothing() {
        let weighed = |length: Option<&'static str>, chunked: bool| {
            let mut headers = HeaderMap::new();
            length.map(|length| headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static(length)));
            if chunked {
                headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
            }
            weight(&headers, LARGEST_FORM)
        };
        assert_eq!(weighed(Some("0"), false), 1);
        assert_eq!(weighed(Some("65536"), false), 1);
        assert_eq!(weighed(Some("65537"), false), 2);
        assert_eq!(weighed(Some("999999999999"), false), 96);
        assert_eq!(weighed(None, false), 96);
        assert_eq!(weighed(Some("1"), true), 96);
        assert_eq!(weight(&HeaderMap::new(), SMALL_FORM_AND_PARKED), 8);
    }
}
