//! Saved views: a filter of the list, the timeline or the search that a member gave a name. They stand in the menu of every
//! page, and are the member's own.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use crate::app::App;
use crate::domain::text::ViewName;
use crate::store::saved_views::{self, MOST, SavedView};

use super::error::HtmlError;
use super::forms::{Errors, RawForm};
use super::guards::Me;
use super::page::{Flash, Frame, Tab, Who};
use super::paths::{Asked, with_query};
use super::reply::{page, page_with, see_other};
use super::session::Member;

/// The pages that have filters.
const PAGES: [&str; 3] = ["/records", "/timeline", "/search"];

/// The longest address that is kept, in bytes.
const LONGEST: usize = 4000;

/// `GET /views`
pub async fn all(Me(me): Me, Asked(asked): Asked) -> Result<Response, HtmlError> {
    let flash = match asked.text("done").as_str() {
        "kept" => Some(Flash::new("Kept", "The view stands in the menu of every page now.")),
        "forgotten" => Some(Flash::new("Forgotten", "The view is gone; the records are where they were.")),
        _ => None,
    };
    Ok(page(&ViewsTemplate {
        frame: Frame::member("Views", Tab::None, Who::of(&me)).flash(flash),
        views: me.views.clone(),
    }))
}

/// `GET /views/new`
pub async fn new(Me(me): Me, Asked(asked): Asked) -> Result<Response, HtmlError> {
    let Some(address) = address(&asked.text("address")) else { return Ok(see_other("/views")) };
    let name = me.views.iter().find(|view| view.address == address).map(|view| view.name.clone()).unwrap_or_default();
    Ok(show(&me, address, &name, Errors::none()))
}

/// `POST /views/new`
pub async fn keep(State(app): State<App>, Me(me): Me, form: RawForm) -> Result<Response, HtmlError> {
    let Some(address) = address(&form.text("address")) else { return Ok(see_other("/views")) };
    let mut errors = Errors::none();
    let name = errors.take("name", form.get("name").parse(ViewName::parse));
    let Some(name) = name else { return Ok(show(&me, address, &form.text("name"), errors)) };
    if saved_views::keep(&app.db, &me.actor, &name, &address, app.clock.now()).await? {
        return Ok(see_other("/views?done=kept"));
    }
    errors
        .add("name", format!("You keep {MOST} views already. Forget one first, or use the name of one to replace it"));
    Ok(show(&me, address, &form.text("name"), errors))
}

/// `POST /views/forget`
pub async fn forget(State(app): State<App>, Me(me): Me, form: RawForm) -> Result<Response, HtmlError> {
    saved_views::forget(&app.db, &me.actor, &form.text("name")).await?;
    Ok(see_other("/views?done=forgotten"))
}

/// An address of one of our pages with filters, as it is kept; none if it is anything else.
fn address(typed: &str) -> Option<String> {
    let (path, query) = typed.split_once('?').unwrap_or((typed, ""));
    let path = PAGES.iter().find(|known| **known == path)?;
    let form = RawForm::read(query.as_bytes());
    let pairs: Vec<(&str, &str)> =
        form.pairs().filter(|(name, _)| !matches!(*name, "before" | "after" | "at" | "done")).collect();
    let address = with_query(path, &pairs);
    (address.len() <= LONGEST).then_some(address)
}

fn show(me: &Member, address: String, name: &str, errors: Errors) -> Response {
    page_with(
        errors.status(),
        &NewTemplate {
            frame: Frame::member("Keep this view", Tab::None, Who::of(me)).wrong(!errors.is_empty()),
            address,
            name: name.to_owned(),
            errors,
        },
    )
}

#[derive(Template)]
#[template(path = "views/all.html")]
struct ViewsTemplate {
    frame: Frame,
    views: Vec<SavedView>,
}

#[derive(Template)]
#[template(path = "views/new.html")]
struct NewTemplate {
    frame: Frame,
    address: String,
    name: String,
    errors: Errors,
}
