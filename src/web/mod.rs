//! HTML. A request passes, from the outside in: `visit` (its id, its address, one log line), `headers`, compression,
//! `error` (draws whatever failed), `drain`, `limits` (time and size), `host`, `csrf`, `session`, then its route's guard
//! and its handler.

use std::future::Future;
use std::time::Duration;

use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::{Extension, Router};
use tokio::net::TcpListener;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, Predicate};

use crate::app::{App, Parts};

pub mod about;
pub mod account;
pub mod acts;
mod arrival;
pub mod assets;
pub mod client;
pub mod conflict;
mod connections;
pub mod cookies;
mod counting;
pub mod csrf;
mod downloads;
pub mod drain;
pub mod editing;
pub mod error;
mod file_pages;
mod files;
mod files_in;
pub mod filters;
mod forms;
pub mod guards;
pub mod hand_over;
pub mod head;
pub mod headers;
pub mod health;
pub mod history;
mod hits;
pub mod host;
pub mod household;
pub mod household_log;
mod icons;
pub mod invitations;
pub mod joining;
pub mod labels;
mod leaving;
mod limits;
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
pub mod search;
pub mod second_factor;
pub mod security;
pub mod serving;
pub mod session;
pub mod setup;
pub mod sight;
pub mod sign_in;
pub mod sign_in_code;
pub mod start;
pub mod story;
pub mod telling;
mod tending;
pub mod timeline;
mod views;
pub mod visit;
pub mod weighing;

pub use limits::BODY_LIMIT;

/// How long a page waits for the answer of one statement. What lists and searches read is bounded, so that it takes a
/// fraction of that at any size; this is for the case that nobody thought of.
const PATIENCE: Duration = Duration::from_secs(10);

/// Everything that a browser can ask for.
pub fn router(app: App) -> Router {
    let app = App::from(Parts { db: app.db.clone().within(PATIENCE), ..Parts::clone(&app) });
    let (pages, open) = routes::all().routers();
    // Layers in one piece: each layer that a router takes by itself boxes every route once more, and the boxes are copied with
    // every request.
    let of_members = ServiceBuilder::new()
        .layer(from_fn(session::seal_removal))
        .layer(from_fn_with_state(app.clone(), session::remember))
        .layer(session::layer(&app))
        .layer(from_fn(session::recognise))
        .layer(Extension(weighing::StrangersScales::default()))
        .layer(Extension(weighing::Scales::default()));
    let of_all = ServiceBuilder::new()
        .layer(from_fn_with_state(app.clone(), visit::observe))
        .layer(from_fn(headers::add))
        .layer(CompressionLayer::new().compress_when(DefaultPredicate::new().and(downloads::may_be_compressed)))
        .layer(from_fn(error::draw))
        .layer(from_fn(drain::rest))
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(from_fn(limits::apply))
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(app.clone(), host::check))
        .layer(from_fn_with_state(app.clone(), csrf::check));
    pages.fallback(error::nothing_here).layer(of_members).merge(open).layer(of_all).with_state(app)
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
    let tender = tokio::spawn(tending::tend(app.clone()));
    let proxies = app.settings.trusted_proxies.clone();
    let served = connections::serve(router(app), listener, proxies, shutdown).await;
    sweeper.abort();
    tender.abort();
    served
}
