//! Invitations, for owners: make a link, see it once, take it back. Opening one is in `joining`.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use jiff::tz::TimeZone;

use crate::app::App;
use crate::commands::invitations::{self as commands, DAYS, USUAL_DAYS};
use crate::domain::Refusal;
use crate::domain::access::Role;
use crate::domain::ids::{InvitationId, SubmissionKey};
use crate::domain::instant::Instant;
use crate::error::Error;
use crate::store::invitations::{self as rows, Invitation};

use super::error::HtmlError;
use super::forms::{Errors, RawForm};
use super::guards::Me;
use super::household::owners_only;
use super::members::ConfirmPage;
use super::moments::{self, Moment};
use super::page::{Frame, PlainPage, Tab};
use super::paths::{Asked, InvitationPath, with_query};
use super::qr::{self, Drawing};
use super::reply::{page, page_with, see_other};
use super::session::Member;

/// The form's address.
const NEW: &str = "/household/invitations/new";

/// `GET /household/invitations/new`
pub async fn new(Me(me): Me) -> Result<Response, HtmlError> {
    owners_only(&me)?;
    Ok(shown(&me, "editor", USUAL_DAYS, SubmissionKey::new(), &Errors::none()))
}

/// `POST /household/invitations/new`
pub async fn invite(State(app): State<App>, Me(me): Me, raw: RawForm) -> Result<Response, HtmlError> {
    owners_only(&me)?;
    let mut errors = Errors::of_form(&raw);
    let role = errors.take("role-owner", raw.get("role").parse(str::parse::<Role>));
    let days = errors.take("days", raw.get("days").parse(days));
    let key = errors.key(&raw);
    let chosen = role.map(Role::as_str).unwrap_or_default();
    let (Some(role), Some(days), true) = (role, days, errors.is_empty()) else {
        return Ok(shown(&me, chosen, days.unwrap_or(USUAL_DAYS), key, &errors));
    };
    match commands::invite(&app, &me.actor, key, role, days).await {
        Ok(()) => Ok(see_other(&with_query("/household/invitations/made", &[("key", &key.to_string())]))),
        Err(Error::SubmissionReused) => Ok(shown(&me, chosen, days, SubmissionKey::new(), &Errors::reused())),
        Err(error) => Err(error.into()),
    }
}

fn days(typed: &str) -> Result<i64, Refusal> {
    let days = typed.trim().parse().ok().filter(|days| DAYS.contains(days));
    days.ok_or_else(|| Refusal::new("Choose for how long the link works"))
}

fn shown(me: &Member, role: &str, days: i64, key: SubmissionKey, errors: &Errors) -> Response {
    let heading = "Invite someone";
    let sheet = NewPage {
        frame: Frame::member(heading, Tab::Household, me.who()).wrong(!errors.is_empty()),
        crumbs: crumbs(NEW, heading),
        role,
        days: DAYS.map(|choice| (choice, counted(choice), choice == days)),
        key,
        errors,
    };
    page_with(errors.status(), &sheet)
}

fn counted(days: i64) -> String {
    if days == 1 { "1 day".to_owned() } else { format!("{days} days") }
}

/// `GET /household/invitations/made?key=…`
pub async fn made(State(app): State<App>, Me(me): Me, Asked(asked): Asked) -> Result<Response, HtmlError> {
    owners_only(&me)?;
    let found = match asked.text("key").parse() {
        Ok(key) => commands::made(&app, &me.actor, key).await?,
        Err(_) => None,
    };
    let mut response = match found {
        Some((path, invitation)) => {
            let here = with_query("/household/invitations/made", &[("key", &asked.text("key"))]);
            link(&app, &me, &here, &format!("{}{path}", app.origin()), &invitation)
        }
        None => not_again(&me),
    };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

fn link(app: &App, me: &Member, here: &str, link: &str, invitation: &Invitation) -> Response {
    let heading = "Invitation made";
    page(&MadePage {
        frame: Frame::member(heading, Tab::Household, me.who()).status("The invitation’s link is ready to copy"),
        crumbs: crumbs(here, heading),
        heading,
        role: a_role(invitation.role),
        until: Moment::recorded(invitation.expires_at, &moments::zone(&me.actor)),
        link,
        qr: qr::svg(link, "QR code of the invitation’s link"),
        named: app.settings.base_url.is_some(),
    })
}

fn not_again(me: &Member) -> Response {
    let heading = "The link is not shown again";
    page(&PlainPage {
        frame: Frame::member(heading, Tab::Household, me.who()),
        heading: heading.to_owned(),
        sentences: vec![
            "An invitation’s link is shown when it is made, and is not kept. If you have lost it, take that invitation \
             back and make another."
                .to_owned(),
        ],
        ways: vec![
            (NEW.to_owned(), "Make another invitation".to_owned()),
            ("/household".to_owned(), "Go to the household".to_owned()),
        ],
        note: None,
    })
}

/// `GET /household/invitations/{invitation}/revoke`
pub async fn ask_revoke(
    State(app): State<App>,
    Me(me): Me,
    InvitationPath(id): InvitationPath,
) -> Result<Response, HtmlError> {
    owners_only(&me)?;
    let all = rows::of_household(&app.db, &me.actor).await?;
    let found = all.into_iter().find(|invitation| invitation.id == id).ok_or(Error::NotFound)?;
    let question = "Take this invitation back?";
    let action = format!("/household/invitations/{id}/revoke");
    let made = Moment::recorded(found.made_at, &moments::zone(&me.actor)).words;
    Ok(page(&ConfirmPage {
        frame: Frame::member(question, Tab::Household, me.who()),
        crumbs: crumbs(&action, "Take an invitation back"),
        question: question.to_owned(),
        sentences: vec![
            format!("It invites somebody as {}, and was made on {made}.", a_role(found.role)),
            "Its link stops working at once. You can make another at any time.".to_owned(),
        ],
        action,
        key: SubmissionKey::new(),
        button: "Take it back".to_owned(),
        keep: "Leave it",
        back: "/household".to_owned(),
        errors: &Errors::none(),
    }))
}

/// `POST /household/invitations/{invitation}/revoke`
pub async fn revoke(
    State(app): State<App>,
    Me(me): Me,
    InvitationPath(id): InvitationPath,
) -> Result<Response, HtmlError> {
    owners_only(&me)?;
    commands::revoke(&app, &me.actor, id).await?;
    Ok(see_other("/household?done=revoked"))
}

fn crumbs(href: &str, words: &str) -> Vec<(String, String)> {
    vec![("/household".to_owned(), "Household".to_owned()), (href.to_owned(), words.to_owned())]
}

/// A role as one who has it: "an editor".
pub(super) fn a_role(role: Role) -> &'static str {
    match role {
        Role::Owner => "an owner",
        Role::Editor => "an editor",
        Role::Viewer => "a viewer",
    }
}

/// An invitation as the household's page lists it.
pub(super) struct InvitationView {
    pub id: InvitationId,
    pub role: &'static str,
    pub by: String,
    pub made: Moment,
    /// What became of it, if it is not open any more.
    pub fate: Option<String>,
    pub until: Moment,
}

impl InvitationView {
    pub fn of(invitation: &Invitation, now: Instant, zone: &TimeZone) -> Self {
        let on = |at: Instant| Moment::recorded(at, zone).words;
        let fate = match (invitation.accepted_at, invitation.revoked_at) {
            (Some(at), _) => {
                let who = invitation.accepted_by_name.as_deref().unwrap_or("somebody");
                Some(format!("used by {who} on {}", on(at)))
            }
            (None, Some(at)) => Some(format!("taken back on {}", on(at))),
            (None, None) if invitation.expires_at <= now => Some(format!("ran out on {}", on(invitation.expires_at))),
            (None, None) if !invitation.is_open(now) => {
                Some("void: whoever made it looks after the household no more".to_owned())
            }
            (None, None) => None,
        };
        Self {
            id: invitation.id,
            role: a_role(invitation.role),
            by: invitation.made_by_name.clone().unwrap_or_else(|| "whoever runs this LifeOps".to_owned()),
            made: Moment::recorded(invitation.made_at, zone),
            fate,
            until: Moment::recorded(invitation.expires_at, zone),
        }
    }
}

#[derive(Template)]
#[template(path = "household/invite.html")]
struct NewPage<'a> {
    frame: Frame,
    crumbs: Vec<(String, String)>,
    role: &'a str,
    days: [(i64, String, bool); 3],
    key: SubmissionKey,
    errors: &'a Errors,
}

#[derive(Template)]
#[template(path = "household/made.html")]
struct MadePage<'a> {
    frame: Frame,
    crumbs: Vec<(String, String)>,
    heading: &'a str,
    role: &'a str,
    until: Moment,
    link: &'a str,
    qr: Option<Drawing>,
    /// Whether the installation knows the address that people type.
    named: bool,
}
