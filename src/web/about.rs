//! Help and the accessibility statement: open to everyone, also before signing in.

use askama::Template;
use axum::response::Response;

use super::page::{Frame, Tab, Who};
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
