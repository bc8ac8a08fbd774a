//! Handing a record to another member: a page that says what it means and asks to whom.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use crate::app::App;
use crate::commands::records as commands;
use crate::domain::Refusal;
use crate::domain::access::{Role, Visibility};
use crate::domain::ids::{MemberId, RecordId, SubmissionKey};
use crate::error::Error;
use crate::store::views::{self, RecordView};

use super::acts::{events_in_words, kept_by};
use super::editing::may_write;
use super::error::HtmlError;
use super::forms::{Errors, RawForm};
use super::guards::Me;
use super::page::{Frame, Tab, Who};
use super::paths::RecordPath;
use super::record::crumbs;
use super::reply::{page_with, see_other};
use super::session::Member;
use super::sight;

/// `GET /records/{record}/hand-over`
pub async fn ask(State(app): State<App>, Me(me): Me, RecordPath(id): RecordPath) -> Result<Response, HtmlError> {
    let view = views::record(&app.db, &me.actor, id).await?;
    may_hand_over(&me)?;
    kept_by(&me, &view)?;
    Ok(show(&app, &me, &view, "", SubmissionKey::new(), Errors::none()))
}

/// `POST /records/{record}/hand-over`
pub async fn hand_over(
    State(app): State<App>,
    Me(me): Me,
    RecordPath(id): RecordPath,
    form: RawForm,
) -> Result<Response, HtmlError> {
    may_hand_over(&me)?;
    let mut errors = Errors::of_form(&form);
    let to = form.text("to").parse::<MemberId>().ok();
    if to.is_none() && errors.is_empty() {
        errors.add("to-1", "Choose who is to keep it");
    }
    let mut key = errors.key(&form);
    if let (Some(to), true) = (to, errors.is_empty()) {
        match commands::hand_over(&app, &me.actor, key, id, to).await {
            // The form may have come twice: the record may be out of sight by now.
            Ok(_) => return left(&app, &me, id, "handed").await,
            Err(Error::SubmissionReused) => (key, errors) = (SubmissionKey::new(), Errors::reused()),
            Err(Error::Refused(Refusal(sentence))) => errors.add("", sentence),
            Err(other) => return Err(other.into()),
        }
    }
    let view = views::record(&app.db, &me.actor, id).await?;
    kept_by(&me, &view)?;
    Ok(show(&app, &me, &view, &form.text("to"), key, errors))
}

/// Whoever writes gives away what they keep; so does whoever is leaving.
fn may_hand_over(me: &Member) -> Result<(), Error> {
    if me.leaving.is_some() { Ok(()) } else { may_write(me) }
}

/// To the record with a message, or to the list if it is not the member's to see any more.
pub(super) async fn left(app: &App, me: &Member, id: RecordId, word: &str) -> Result<Response, HtmlError> {
    Ok(match views::record(&app.db, &me.actor, id).await {
        Ok(_) => see_other(&format!("/records/{id}?done={word}")),
        Err(Error::NotFound) => see_other("/records?done=handed"),
        Err(other) => return Err(other.into()),
    })
}

fn show(app: &App, me: &Member, view: &RecordView, chosen: &str, key: SubmissionKey, errors: Errors) -> Response {
    let title = view.state.title();
    let question = format!("Hand “{title}” to someone else?");
    let others = view.people.present().filter(|person| person.member != me.actor.member);
    let choices: Vec<Choice> = others
        .map(|person| Choice {
            chosen: person.member.to_string() == chosen,
            member: person.member,
            name: person.name.clone(),
            hint: if person.role == Role::Viewer {
                "May only read: cannot add to it, share it or hand it back"
            } else {
                ""
            },
        })
        .collect();
    let sentences = match view.state.visibility {
        _ if choices.is_empty() => {
            vec![format!("There is nobody else in {} yet who could keep it.", view.household_name)]
        }
        Visibility::Private => vec![
            "Now only you see it. Whoever you choose will see it instead of you, and you will not see it any more."
                .to_owned(),
            format!(
                "They will see its whole past: {}, with every word that was ever written in it. Only they can share it or \
                 hand it back.",
                events_in_words(view)
            ),
        ],
        Visibility::Household => vec![
            format!("{}, as now.", sight::everyone(app, &me.actor, view, "goes on seeing it")),
            "Whoever you choose keeps it from then on. Only they can keep it to themselves or hand it back.".to_owned(),
        ],
    };
    let action = format!("/records/{}/hand-over", view.id);
    page_with(
        errors.status(),
        &HandOverTemplate {
            frame: Frame::member(&question, Tab::Records, Who::of(me)).wrong(!errors.is_empty()),
            crumbs: crumbs(view, Some((action.clone(), "Hand over"))),
            question,
            sentences,
            choices,
            submission: key,
            back: format!("/records/{}", view.id),
            action,
            errors,
        },
    )
}

/// A member to choose.
#[derive(Debug)]
struct Choice {
    member: MemberId,
    name: String,
    hint: &'static str,
    chosen: bool,
}

#[derive(Template)]
#[template(path = "records/hand_over.html")]
struct HandOverTemplate {
    frame: Frame,
    crumbs: Vec<(String, String)>,
    question: String,
    sentences: Vec<String>,
    choices: Vec<Choice>,
    action: String,
    submission: SubmissionKey,
    back: String,
    errors: Errors,
}
