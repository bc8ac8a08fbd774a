//! Sessions in the browser: the cookie, who is signed in, and what signing in and out does to it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use axum_login::{AuthManagerLayer, AuthManagerLayerBuilder, AuthSession, AuthUser, AuthnBackend, UserId};
use sha2::{Digest, Sha256};
use tower_sessions::cookie::SameSite;
use tower_sessions::{Expiry, SessionManagerLayer};

use super::cookies;
use super::page::Who;
use super::visit::Visit;
use crate::app::App;
use crate::commands::devices;
use crate::commands::proof::Proven;
use crate::domain::access::{Actor, Role, Via};
use crate::domain::ids::AccountId;
use crate::domain::instant::Instant;
use crate::error::{Error, Result};
use crate::store::accounts;
use crate::store::db::claim;
use crate::store::saved_views::SavedView;
use crate::store::sessions::{self, Opened, Sessions};

/// How often a session's "last used" is written, at most; more often where sessions end after a short time without use.
const TOUCH_EVERY: Duration = Duration::from_secs(5 * 60);

/// How often ended sessions and old tries are swept out.
const SWEEP_EVERY: Duration = Duration::from_secs(60 * 60);

/// The session of a request, with the member if one is signed in.
pub type Auth = AuthSession<Backend>;

/// A signed-in member, with the names that pages show.
#[derive(Clone)]
pub struct Member {
    /// The account.
    pub account: AccountId,
    /// The member as the one who acts.
    pub actor: Actor,
    /// The member's name.
    pub name: String,
    /// The address that the member signs in with.
    pub email: String,
    /// The household's name.
    pub household_name: String,
    /// The filters that the member gave a name.
    pub views: Vec<SavedView>,
    /// Until when the member still reads, if an owner removed them.
    pub leaving: Option<Instant>,
    auth_hash: [u8; 32],
}

impl fmt::Debug for Member {
    /// Names nobody: the session library writes its users into traces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Member({})", self.account)
    }
}

impl From<accounts::Membership> for Member {
    fn from(row: accounts::Membership) -> Self {
        Self {
            auth_hash: auth_hash(row.account, row.session_epoch),
            account: row.account,
            actor: Actor {
                household: row.household,
                member: row.member,
                // Who is leaving reads, whatever they did before.
                role: if row.removed_from.is_some() { Role::Viewer } else { row.role },
                zone: row.zone,
                via: Via::Page,
                via_ref: None,
            },
            name: row.name,
            email: row.email,
            household_name: row.household_name,
            views: row.views,
            leaving: row.removed_from,
        }
    }
}

/// What a session must carry to count: it changes with the account's epoch, so that raising the epoch ends every
/// session at once and for good.
fn auth_hash(account: AccountId, epoch: i64) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"lifeops.session.1\0");
    hash.update(account.0.as_bytes());
    hash.update(epoch.to_be_bytes());
    hash.finalize().into()
}

impl Member {
    /// The member as pages show them.
    pub fn who(&self) -> Who {
        Who::of(self)
    }
}

impl AuthUser for Member {
    type Id = AccountId;

    fn id(&self) -> AccountId {
        self.account
    }

    fn session_auth_hash(&self) -> &[u8] {
        &self.auth_hash
    }
}

/// Where sessions find their members.
#[derive(Clone, Debug)]
pub struct Backend {
    /// All that a request may touch.
    pub app: App,
}

impl AuthnBackend for Backend {
    type User = Member;
    /// An account whose password was already checked, by [`crate::commands::proof::check_from`].
    type Credentials = AccountId;
    type Error = Error;

    async fn authenticate(&self, account: AccountId) -> Result<Option<Member>> {
        self.get_user(&account).await
    }

    async fn get_user(&self, account: &UserId<Self>) -> Result<Option<Member>> {
        if let Some(membership) = sessions::behind(*account) {
            return Ok(Some(membership.into()));
        }
        Ok(accounts::membership(&self.app.db, *account, self.app.clock.now()).await?.map(Member::from))
    }
}

/// The layer that reads the cookie and loads the session and its member.
pub fn layer(app: &App) -> AuthManagerLayer<Backend, Sessions> {
    let settings = &app.settings;
    let longest = time::Duration::try_from(settings.session_max).unwrap_or(time::Duration::days(180));
    let store = Sessions::new(app.db.clone(), app.clock.clone(), settings.session_idle, settings.session_max);
    let manager = SessionManagerLayer::new(store)
        .with_name(cookie_name(app))
        .with_path("/")
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_secure(cookies::is_https(app))
        .with_expiry(Expiry::OnInactivity(longest));
    AuthManagerLayerBuilder::new(Backend { app: app.clone() }, manager).build()
}

pub(super) fn cookie_name(app: &App) -> &'static str {
    if cookies::is_https(app) { "__Host-lifeops" } else { "lifeops" }
}

/// Notes who is signed in, or that whoever was may no longer be here, and writes "last used" now and then, beside the
/// request rather than before it.
pub async fn recognise(auth: Auth, visit: Visit, request: Request, next: Next) -> Response {
    match &auth.user {
        Some(member) => {
            visit.is_by(Arc::new(member.clone()));
            touch(&auth, &visit).await;
        }
        // The session opens nothing any more. Whoever stands between it and a member's page ends it, and says why.
        None if auth.session.id().is_some() => visit.is_shut_out(),
        None => {}
    }
    next.run(request).await
}

async fn touch(auth: &Auth, visit: &Visit) {
    let seen = auth.session.get::<i64>(sessions::SEEN).await.ok().flatten().unwrap_or_default();
    let Some(id) = auth.session.id() else { return };
    let every = TOUCH_EVERY.min(auth.backend.app.settings.session_idle / 4);
    let before = visit.at.plus_seconds(-i64::try_from(every.as_secs()).unwrap_or(i64::MAX));
    if seen > before.micros() {
        return;
    }
    let (db, now, address) = (auth.backend.app.db.clone(), visit.at, visit.address.to_string());
    tokio::spawn(async move {
        if let Err(error) = sessions::touch(&db, &sessions::key(&id), now, before, &address).await {
            tracing::warn!(%error, "a session's last use was not written");
        }
    });
}

/// Signs an account in on this device, under a session id that nobody knew before; from now on the device is known. Whoever
/// calls this has made sure of everything that the account asks for: [`super::arrival`] does, after a password.
pub async fn sign_in(auth: &mut Auth, visit: &Visit, account: AccountId) -> Result<()> {
    let member = somebody(auth, account).await?;
    begin(auth, visit, member).await
}

/// The same for somebody whose password was looked at before: it must not have been changed since, nor every session been
/// ended.
///
/// # Errors
/// [`Error::Forbidden`] with a sentence.
pub async fn sign_in_as(auth: &mut Auth, visit: &Visit, proven: Proven) -> Result<()> {
    let member = somebody(auth, proven.account).await?;
    if member.auth_hash != auth_hash(proven.account, proven.epoch) {
        return Err(Error::Forbidden(
            "The password was changed, or every device signed out, while you signed in. Sign in again.".to_owned(),
        ));
    }
    begin(auth, visit, member).await
}

async fn somebody(auth: &Auth, account: AccountId) -> Result<Member> {
    let found = auth.backend.get_user(&account).await?;
    found.ok_or_else(|| Error::Forbidden("This account is disabled. Ask an owner of the household.".to_owned()))
}

async fn begin(auth: &mut Auth, visit: &Visit, member: Member) -> Result<()> {
    let account = member.account;
    if auth.session.id().is_some() {
        auth.session.flush().await.map_err(Error::internal)?;
    }
    auth.session.cycle_id().await.map_err(Error::internal)?;
    let opened = Opened {
        household: member.actor.household,
        member: member.actor.member,
        account,
        device: visit.device.clone(),
        address: visit.address.to_string(),
    };
    auth.session.insert(sessions::OPENED, opened).await.map_err(Error::internal)?;
    auth.login(&member).await.map_err(Error::internal)?;
    know_device(auth, visit, account).await
}

/// Notes that this device is one of an account's own.
pub async fn know_device(auth: &Auth, visit: &Visit, account: AccountId) -> Result<()> {
    let app = &auth.backend.app;
    let device = devices::remember(app, visit.device_digest, account).await?;
    visit.sets_device_cookie(cookies::line(app, "device", &device, devices::KNOWN)?);
    Ok(())
}

/// Signs this device out: the session is gone from the database before the answer leaves.
pub async fn sign_out(auth: &mut Auth) -> Result<()> {
    auth.logout().await.map_err(Error::internal)?;
    Ok(())
}

/// Lets the session layer find the member where it finds the session; and lets a page that only reads begin with what is
/// remembered of the session, which is asked for again together with the page's first statement. If that is not so any
/// more, the page is made anew.
pub async fn remember(State(app): State<App>, visit: Visit, request: Request, next: Next) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return sessions::remembering(next.run(request)).await;
    }
    // Nothing here reads what may come with such a request.
    let (parts, _) = request.into_parts();
    let mut first = Request::from_parts(parts.clone(), Body::empty());
    let attempt = visit.afresh();
    first.extensions_mut().insert(attempt.clone());
    match claim::trusting(&app.db, sessions::remembering(next.clone().run(first))).await {
        Some(response) => {
            visit.take_over(&attempt);
            response
        }
        None => sessions::remembering(next.run(Request::from_parts(parts, Body::empty()))).await,
    }
}

/// A browser forgets a `__Host-` cookie only when the order to do so is `Secure` as well; the cookie library leaves that
/// out.
pub async fn seal_removal(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let lines: Vec<HeaderValue> = response.headers().get_all(header::SET_COOKIE).iter().cloned().collect();
    if lines.iter().any(is_unsealed) {
        response.headers_mut().remove(header::SET_COOKIE);
        for line in lines {
            response.headers_mut().append(header::SET_COOKIE, sealed(line));
        }
    }
    response
}

fn is_unsealed(line: &HeaderValue) -> bool {
    line.to_str().is_ok_and(|line| line.starts_with("__Host-") && !line.contains("; Secure"))
}

fn sealed(line: HeaderValue) -> HeaderValue {
    match line.to_str() {
        Ok(text) if is_unsealed(&line) => {
            HeaderValue::from_str(&format!("{text}; Secure; HttpOnly; SameSite=Lax")).unwrap_or(line)
        }
        _ => line,
    }
}

/// Sweeps out ended sessions and old tries, for as long as the program serves.
pub async fn sweep(app: App) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        let store =
            Sessions::new(app.db.clone(), app.clock.clone(), app.settings.session_idle, app.settings.session_max);
        if let Err(error) = store.sweep().await {
            tracing::warn!(%error, "ended sessions were not swept out");
        }
        if let Err(error) = crate::store::attempts::sweep(&app.db, app.clock.now()).await {
            tracing::warn!(%error, "old tries were not swept out");
        }
        if let Err(error) = crate::store::devices::sweep(&app.db, app.clock.now()).await {
            tracing::warn!(%error, "devices that are known no longer were not swept out");
        }
    }
}
