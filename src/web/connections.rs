//! Connections: how many at once, how many of one address, how long one may take to say what it wants and to take its
//! answer. A library's own loop sets none of these, and a thousand silent lines would then keep everybody out.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use ipnet::IpNet;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;
use tower::Service;

use super::client;

/// Connections at once; more wait their turn. Below the usual 1,024 open files of a process.
const AT_ONCE: usize = 900;

/// A connection that has not said whole what it wants within this time is closed, as is one that rests for so long.
const HEADERS_WITHIN: Duration = Duration::from_secs(20);

/// Of these, one address may have so many, unless it is a proxy of ours that brings everybody.
const OF_ONE_ADDRESS: usize = AT_ONCE / 4;

/// How much of what a connection sends is read at a time, in bytes; and the most that its header fields may have.
const BUFFER: usize = 64 * 1024;

/// A connection that takes nothing of its answer within this time is closed.
const TAKES_WITHIN: Duration = Duration::from_secs(30);

/// Serves until `shutdown` resolves, then finishes the requests that run.
pub(super) async fn serve(
    router: Router,
    listener: TcpListener,
    proxies: Vec<IpNet>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let mut make = router.into_make_service_with_connect_info::<SocketAddr>();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADERS_WITHIN).max_buf_size(BUFFER);
    let graceful = GracefulShutdown::new();
    let seats = Arc::new(Semaphore::new(AT_ONCE));
    let guests = Guests { proxies: Arc::new(proxies), counts: Arc::default() };
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &seats) => accepted,
            () = &mut shutdown => break,
        };
        let Some((stream, address, seat)) = accepted else {
            // Too many open files, or a line that broke at once: the next one may be better.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let Some(guest) = guests.welcome(address.ip()) else { continue };
        let _ = stream.set_nodelay(true);
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(TAKES_WITHIN));
        let service = match make.call(address).await {
            Ok(service) => TowerToHyperService::new(service),
            Err(never) => match never {},
        };
        let connection = graceful.watch(http.serve_connection(TokioIo::new(Box::pin(stream)), service));
        tokio::spawn(async move {
            // A line that breaks off is the other side's business.
            let _ = connection.await;
            drop((seat, guest));
        });
    }
    drop(listener);
    graceful.shutdown().await;
    Ok(())
}

/// Who is here, by address.
#[derive(Clone)]
struct Guests {
    proxies: Arc<Vec<IpNet>>,
    counts: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// One of an address's connections, until it is dropped.
struct Guest {
    guests: Guests,
    network: IpAddr,
}

impl Guests {
    /// Counts a connection; none if its address has as many as it may.
    fn welcome(&self, address: IpAddr) -> Option<Guest> {
        let network = client::network(address);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(network).or_default();
        if *count >= OF_ONE_ADDRESS && !self.proxies.iter().any(|proxy| proxy.contains(&address)) {
            return None;
        }
        *count += 1;
        Some(Guest { guests: self.clone(), network })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut counts = self.guests.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.network);
            }
        }
    }
}

type Accepted = (tokio::net::TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit);

async fn accept(listener: &TcpListener, seats: &Arc<Semaphore>) -> Option<Accepted> {
    let seat = Arc::clone(seats).acquire_owned().await.ok()?;
    let (stream, address) = listener.accept().await.ok()?;
    Some((stream, address, seat))
}
