//! The household's page: its name, its members, who may do what, and for owners its invitations. Everyone reads it;
//! owners change it.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use jiff::tz::TimeZone;

use crate::app::App;
use crate::commands::household as commands;
use crate::domain::access::Role;
use crate::domain::household::Standing;
use crate::domain::ids::{MemberId, SubmissionKey};
use crate::domain::instant::Instant;
use crate::domain::media::size_words;
use crate::domain::membership::Wish;
use crate::domain::text::HouseholdName;
use crate::error::Error;
use crate::store::attachments::{self, Storage};
use crate::store::invitations;
use crate::store::members::{self, Line};

use super::error::HtmlError;
use super::forms::{Errors, RawForm};
use super::guards::Me;
use super::invitations::InvitationView;
use super::moments::{self, Moment};
use super::page::{Flash, Frame, Tab};
use super::paths::Asked;
use super::reply::{page_with, see_other};
use super::session::Member;

/// How long after a sign of life somebody counts as being here, in seconds: signs are noted every five minutes.
const HERE: i64 = 10 * 60;

/// `GET /household`
pub async fn show(State(app): State<App>, Me(me): Me, Asked(asked): Asked) -> Result<Response, HtmlError> {
    let form = NameForm { name: me.household_name.clone(), key: SubmissionKey::new() };
    shown(&app, &me, form, Some(&asked), &Errors::none()).await
}

/// `POST /household/name`
pub async fn rename(State(app): State<App>, Me(me): Me, raw: RawForm) -> Result<Response, HtmlError> {
    owners_only(&me)?;
    let mut errors = Errors::of_form(&raw);
    let name = errors.take("name", raw.get("name").parse(HouseholdName::parse));
    let key = errors.key(&raw);
    let form = NameForm { name: raw.text("name"), key };
    let (Some(name), true) = (name, errors.is_empty()) else { return shown(&app, &me, form, None, &errors).await };
    match commands::change(&app, &me.actor, key, Wish::Rename { name }).await {
        Ok(_) => Ok(see_other("/household?done=name")),
        Err(Error::SubmissionReused) => {
            let form = NameForm { key: SubmissionKey::new(), ..form };
            shown(&app, &me, form, None, &Errors::reused()).await
        }
        Err(error) => Err(error.into()),
    }
}

/// Turns away whoever is no owner, before anything is looked up. The command asks once more, in its transaction.
pub(super) fn owners_only(me: &Member) -> Result<(), Error> {
    match me.actor.role {
        Role::Owner => Ok(()),
        _ => Err(Error::Forbidden(commands::OWNERS_ONLY.to_owned())),
    }
}

/// What was just done and to whom, as words in the address.
fn flash(asked: &RawForm, lines: &[Line], me: &Member) -> Option<Flash> {
    let member = asked.text("member").parse::<MemberId>().ok();
    let line = member.and_then(|member| lines.iter().find(|line| line.member == member));
    let (heading, text) = match (asked.text("done").as_str(), line) {
        ("name", _) => ("Saved", "The household has a new name.".to_owned()),
        ("revoked", _) => ("Taken back", "The invitation’s link does not work any more.".to_owned()),
        ("removed", Some(line)) if line.member == me.actor.member => {
            ("Removal begun", "You leave this household. Another owner can take it back until it holds.".to_owned())
        }
        (word, Some(Line { name, disabled, .. })) => match word {
            "role" => ("Saved", format!("{name}’s new role holds from now on.")),
            "disabled" => {
                ("Disabled", format!("{name} cannot sign in any more. Their records and their history stay."))
            }
            "enabled" => ("Enabled", format!("{name} can sign in again.")),
            "removed" => ("Removal begun", format!("Until {name} has left you can take it back at any time.")),
            "kept" if *disabled => ("Taken back", format!("{name} stays a member, and is disabled as before.")),
            "kept" => ("Taken back", format!("{name} stays a member, with the role that they had.")),
            _ => return None,
        },
        _ => return None,
    };
    Some(Flash::new(heading, text))
}

async fn shown(
    app: &App,
    me: &Member,
    form: NameForm,
    asked: Option<&RawForm>,
    errors: &Errors,
) -> Result<Response, HtmlError> {
    let now = app.clock.now();
    let zone = moments::zone(&me.actor);
    let lines = members::lines(&app.db, &me.actor).await?;
    let since = lines.iter().map(|line| line.joined_at).min().unwrap_or(now);
    let (members, former): (Vec<_>, Vec<_>) =
        lines.iter().map(|line| MemberView::of(line, me, now, &zone)).partition(|member| member.gone.is_none());
    let flash = asked.and_then(|asked| flash(asked, &lines, me));
    let owns = me.actor.role == Role::Owner;
    let invitations = invitations::of_household(&app.db, &me.actor).await?;
    let storage = attachments::storage(&app.db, me.actor.household).await?;
    let sheet = HouseholdPage {
        frame: Frame::member("Household", Tab::Household, me.who()).wrong(!errors.is_empty()).flash(flash),
        name: &me.household_name,
        lead: format!("{} since {}", counted(members.len()), Moment::day(since, &zone, None).words),
        members,
        former,
        invitations: invitations.iter().map(|invitation| InvitationView::of(invitation, now, &zone)).collect(),
        owns,
        storage: StorageView::of(&storage, app.settings.quota),
        form,
        errors,
    };
    Ok(page_with(errors.status(), &sheet))
}

fn counted(members: usize) -> String {
    if members == 1 { "One member".to_owned() } else { format!("{members} members") }
}

/// How much is kept in files, in words.
struct StorageView {
    /// How much, of how much.
    kept: String,
    /// How many files.
    files: String,
    /// What keeping the same content once saves, if anything.
    saved: Option<String>,
}

impl StorageView {
    fn of(storage: &Storage, quota: Option<u64>) -> Self {
        let bytes = |bytes: i64| size_words(u64::try_from(bytes).unwrap_or(0));
        let kept = match quota {
            Some(quota) => format!("{} of {}", bytes(storage.bytes), size_words(quota)),
            None => format!("{}, without a limit", bytes(storage.bytes)),
        };
        let files = match storage.files {
            0 => "None yet".to_owned(),
            1 => "1 file, also if it was removed or replaced".to_owned(),
            files => format!("{files} files, including removed and replaced ones"),
        };
        let saved = storage.told - storage.bytes;
        Self { kept, files, saved: (saved > 0).then(|| bytes(saved)) }
    }
}

struct NameForm {
    name: String,
    key: SubmissionKey,
}

/// A member as pages show them.
pub(super) struct MemberView {
    pub id: MemberId,
    pub name: String,
    pub initial: String,
    pub tint: &'static str,
    pub is_me: bool,
    pub role: &'static str,
    pub joined: Moment,
    pub here: bool,
    pub seen: Option<Moment>,
    pub disabled: bool,
    /// Until when the member still reads.
    pub leaving: Option<Moment>,
    /// Since when the member is none.
    pub gone: Option<Moment>,
}

impl MemberView {
    pub fn of(line: &Line, me: &Member, now: Instant, zone: &TimeZone) -> Self {
        let gone = match line.standing(now) {
            Standing::Removed(from) => Some(from),
            _ => None,
        };
        let leaving = line.removed_from.filter(|_| gone.is_none());
        let is_me = line.member == me.actor.member;
        Self {
            id: line.member,
            initial: line.name.chars().next().map(|c| c.to_uppercase().collect()).unwrap_or_default(),
            tint: super::look::tint_of(&line.name),
            name: line.name.clone(),
            is_me,
            role: line.role.as_str(),
            joined: Moment::day(line.joined_at, zone, None),
            here: is_me || line.last_seen.is_some_and(|seen| now.seconds_since(seen) < HERE),
            seen: line.last_seen.map(|seen| Moment::recorded(seen, zone)),
            disabled: line.disabled,
            leaving: leaving.map(|until| Moment::recorded(until, zone)),
            gone: gone.map(|since| Moment::day(since, zone, None)),
        }
    }
}

#[derive(Template)]
#[template(path = "household/household.html")]
struct HouseholdPage<'a> {
    frame: Frame,
    name: &'a str,
    lead: String,
    members: Vec<MemberView>,
    former: Vec<MemberView>,
    invitations: Vec<InvitationView>,
    owns: bool,
    storage: StorageView,
    form: NameForm,
    errors: &'a Errors,
}
