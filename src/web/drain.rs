//! Reads what is left of a request before it is answered. A server that answers early and closes the line makes many
//! browsers show "connection reset" instead of the answer, so whoever sends a form that is far too long, or is not
//! signed in, would never see why.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header;
use axum::middleware::Next;
use axum::response::Response;
use futures_util::Stream;
use futures_util::stream::poll_fn;

/// As much of a rest is read and thrown away; beyond that the line is closed.
const AT_MOST: usize = 64 * 1024 * 1024;

/// And for as long.
const AT_LONGEST: Duration = Duration::from_secs(10);

/// Lets the request through, then reads what nobody has read. Whoever asks first (`Expect: 100-continue`) needs no such
/// patience.
pub async fn rest(request: Request, next: Next) -> Response {
    if request.body().is_end_stream() || request.headers().contains_key(header::EXPECT) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let ours = Shared(Arc::new(Mutex::new(body.into_data_stream())));
    let theirs = ours.clone();
    let body = Body::from_stream(poll_fn(move |context| theirs.poll(context)));
    let response = next.run(Request::from_parts(parts, body)).await;
    let _ = tokio::time::timeout(AT_LONGEST, discard(ours)).await;
    response
}

async fn discard(body: Shared) {
    let mut read = 0;
    while let Some(Ok(bytes)) = std::future::poll_fn(|context| body.poll(context)).await {
        read += bytes.len();
        if read > AT_MOST {
            return;
        }
    }
}

/// A body that its reader and this layer hold together, and read one after the other.
#[derive(Clone)]
struct Shared(Arc<Mutex<BodyDataStream>>);

impl Shared {
    fn poll(&self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, axum::Error>>> {
        let mut body = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Pin::new(&mut *body).poll_next(context)
    }
}
