//! The program, served inside the test.

use std::net::SocketAddr;
use std::time::Duration;

use lifeops::app::{App, Clock};
use lifeops::config::{LogFormat, Registration, Settings};
use tokio::task::JoinHandle;

use super::{Place, Visitor};

/// A server of one's own on a free port of 127.0.0.1.
#[derive(Debug)]
pub struct Server {
    /// The program's inside, for what no page shows.
    pub app: App,
    /// Where it listens.
    pub address: SocketAddr,
    task: JoinHandle<()>,
    /// Removed last.
    place: Place,
}

/// The settings that a test starts from: as a household would have them, with registration open.
pub fn settings(place: &Place) -> Settings {
    Settings {
        data: place.directory().to_owned(),
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        base_url: None,
        database: place.database(),
        database_connections: 8,
        master_key: None,
        blobs: place.blobs(),
        file_limit: 2_000_000_000,
        form_limit: 8_000_000_000,
        quota: None,
        registration: Registration::Open,
        trusted_proxies: Vec::new(),
        session_idle: Duration::from_secs(30 * 86_400),
        session_max: Duration::from_secs(180 * 86_400),
        removal_grace: Duration::from_secs(14 * 86_400),
        search_language: lifeops::domain::analysis::Language::English,
        log_format: LogFormat::Human,
    }
}

impl Server {
    /// Serves a place with a test's usual settings.
    pub async fn start(place: Place, clock: Clock) -> Self {
        let settings = settings(&place);
        Self::start_with(place, settings, clock).await
    }

    /// Serves a place with settings of one's own.
    pub async fn start_with(place: Place, mut settings: Settings, clock: Clock) -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        settings.listen = address;
        let app = App::open(settings, clock).await.expect("the installation opens");
        let served = lifeops::web::serve(app.clone(), listener, std::future::pending());
        let task = tokio::spawn(async move {
            let _ = served.await;
        });
        Self { app, address, task, place }
    }

    /// Where it lives.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Somebody who has not signed in.
    pub fn visitor(&self) -> Visitor {
        Visitor::new(self.address)
    }

    /// Stops it, waits until the database is closed, and hands the place back.
    pub async fn stop(mut self) -> Place {
        self.task.abort();
        let _ = (&mut self.task).await;
        self.app.db.close().await;
        let Self { place, .. } = self;
        place
    }
}
