//! Help and the accessibility statement: open to everyone, also before signing in.

use askama::Template;
use axum::response::Response;

use super::page::{Frame, PlainPage, Tab, Who};
use super::reply::page;
use super::visit::Visit;

/// `GET /help`
pub async fn help(visit: Visit) -> Response {
    page(&HelpTemplate { frame: frame("Help", &visit) })
}

/// `GET /accessibility`
pub async fn accessibility(visit: Visit) -> Response {
    page(&AccessibilityTemplate { frame: frame("Accessibility statement", &visit) })
}

/// `GET /signed-out`: for somebody whose session ended because they may no longer be here.
pub async fn signed_out(visit: Visit) -> Response {
    let heading = "You have been signed out";
    page(&PlainPage {
        frame: frame(heading, &visit),
        heading: heading.to_owned(),
        sentences: vec![
            "You are no longer a member of this household, or one of its owners has disabled your account. Ask an owner \
             of the household."
                .to_owned(),
        ],
        ways: vec![("/sign-in".to_owned(), "Go to sign in".to_owned())],
        note: None,
    })
}

fn frame(title: &str, visit: &Visit) -> Frame {
    match visit.member() {
        Some(member) => Frame::member(title, Tab::None, Who::of(member)),
        None => Frame::public(title),
    }
}

#[derive(Template)]
#[template(path = "help.html")]
struct HelpTemplate {
    frame: Frame,
}

#[derive(Template)]
#[template(path = "accessibility.html")]
struct AccessibilityTemplate {
    frame: Frame,
}
