//! HTML. A request passes, from the outside in: `visit` (its id, its address, one log line), `headers`, compression,
//! `error` (draws whatever failed), `drain`, the time limit, the body limit, `host`, `csrf`, `session`, then its route's guard
//! and its handler.

use std::future::Future;
use std::time::Duration;

use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::{Extension, Router};
use tokio::net::TcpListener;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;

use crate::app::App;

pub mod about;
pub mod account;
pub mod acts;
mod arrival;
pub mod assets;
pub mod client;
pub mod conflict;
mod connections;
pub mod cookies;
pub mod csrf;
pub mod drain;
pub mod editing;
pub mod error;
pub mod forms;
pub mod guards;
pub mod hand_over;
pub mod head;
pub mod headers;
pub mod health;
pub mod history;
pub mod host;
pub mod household;
pub mod household_log;
mod icons;
pub mod invitations;
pub mod joining;
pub mod leaving;
pub mod look;
pub mod markdown;
pub mod members;
pub mod moments;
pub mod news;
pub mod notes;
pub mod page;
pub mod parked;
pub mod paths;
pub mod qr;
pub mod record;
pub mod record_form;
pub mod records;
pub mod register;
pub mod reply;
pub mod reset;
pub mod routes;
pub mod second_factor;
pub mod security;
pub mod session;
pub mod setup;
pub mod sight;
pub mod sign_in;
pub mod sign_in_code;
pub mod start;
pub mod story;
pub mod telling;
pub mod timeline;
pub mod visit;
pub mod weighing;

/// The largest form that is read. Generous, so that a form whose one text is far too long still gets its own words back.
pub const BODY_LIMIT: usize = 8 * 1024 * 1024;

/// A request that takes longer is given up; what it began to write is still finished.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// Everything that a browser can ask for.
pub fn router(app: App) -> Router {
    let (pages, open) = routes::all().routers();
    pages
        .fallback(error::nothing_here)
        .layer(Extension(weighing::Scales::default()))
        .layer(Extension(weighing::StrangersScales::default()))
        .layer(from_fn(session::recognise))
        .layer(session::layer(&app))
        .layer(from_fn(session::remember))
        .layer(from_fn(session::seal_removal))
        .merge(open)
        .layer(from_fn_with_state(app.clone(), csrf::check))
        .layer(from_fn_with_state(app.clone(), host::check))
        .layer(RequestBodyLimitLayer::new(BODY_LIMIT))
        .layer(DefaultBodyLimit::disable())
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, TIME_LIMIT))
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(from_fn(drain::rest))
        .layer(from_fn(error::draw))
        .layer(CompressionLayer::new())
        .layer(from_fn(headers::add))
        .layer(from_fn_with_state(app.clone(), visit::observe))
        .with_state(app)
}

/// Serves until `shutdown` resolves, then finishes the requests that run. Sweeps out ended sessions now and then.
///
/// # Errors
/// If the listener cannot accept at all.
pub async fn serve(
    app: App,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let sweeper = tokio::spawn(session::sweep(app.clone()));
    let proxies = app.settings.trusted_proxies.clone();
    let served = connections::serve(router(app), listener, proxies, shutdown).await;
    sweeper.abort();
    served
}
