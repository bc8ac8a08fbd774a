//! The server: from nothing to a printed address, and to a quiet end.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use lifeops::app::{App, Clock};
use lifeops::commands::accounts;
use lifeops::config::Settings;
use lifeops::web;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::{Failure, Outcome, say};

/// How long running requests may take to end after the signal: as long as any request may take.
const GRACE: Duration = Duration::from_secs(60);

/// Serves until SIGTERM or SIGINT, then finishes the running requests. A second signal ends the program at once.
pub async fn serve(mut settings: Settings) -> Outcome {
    let listener = listen(settings.listen).await?;
    // Port 0 asks for any: links carry the one that it became.
    settings.listen = listener.local_addr()?;
    let stop = signals(|| ())?;
    let app = App::open(settings, Clock::System).await?;
    let told = match accounts::set_up_path(&app).await? {
        Some(path) => format!(
            "LifeOps is ready, and nobody lives here yet. Open this address to begin:\n\n    {}{path}\n",
            app.origin()
        ),
        None => format!("LifeOps is ready: {}/", app.origin()),
    };
    run(app, listener, stop, &told).await
}

/// Says that it is ready, and serves until the signal.
pub async fn run(app: App, listener: TcpListener, stop: watch::Receiver<bool>, told: &str) -> Outcome {
    tracing::info!(listening = %listener.local_addr()?, version = env!("CARGO_PKG_VERSION"), "ready");
    if say(told).is_err() {
        // A server serves on, also when nobody reads what it prints.
        tracing::warn!("the address could not be printed");
    }
    let served = tokio::select! {
        served = web::serve(app.clone(), listener, stopped(stop.clone())) => served,
        () = too_long(stop) => {
            tracing::warn!("some requests did not end in time");
            Ok(())
        }
    };
    app.db.close().await;
    tracing::info!("stopped");
    served.map_err(|e| Failure::Told(format!("The server stopped: {e}.")))
}

/// Listens, or says what is in the way.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        let other = "choose another address with LIFEOPS_LISTEN or --listen";
        Failure::Told(match error.kind() {
            ErrorKind::AddrInUse => {
                format!("Another program listens on {address} already. Stop it, or {other}.")
            }
            ErrorKind::PermissionDenied => {
                format!("This user may not listen on {address}: ports below 1024 are reserved. Run it as another user, or {other}.")
            }
            ErrorKind::AddrNotAvailable => format!("{address} is no address of this machine: {other}."),
            _ => format!("Cannot listen on {address}: {error}. Perhaps {other}."),
        })
    })
}

/// Turns true at the first signal. `at_once` is done before a second one ends the program.
#[cfg(unix)]
pub fn signals(at_once: impl Fn() + Send + 'static) -> Result<watch::Receiver<bool>, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if sender.send_replace(true) {
                tracing::warn!("a second signal: stopping at once");
                at_once();
                std::process::exit(1);
            }
            tracing::info!("stopping: running requests are finished first");
        }
    });
    Ok(receiver)
}

/// Turns true at the first Ctrl-C. `at_once` is done before a second one ends the program.
#[cfg(not(unix))]
pub fn signals(at_once: impl Fn() + Send + 'static) -> Result<watch::Receiver<bool>, Failure> {
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            if sender.send_replace(true) {
                at_once();
                std::process::exit(1);
            }
        }
    });
    Ok(receiver)
}

/// Returns after the first signal.
pub async fn stopped(mut stop: watch::Receiver<bool>) {
    // The sender lives as long as the program.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn too_long(stop: watch::Receiver<bool>) {
    stopped(stop).await;
    tokio::time::sleep(GRACE).await;
}
