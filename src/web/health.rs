//! Health: whether the process lives, and whether it can serve.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::error::Plain;
use crate::app::App;
use crate::store::accounts;

/// The process lives. Touches nothing.
pub async fn live() -> &'static str {
    "ok\n"
}

/// The database answers.
pub async fn ready(State(app): State<App>) -> Response {
    match accounts::any(&app.db).await {
        Ok(_) => "ok\n".into_response(),
        Err(error) => {
            tracing::error!(%error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, Plain, "the database does not answer\n").into_response()
        }
    }
}
