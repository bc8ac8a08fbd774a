//! What is new since a member last looked: on the start page, and "seen".

use axum::extract::State;
use axum::response::Response;

use crate::app::App;
use crate::commands::news as commands;
use crate::domain::Refusal;
use crate::domain::ids::RecordId;
use crate::error::Error;
use crate::store::news::{COUNTED, New, News};

use super::error::HtmlError;
use super::forms::{Errors, RawForm};
use super::guards::Me;
use super::look::Look;
use super::moments::Moment;
use super::reply::see_other;
use super::story::Words;
use super::telling::{last_words, listed};

/// `POST /seen`: one record, if the form names one, or everything.
pub async fn seen(State(app): State<App>, Me(me): Me, form: RawForm) -> Result<Response, HtmlError> {
    let lost =
        || Error::Refused(Refusal::new("The form lost its place. Open the start page and press “Seen” once more."));
    if let Some(error) = Errors::of_form(&form).list().first() {
        return Err(Error::Refused(Refusal::new(error.text.clone())).into());
    }
    let record = match form.get("record").is_blank() {
        true => None,
        false => Some(form.text("record").parse::<RecordId>().map_err(|_| lost())?),
    };
    let upto = form.text("upto").parse::<i64>().ok().filter(|upto| *upto > 0).ok_or_else(lost)?;
    commands::seen(&app, &me.actor, record, upto).await?;
    Ok(see_other(if record.is_some() { "/?done=seen" } else { "/?done=all-seen" }))
}

/// What is new, as the start page tells it.
#[derive(Debug)]
pub struct NewsView {
    /// By record, the latest first.
    pub records: Vec<NewView>,
    /// Whether there is more in further records.
    pub more: bool,
    /// Up to where everything is seen, once it is.
    pub upto: i64,
}

/// A record in which the others wrote something.
#[derive(Debug)]
pub struct NewView {
    /// The record.
    pub id: RecordId,
    /// What it is called.
    pub title: String,
    /// The category's tint.
    pub tint: &'static str,
    /// The category's icon.
    pub icon: &'static str,
    /// The latest of what is new.
    pub last: Words,
    /// When that happened.
    pub when: Moment,
    /// How much is new.
    pub how_much: String,
    /// Who wrote it.
    pub by: String,
    /// Whether only the member sees it.
    pub private: bool,
    /// Up to where the record is seen, once it is.
    pub upto: i64,
}

impl NewsView {
    /// None if nothing is new.
    pub fn of(news: &News, this_year: i16) -> Option<Self> {
        let records: Vec<NewView> = news.records.iter().map(|new| NewView::of(new, this_year)).collect();
        (!records.is_empty()).then_some(Self { records, more: news.more, upto: news.upto })
    }
}

impl NewView {
    fn of(new: &New, this_year: i16) -> Self {
        let look = Look::of(new.category.as_deref());
        let names: Vec<String> = new.by.iter().map(ToString::to_string).collect();
        let last = match (new.last.kind.as_str(), &new.other_keeper) {
            ("record_handed_over", None) => Words::Plain("Handed over to you".to_owned()),
            ("record_handed_over", Some(keeper)) => Words::Plain(format!("Handed over to {keeper}")),
            _ => last_words(&new.last),
        };
        Self {
            id: new.record,
            title: new.title.clone(),
            tint: look.tint,
            icon: look.icon,
            last,
            when: Moment::brief(new.occurred, this_year),
            how_much: how_much(new),
            by: if names.is_empty() { "LifeOps".to_owned() } else { listed(names.iter().map(String::as_str)) },
            private: new.private,
            upto: new.upto,
        }
    }
}

/// "3 new entries", or "its whole story, 12 entries" if it came into sight since.
fn how_much(new: &New) -> String {
    match (new.whole, new.events) {
        (Some(1), _) => "its whole story, 1 entry".to_owned(),
        (Some(all), _) => format!("its whole story, {all} entries"),
        (None, 1) => "1 new entry".to_owned(),
        (None, many) if many >= COUNTED => format!("{COUNTED} new entries or more"),
        (None, many) => format!("{many} new entries"),
    }
}
