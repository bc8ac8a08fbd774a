//! For a member who is leaving: what happens when, and a copy of their private records to take along.

use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::stream;

use crate::app::App;
use crate::error::Error;
use crate::store::own::{self, Kept, Much};
use crate::upkeep::own_records::Pieces;

use super::error::HtmlError;
use super::guards::Me;
use super::moments::{self, Moment};
use super::page::{Frame, Tab};
use super::reply::page;

/// How many records the page lists; whoever keeps more gives these away first.
const LISTED: i64 = 100;

/// `GET /household/leaving`
pub async fn show(State(app): State<App>, Me(me): Me) -> Result<Response, HtmlError> {
    let until = me.leaving.ok_or(Error::NotFound)?;
    let heading = format!("You are leaving {}", me.household_name);
    Ok(page(&LeavingPage {
        frame: Frame::member(heading.clone(), Tab::Household, me.who()),
        crumbs: vec![
            ("/household".to_owned(), "Household".to_owned()),
            ("/household/leaving".to_owned(), "You are leaving".to_owned()),
        ],
        heading,
        until: Moment::recorded(until, &moments::zone(&me.actor)),
        much: own::much(&app.db, &me.actor).await?,
        records: own::records(&app.db, &me.actor, LISTED).await?,
    }))
}

/// `GET /household/leaving/records`: as a stream, so that memory does not grow with what there is.
pub async fn records(State(app): State<App>, Me(me): Me) -> Result<Response, HtmlError> {
    me.leaving.ok_or(Error::NotFound)?;
    let (pieces, header) = Pieces::begin(&app, &me.actor, &me.household_name, &me.name)?;
    let rest = stream::try_unfold((pieces, Some(header)), async |(mut pieces, header): (Pieces, Option<String>)| {
        let text = match header {
            Some(header) => Some(header),
            None => pieces.next().await?,
        };
        Ok::<_, Error>(text.map(|text| (text, (pieces, None))))
    });
    let name = format!("attachment; filename=\"private-records-{}.jsonl\"", moments::now(&app, &me.actor).date());
    let headers = [(CONTENT_TYPE, "application/jsonl".to_owned()), (CONTENT_DISPOSITION, name)];
    Ok((headers, Body::from_stream(rest)).into_response())
}

#[derive(Template)]
#[template(path = "household/leaving.html")]
struct LeavingPage {
    frame: Frame,
    crumbs: Vec<(String, String)>,
    heading: String,
    until: Moment,
    much: Much,
    records: Vec<Kept>,
}
