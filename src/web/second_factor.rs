//! Turning the second step on and off, and new recovery codes. The secret and the codes of a form travel sealed in it
//! ([`Offer`]): nothing is kept before a code shows that the person's app has the secret, and the same form sent twice
//! shows the same codes.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::account::{current, not_proven, too_soon};
use super::error::HtmlError;
use super::forms::{Errors, RawForm};
use super::guards::Me;
use super::page::{Frame, Tab};
use super::qr::{self, Drawing};
use super::reply::{page, page_with, see_other};
use super::session::{self, Auth, Member};
use super::visit::Visit;
use crate::app::App;
use crate::commands::second_factor::{self as commands, CODE_WRONG, FIRST_CODE_WRONG, Offer};
use crate::error::{Error, Result};
use crate::store::sessions;

/// `GET /account/second-factor`
pub async fn show(State(app): State<App>, Me(me): Me) -> Result<Response, HtmlError> {
    if commands::of(&app, me.account).await?.is_some() {
        return Ok(see_other("/account/security"));
    }
    let offer = Offer::new(&app, me.account)?;
    Ok(show_offer(&app, &me, &offer, &Errors::none())?)
}

/// `POST /account/second-factor`
pub async fn turn_on(
    State(app): State<App>,
    Me(me): Me,
    auth: Auth,
    visit: Visit,
    raw: RawForm,
) -> Result<Response, HtmlError> {
    let mut errors = Errors::of_form(&raw);
    let offer =
        offered(&app, &me, &raw, &mut errors, "This page was open for too long. Here is a new secret: scan it again")?;
    let (password, code) = proofs(&raw, &mut errors);
    let mut seconds = None;
    if errors.is_empty() {
        let this = auth.session.id().map(|id| sessions::key(&id));
        match commands::turn_on(&app, &visit.caller(), &offer, &password, &code, this.as_deref()).await {
            Ok(()) => {
                session::know_device(&auth, &visit, me.account).await?;
                return Ok(show_codes(&me, &offer, "The second step is on", SIGNED_OUT_ELSEWHERE));
            }
            Err(error) => seconds = wrong(&mut errors, error)?,
        }
    }
    // It is on by now: neither the secret nor the codes are shown again.
    if commands::of(&app, me.account).await?.is_some() {
        return Ok(see_other("/account/security"));
    }
    Ok(too_soon(show_offer(&app, &me, &offer, &errors)?, seconds))
}

/// `GET /account/second-factor/codes`
pub async fn ask_codes(State(app): State<App>, Me(me): Me) -> Result<Response, HtmlError> {
    if commands::of(&app, me.account).await?.is_none() {
        return Ok(see_other("/account/security"));
    }
    let offer = Offer::new(&app, me.account)?;
    Ok(confirm(&me, &Ask::codes(offer.sealed(&app)?), &Errors::none()))
}

/// `POST /account/second-factor/codes`
pub async fn renew_codes(
    State(app): State<App>,
    Me(me): Me,
    visit: Visit,
    raw: RawForm,
) -> Result<Response, HtmlError> {
    if commands::of(&app, me.account).await?.is_none() {
        return Ok(see_other("/account/security"));
    }
    let mut errors = Errors::of_form(&raw);
    let offer = offered(&app, &me, &raw, &mut errors, "This page was open for too long. Enter both once more")?;
    let (password, code) = proofs(&raw, &mut errors);
    let mut seconds = None;
    if errors.is_empty() {
        match commands::renew_codes(&app, &visit.caller(), &offer, &password, &code).await {
            Ok(()) => return Ok(show_codes(&me, &offer, "Your new recovery codes", "")),
            Err(error) => seconds = wrong(&mut errors, error)?,
        }
    }
    if commands::is_past(&app, &offer).await? {
        return Ok(see_other("/account/security"));
    }
    Ok(too_soon(confirm(&me, &Ask::codes(offer.sealed(&app)?), &errors), seconds))
}

/// `GET /account/second-factor/turn-off`
pub async fn ask_turn_off(State(app): State<App>, Me(me): Me) -> Result<Response, HtmlError> {
    if commands::of(&app, me.account).await?.is_none() {
        return Ok(see_other("/account/security"));
    }
    Ok(confirm(&me, &Ask::turn_off(), &Errors::none()))
}

/// `POST /account/second-factor/turn-off`
pub async fn turn_off(State(app): State<App>, Me(me): Me, visit: Visit, raw: RawForm) -> Result<Response, HtmlError> {
    if commands::of(&app, me.account).await?.is_none() {
        return Ok(see_other("/account/security"));
    }
    let mut errors = Errors::of_form(&raw);
    let (password, code) = proofs(&raw, &mut errors);
    let mut seconds = None;
    if errors.is_empty() {
        match commands::turn_off(&app, &visit.caller(), me.account, &password, &code).await {
            Ok(()) => return Ok(see_other("/account/security?done=factor-off")),
            Err(error) => seconds = wrong(&mut errors, error)?,
        }
    }
    Ok(too_soon(confirm(&me, &Ask::turn_off(), &errors), seconds))
}

/// What the form offers; something new, and `late` said about it, if that stands no longer.
fn offered(app: &App, me: &Member, raw: &RawForm, errors: &mut Errors, late: &str) -> Result<Offer> {
    if let Some(offer) = Offer::open(app, me.account, &raw.text("offer")) {
        return Ok(offer);
    }
    errors.add("", late);
    Offer::new(app, me.account)
}

fn proofs(raw: &RawForm, errors: &mut Errors) -> (String, String) {
    if raw.get("code").is_blank() {
        errors.add("code", "Enter the code");
    }
    (current(raw, "password", "password", errors), raw.text("code"))
}

/// What was not right: the code, or the password.
fn wrong(errors: &mut Errors, error: Error) -> Result<Option<i64>> {
    let id = match &error {
        Error::Refused(refusal) if refusal.0 == CODE_WRONG || refusal.0 == FIRST_CODE_WRONG => "code",
        Error::Refused(refusal) if refusal.0 == commands::ALREADY_ON => "",
        Error::Throttled { .. } => "",
        _ => "password",
    };
    not_proven(errors, id, error)
}

fn show_offer(app: &App, me: &Member, offer: &Offer, errors: &Errors) -> Result<Response> {
    let secret = offer.secret().base32();
    let sheet = OfferPage {
        frame: frame("Turn on the second step", me, errors),
        code: qr::svg(&key_uri(me, &secret), "QR code with the secret that stands below as text"),
        secret: grouped(&secret),
        offer: offer.sealed(app)?,
        errors,
    };
    Ok(page_with(errors.status(), &sheet))
}

/// The address that authenticator apps read (the "Key URI Format" that they agree upon).
fn key_uri(me: &Member, secret: &str) -> String {
    let label = utf8_percent_encode(&me.email, NON_ALPHANUMERIC);
    format!("otpauth://totp/LifeOps:{label}?secret={secret}&issuer=LifeOps&algorithm=SHA1&digits=6&period=30")
}

/// In groups of four, as people read and type it.
fn grouped(secret: &str) -> String {
    let letters: Vec<char> = secret.chars().collect();
    letters.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

/// What is said beside the codes when the second step was turned on.
const SIGNED_OUT_ELSEWHERE: &str = "All your other devices are signed out: signing in asks for a code there, too.";

fn show_codes(me: &Member, offer: &Offer, heading: &'static str, done: &'static str) -> Response {
    let codes = offer.codes();
    let mut sheet = page(&CodesPage { frame: frame(heading, me, &Errors::none()), heading, done, codes });
    // Shown once: the browser keeps no copy either.
    sheet.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    sheet
}

/// What is asked before something is done that a password alone must not do.
struct Ask {
    question: &'static str,
    sentence: &'static str,
    action: &'static str,
    button: &'static str,
    offer: Option<String>,
}

impl Ask {
    fn codes(offer: String) -> Self {
        Self {
            question: "Make new recovery codes?",
            sentence: "You will see ten new codes once. The old ones, used or not, are worth nothing from then on.",
            action: "/account/second-factor/codes",
            button: "Make new codes",
            offer: Some(offer),
        }
    }

    fn turn_off() -> Self {
        Self {
            question: "Turn off the second step?",
            sentence: "Your password alone will sign you in. Your recovery codes will be worth nothing.",
            action: "/account/second-factor/turn-off",
            button: "Turn it off",
            offer: None,
        }
    }
}

fn confirm(me: &Member, ask: &Ask, errors: &Errors) -> Response {
    page_with(errors.status(), &ConfirmPage { frame: frame(ask.question, me, errors), ask, errors })
}

fn frame(title: &str, me: &Member, errors: &Errors) -> Frame {
    Frame::member(title, Tab::None, me.who()).wrong(!errors.is_empty())
}

#[derive(Template)]
#[template(path = "account/second_factor.html")]
struct OfferPage<'a> {
    frame: Frame,
    code: Option<Drawing>,
    secret: String,
    offer: String,
    errors: &'a Errors,
}

#[derive(Template)]
#[template(path = "account/codes.html")]
struct CodesPage<'a> {
    frame: Frame,
    heading: &'static str,
    done: &'static str,
    codes: &'a [String],
}

#[derive(Template)]
#[template(path = "account/confirm.html")]
struct ConfirmPage<'a> {
    frame: Frame,
    ask: &'a Ask,
    errors: &'a Errors,
}
