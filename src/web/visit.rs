//! What is known about a request before any handler runs: its id, where it came from, whether htmx sent it, and (once
//! the session was read) who sent it. The outermost layer makes it and keeps a copy, so that an error page that is
//! drawn outside the session layer still knows whose page it is.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Instant as Stopwatch;

use axum::extract::{ConnectInfo, FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use uuid::Uuid;

use super::client;
use super::cookies;
use super::reply::Hx;
use super::session::Member;
use crate::app::App;
use crate::commands::devices;
use crate::commands::proof::Caller;
use crate::domain::instant::Instant;

/// The header that carries a request's id back to whoever reports a problem.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What is known about a request before any handler runs.
#[derive(Clone, Debug)]
pub struct Visit {
    /// The request's id: in the log, in `X-Request-Id`, and on error pages.
    pub id: String,
    /// Whose request it is as far as the network tells, trusted proxies looked through.
    pub address: IpAddr,
    /// The device in words, from the `User-Agent` header.
    pub device: String,
    /// When it arrived, by the application's clock.
    pub at: Instant,
    /// Whether htmx asks for a fragment (and does not repair its history).
    pub wants_part: bool,
    /// The digest of what the browser's device cookie holds, if it has one.
    pub device_digest: Option<[u8; 32]>,
    device_cookie: Arc<OnceLock<HeaderValue>>,
    member: Arc<OnceLock<Arc<Member>>>,
    shut_out: Arc<OnceLock<()>>,
}

impl Visit {
    /// The signed-in member, once the session was read.
    pub fn member(&self) -> Option<&Arc<Member>> {
        self.member.get()
    }

    /// The network that the address counts as when tries are counted.
    pub fn network(&self) -> IpAddr {
        client::network(self.address)
    }

    /// Whether the session was that of a member who may no longer be here.
    pub fn was_shut_out(&self) -> bool {
        self.shut_out.get().is_some()
    }

    /// Notes that the session's member may no longer be here.
    pub(super) fn is_shut_out(&self) {
        self.shut_out.get_or_init(|| ());
    }

    /// Who has a password or a code looked at with this request.
    pub fn caller(&self) -> Caller {
        Caller { network: self.network(), device: self.device_digest }
    }

    /// The same visit by somebody who signed in with it.
    pub(super) fn now_by(&self, member: Member) -> Self {
        Self { member: Arc::new(OnceLock::from(Arc::new(member))), ..self.clone() }
    }

    /// The same visit, about which nothing was noted yet.
    pub(super) fn afresh(&self) -> Self {
        Self { device_cookie: Arc::default(), member: Arc::default(), shut_out: Arc::default(), ..self.clone() }
    }

    /// Notes all that was noted about another one.
    pub(super) fn take_over(&self, other: &Self) {
        if let Some(member) = other.member.get() {
            self.is_by(Arc::clone(member));
        }
        if let Some(line) = other.device_cookie.get() {
            self.sets_device_cookie(line.clone());
        }
        if other.was_shut_out() {
            self.is_shut_out();
        }
    }

    /// The device cookie that the answer sets; the first one counts.
    pub(super) fn sets_device_cookie(&self, line: HeaderValue) {
        self.device_cookie.get_or_init(|| line);
    }

    /// Notes who is signed in; the first word counts.
    pub(super) fn is_by(&self, member: Arc<Member>) {
        self.member.get_or_init(|| member);
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Visit {
    type Rejection = super::error::HtmlError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| crate::error::Error::internal("the visit layer is missing").into())
    }
}

/// The outermost layer: makes the visit, writes one log line a request (the route, never the query or the person), and
/// returns the request's id.
pub async fn observe(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let started = Stopwatch::now();
    let visit = visit(&app, &request);
    let id = visit.id.clone();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("-", MatchedPath::as_str).to_owned();
    let device_cookie = Arc::clone(&visit.device_cookie);
    request.extensions_mut().insert(visit);
    let mut response = next.run(request).await;
    log(&id, &method, &route, &response, started);
    if let Some(line) = device_cookie.get() {
        response.headers_mut().append(header::SET_COOKIE, line.clone());
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

fn visit(app: &App, request: &Request) -> Visit {
    let peer = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(peer)| peer.ip());
    Visit {
        id: Uuid::new_v4().simple().to_string().split_off(16),
        address: client::address(peer, request.headers(), &app.settings.trusted_proxies),
        device: client::device(request.headers()),
        at: app.clock.now(),
        wants_part: Hx::of(request.headers()).wants_part(),
        device_digest: cookies::read(request.headers(), &cookies::name(app, "device")).map(|v| devices::digest(&v)),
        device_cookie: Arc::default(),
        member: Arc::default(),
        shut_out: Arc::default(),
    }
}

fn log(id: &str, method: &Method, route: &str, response: &Response, started: Stopwatch) {
    let status = response.status().as_u16();
    let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    if route.starts_with("/health/") && response.status().is_success() {
        // Asked every few seconds for years: worth a line only when it is not well.
        return tracing::debug!(target: "lifeops::request", id, %method, route, status, ms);
    }
    tracing::info!(target: "lifeops::request", id, %method, route, status, ms);
}
