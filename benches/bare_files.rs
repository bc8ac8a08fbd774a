//! The yardsticks of files that speak HTTP: a handler that pours a raw body through the program's own way of taking one
//! in, and one that streams a plain file. Neither has a session, a form, a database or rights.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_LENGTH;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::stream::try_unfold;
use lifeops::blobs::{DataKey, Objects};
use lifeops::config::BlobPlace;
use tokio::io::AsyncReadExt as _;

use crate::Outcome;

/// How the bare server is started: by the bench itself.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    #[arg(long)]
    listen: SocketAddr,
    /// Where the plain file lies and the objects go.
    #[arg(long)]
    folder: PathBuf,
}

/// The plain file in the folder.
pub const PLAIN: &str = "plain.bin";

/// The directory of objects in the folder.
pub const OBJECTS: &str = "objects";

/// How much is read of the plain file at a time, in bytes.
const STEP: usize = 64 * 1024;

struct Bare {
    objects: Objects,
    plain: PathBuf,
}

pub async fn serve(arguments: Arguments) -> Outcome<()> {
    let objects = Objects::open(&BlobPlace::Directory(arguments.folder.join(OBJECTS)))?;
    let bare = Bare { objects, plain: arguments.folder.join(PLAIN) };
    let router = Router::new()
        .route("/", get(|| async { "here" }))
        .route("/raw", post(raw))
        .route("/plain", get(plain))
        .with_state(Arc::new(bare));
    let listener = tokio::net::TcpListener::bind(arguments.listen).await?;
    axum::serve(listener, router).await?;
    Ok(())
}

async fn raw(State(bare): State<Arc<Bare>>, request: Request) -> Response {
    told(take(&bare, request).await.map(IntoResponse::into_response))
}

async fn take(bare: &Bare, request: Request) -> Outcome<String> {
    let (name, key) = (Objects::new_name()?, DataKey::new()?);
    let body = request.into_body().into_data_stream();
    let arrived = bare.objects.take(&name, &key, u64::MAX, body, |_| async { Ok(()) }).await?;
    Ok(arrived.size.to_string())
}

async fn plain(State(bare): State<Arc<Bare>>) -> Response {
    told(stream(&bare).await)
}

async fn stream(bare: &Bare) -> Outcome<Response> {
    let file = tokio::fs::File::open(&bare.plain).await?;
    let size = file.metadata().await?.len();
    let pieces = try_unfold(file, |mut file| async move {
        let mut piece = Vec::with_capacity(STEP);
        let read = file.read_buf(&mut piece).await?;
        Ok::<_, std::io::Error>((read > 0).then(|| (Bytes::from(piece), file)))
    });
    Ok(([(CONTENT_LENGTH, size)], Body::from_stream(pieces)).into_response())
}

fn told(done: Outcome<Response>) -> Response {
    done.unwrap_or_else(|failure| (StatusCode::INTERNAL_SERVER_ERROR, failure.to_string()).into_response())
}
