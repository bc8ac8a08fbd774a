//! One member, for owners: another role, shut out and let in, removed and kept. What takes something away asks first.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use crate::app::App;
use crate::commands::household as commands;
use crate::domain::Refusal;
use crate::domain::access::Role;
use crate::domain::ids::{MemberId, SubmissionKey};
use crate::domain::membership::Wish;
use crate::error::Error;
use crate::store::members::{self, Line};

use super::error::HtmlError;
use super::forms::{Errors, RawForm};
use super::guards::Me;
use super::household::{MemberView, owners_only};
use super::moments::{self, Moment};
use super::page::{Frame, Tab};
use super::paths::{MemberPath, with_query};
use super::reply::{page_with, see_other};
use super::session::Member;

/// What is done to a member by one button.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Act {
    Disable,
    Enable,
    Remove,
    Keep,
}

impl Act {
    fn wish(self, member: MemberId) -> Wish {
        match self {
            Self::Disable => Wish::Disable { member },
            Self::Enable => Wish::Enable { member },
            Self::Remove => Wish::Remove { member },
            Self::Keep => Wish::Reinstate { member },
        }
    }

    fn done(self) -> &'static str {
        match self {
            Self::Disable => "disabled",
            Self::Enable => "enabled",
            Self::Remove => "removed",
            Self::Keep => "kept",
        }
    }
}

/// `GET /household/members/{member}`
pub async fn show(State(app): State<App>, Me(me): Me, MemberPath(member): MemberPath) -> Result<Response, HtmlError> {
    let line = find(&app, &me, member).await?;
    let role = line.role;
    Ok(shown(&app, &me, &line, Some(role), SubmissionKey::new(), &Errors::none()))
}

/// `POST /household/members/{member}/role`
pub async fn change_role(
    State(app): State<App>,
    Me(me): Me,
    MemberPath(member): MemberPath,
    raw: RawForm,
) -> Result<Response, HtmlError> {
    let line = find(&app, &me, member).await?;
    let mut errors = Errors::of_form(&raw);
    let role = errors.take("role-owner", raw.get("role").parse(str::parse::<Role>));
    let key = errors.key(&raw);
    let (Some(role), true) = (role, errors.is_empty()) else {
        return Ok(shown(&app, &me, &line, role, key, &errors));
    };
    match commands::change(&app, &me.actor, key, Wish::ChangeRole { member, role }).await {
        Ok(_) => Ok(done("role", member)),
        Err(Error::Refused(Refusal(sentence))) => {
            errors.add("role-owner", sentence);
            Ok(shown(&app, &me, &line, Some(role), key, &errors))
        }
        Err(Error::SubmissionReused) => {
            Ok(shown(&app, &me, &line, Some(role), SubmissionKey::new(), &Errors::reused()))
        }
        Err(error) => Err(error.into()),
    }
}

/// `GET /household/members/{member}/disable`
pub async fn ask_disable(state: State<App>, me: Me, path: MemberPath) -> Result<Response, HtmlError> {
    ask(state, me, path, Act::Disable).await
}

/// `POST /household/members/{member}/disable`
pub async fn disable(state: State<App>, me: Me, path: MemberPath, raw: RawForm) -> Result<Response, HtmlError> {
    act(state, me, path, raw, Act::Disable).await
}

/// `POST /household/members/{member}/enable`
pub async fn enable(state: State<App>, me: Me, path: MemberPath, raw: RawForm) -> Result<Response, HtmlError> {
    act(state, me, path, raw, Act::Enable).await
}

/// `GET /household/members/{member}/remove`
pub async fn ask_remove(state: State<App>, me: Me, path: MemberPath) -> Result<Response, HtmlError> {
    ask(state, me, path, Act::Remove).await
}

/// `POST /household/members/{member}/remove`
pub async fn remove(state: State<App>, me: Me, path: MemberPath, raw: RawForm) -> Result<Response, HtmlError> {
    act(state, me, path, raw, Act::Remove).await
}

/// `POST /household/members/{member}/keep`
pub async fn keep(state: State<App>, me: Me, path: MemberPath, raw: RawForm) -> Result<Response, HtmlError> {
    act(state, me, path, raw, Act::Keep).await
}

async fn ask(
    State(app): State<App>,
    Me(me): Me,
    MemberPath(member): MemberPath,
    act: Act,
) -> Result<Response, HtmlError> {
    let line = find(&app, &me, member).await?;
    Ok(asked(&app, &me, &line, act, SubmissionKey::new(), &Errors::none()))
}

async fn act(
    State(app): State<App>,
    Me(me): Me,
    MemberPath(member): MemberPath,
    raw: RawForm,
    act: Act,
) -> Result<Response, HtmlError> {
    let line = find(&app, &me, member).await?;
    let mut errors = Errors::of_form(&raw);
    let key = errors.key(&raw);
    if !errors.is_empty() {
        return Ok(asked(&app, &me, &line, act, key, &errors));
    }
    match commands::change(&app, &me.actor, key, act.wish(member)).await {
        Ok(_) => Ok(done(act.done(), member)),
        Err(Error::Refused(Refusal(sentence))) => {
            errors.add("", sentence);
            Ok(asked(&app, &me, &line, act, key, &errors))
        }
        Err(Error::SubmissionReused) => Ok(asked(&app, &me, &line, act, SubmissionKey::new(), &Errors::reused())),
        Err(error) => Err(error.into()),
    }
}

/// The member, for an owner of the same household.
async fn find(app: &App, me: &Member, member: MemberId) -> Result<Line, Error> {
    owners_only(me)?;
    let lines = members::lines(&app.db, &me.actor).await?;
    lines.into_iter().find(|line| line.member == member).ok_or(Error::NotFound)
}

fn shown(app: &App, me: &Member, line: &Line, role: Option<Role>, key: SubmissionKey, errors: &Errors) -> Response {
    let member = MemberView::of(line, me, app.clock.now(), &moments::zone(&me.actor));
    let sheet = MemberPage {
        frame: Frame::member(line.name.clone(), Tab::Household, me.who()).wrong(!errors.is_empty()),
        crumbs: crumbs(line, None),
        role: role.map(Role::as_str).unwrap_or_default(),
        member,
        key,
        errors,
    };
    page_with(errors.status(), &sheet)
}

fn asked(app: &App, me: &Member, line: &Line, act: Act, key: SubmissionKey, errors: &Errors) -> Response {
    let name = &line.name;
    let grace = i64::try_from(app.settings.removal_grace.as_secs()).unwrap_or(i64::MAX);
    let until = Moment::recorded(app.clock.now().plus_seconds(grace), &moments::zone(&me.actor)).words;
    let is_me = line.member == me.actor.member;
    let (question, sentences, button, word) = match act {
        Act::Disable if is_me => (
            "Disable yourself?".to_owned(),
            vec![
                "You are signed out at once and cannot sign in until another owner enables you again.".to_owned(),
                "Your records and your history stay as they are.".to_owned(),
            ],
            "Disable yourself".to_owned(),
            "disable",
        ),
        Act::Disable => (
            format!("Disable {name}?"),
            vec![
                format!("{name} is signed out at once and cannot sign in until an owner enables them again."),
                "Their records and their history stay as they are.".to_owned(),
            ],
            format!("Disable {name}"),
            "disable",
        ),
        Act::Enable => {
            (format!("Enable {name}?"), vec![format!("{name} can sign in again.")], format!("Enable {name}"), "enable")
        }
        Act::Remove => {
            let whom = if is_me { "yourself" } else { name };
            (
                format!("Remove {whom} from the household?"),
                removal(line, is_me, &until),
                format!("Remove {whom}"),
                "remove",
            )
        }
        Act::Keep => (
            format!("Keep {name} in the household?"),
            vec![format!("The removal is taken back, and {name} has the same role as before.")],
            format!("Keep {name}"),
            "keep",
        ),
    };
    let path = path_of(line.member);
    let sheet = ConfirmPage {
        frame: Frame::member(question.clone(), Tab::Household, me.who()).wrong(!errors.is_empty()),
        crumbs: crumbs(line, Some((format!("{path}/{word}"), button.clone()))),
        action: format!("{path}/{word}"),
        question,
        sentences,
        button,
        keep: "Leave it as it is",
        back: path,
        key,
        errors,
    };
    page_with(errors.status(), &sheet)
}

/// What a removal means, for whoever is about to remove somebody, or themself.
fn removal(line: &Line, is_me: bool, until: &str) -> Vec<String> {
    let name = &line.name;
    if is_me {
        return vec![
            format!(
                "Until {until} you can still sign in and read, hand over the records that you keep and take a copy of the \
                 private ones along, but change nothing else. Another owner can take the removal back until then; you \
                 cannot."
            ),
            "Afterwards you cannot sign in any more. What you shared stays with the household. What you kept private \
             stays sealed: nobody here can read it, and only whoever runs this LifeOps can bring you back."
                .to_owned(),
        ];
    }
    let before = if line.disabled {
        format!(
            "{name} is disabled, and cannot sign in until {until} either, unless an owner enables them again. You can take \
             the removal back until then."
        )
    } else {
        format!(
            "Until {until}, {name} can still sign in and read, hand over the records that they keep and take a copy of \
             the private ones along, but change nothing else. You can take the removal back until then."
        )
    };
    let after = format!(
        "Afterwards {name} cannot sign in any more. What {name} shared stays with the household. What {name} kept private \
         stays sealed: nobody here can read it, and only whoever runs this LifeOps can bring {name} back."
    );
    vec![before, after]
}

/// To the household, which says what was done to whom.
fn done(word: &str, member: MemberId) -> Response {
    see_other(&with_query("/household", &[("done", word), ("member", &member.to_string())]))
}

fn path_of(member: MemberId) -> String {
    format!("/household/members/{member}")
}

fn crumbs(line: &Line, below: Option<(String, String)>) -> Vec<(String, String)> {
    let mut crumbs = vec![("/household".to_owned(), "Household".to_owned()), (path_of(line.member), line.name.clone())];
    crumbs.extend(below);
    crumbs
}

#[derive(Template)]
#[template(path = "household/member.html")]
struct MemberPage<'a> {
    frame: Frame,
    crumbs: Vec<(String, String)>,
    member: MemberView,
    /// What the form has chosen.
    role: &'static str,
    key: SubmissionKey,
    errors: &'a Errors,
}

/// A page that asks before something is taken away from somebody.
#[derive(Template)]
#[template(path = "household/confirm.html")]
pub(super) struct ConfirmPage<'a> {
    pub frame: Frame,
    pub crumbs: Vec<(String, String)>,
    pub question: String,
    pub sentences: Vec<String>,
    pub action: String,
    pub key: SubmissionKey,
    pub button: String,
    pub keep: &'static str,
    pub back: String,
    pub errors: &'a Errors,
}
