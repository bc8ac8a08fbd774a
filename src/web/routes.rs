//! The one flat table of routes. The same builder makes the router and the list that the tests walk, so that a new
//! route cannot escape them; every route says who may use it, and there is no default.

use axum::handler::Handler;
use axum::middleware::from_fn;
use axum::routing::{MethodFilter, MethodRouter, on};
use axum::{Extension, Router};

use super::forms::SmallForm;
use super::guards;
pub use super::guards::Access;
use super::{
    about, account, acts, arrival, assets, downloads, editing, file_pages, hand_over, health, history, household,
    household_log, invitations, joining, labels, leaving, members, news, notes, record, records, register, reset,
    search, second_factor, security, setup, sign_in, sign_in_code, start, timeline, views, weighing,
};
use crate::app::App;

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// The path, with `{name}` where a part varies.
    pub path: &'static str,
    /// Who may use it.
    pub access: Access,
}

/// Every route of the pages.
pub fn all() -> Routes {
    use Access::{Member, Public, Setup};
    Routes::default()
        .open("/assets/{file}", assets::show)
        .open("/health/live", health::live)
        .open("/health/ready", health::ready)
        .get("/setup", Setup, setup::show)
        .post("/setup", Setup, setup::set_up)
        .get("/register", Public, register::show)
        .post("/register", Public, register::register)
        .get("/sign-in", Public, sign_in::show)
        .post("/sign-in", Public, sign_in::sign_in)
        .get("/sign-in/code", Public, sign_in_code::show)
        .post("/sign-in/code", Public, sign_in_code::check)
        .post("/sign-out", Member, sign_in::sign_out)
        .get("/reset", Public, reset::show)
        .post("/reset", Public, reset::set_password)
        .get("/reset/{token}", Public, reset::open)
        .get("/account", Member, account::show)
        .post("/account/name", Member, account::rename)
        .post("/account/email", Member, account::change_email)
        .post("/account/zone", Member, account::set_zone)
        .post("/account/visibility", Member, account::set_visibility)
        .post("/account/told", Member, arrival::told)
        .get("/account/security", Member, security::show)
        .post("/account/password", Member, security::change_password)
        .post("/account/sessions/sign-out", Member, security::sign_out_session)
        .post("/account/sessions/sign-out-others", Member, security::sign_out_others)
        .get("/account/second-factor", Member, second_factor::show)
        .post("/account/second-factor", Member, second_factor::turn_on)
        .get("/account/second-factor/codes", Member, second_factor::ask_codes)
        .post("/account/second-factor/codes", Member, second_factor::renew_codes)
        .get("/account/second-factor/turn-off", Member, second_factor::ask_turn_off)
        .post("/account/second-factor/turn-off", Member, second_factor::turn_off)
        .get("/", Member, start::show)
        .post("/notes", Member, start::add_note)
        .post("/seen", Member, news::seen)
        .get("/signed-out", Public, about::signed_out)
        .get("/household", Member, household::show)
        .post("/household/name", Member, household::rename)
        .get("/household/log", Member, household_log::show)
        .get("/household/members/{member}", Member, members::show)
        .post("/household/members/{member}/role", Member, members::change_role)
        .get("/household/members/{member}/disable", Member, members::ask_disable)
        .post("/household/members/{member}/disable", Member, members::disable)
        .post("/household/members/{member}/enable", Member, members::enable)
        .get("/household/members/{member}/remove", Member, members::ask_remove)
        .post("/household/members/{member}/remove", Member, members::remove)
        .post("/household/members/{member}/keep", Member, members::keep)
        .get("/household/invitations/new", Member, invitations::new)
        .post("/household/invitations/new", Member, invitations::invite)
        .get("/household/invitations/made", Member, invitations::made)
        .get("/household/invitations/{invitation}/revoke", Member, invitations::ask_revoke)
        .post("/household/invitations/{invitation}/revoke", Member, invitations::revoke)
        .get("/household/leaving", Member, leaving::show)
        .get("/household/leaving/records", Member, leaving::records)
        .get("/invitations/accept", Public, joining::show)
        .post("/invitations/accept", Public, joining::accept)
        .get("/invitations/{token}", Public, joining::open)
        .get("/help", Public, about::help)
        .get("/accessibility", Public, about::accessibility)
        .get("/search", Member, search::show)
        .get("/views", Member, views::all)
        .get("/views/new", Member, views::new)
        .post("/views/new", Member, views::keep)
        .post("/views/forget", Member, views::forget)
        .get("/tags", Member, labels::tags)
        .get("/tags/rename", Member, labels::ask_tag)
        .post("/tags/rename", Member, labels::rename_tag)
        .get("/tags/progress", Member, labels::tag_progress)
        .get("/categories", Member, labels::categories)
        .get("/categories/rename", Member, labels::ask_category)
        .post("/categories/rename", Member, labels::rename_category)
        .get("/categories/progress", Member, labels::category_progress)
        .get("/timeline", Member, timeline::show)
        .get("/records", Member, records::list)
        .get("/records/new", Member, editing::new)
        .post("/records/new", Member, editing::create)
        .get("/records/{record}", Member, record::show)
        .get("/records/{record}/edit", Member, editing::edit)
        .post("/records/{record}/edit", Member, editing::save)
        .post("/records/{record}/notes", Member, notes::add)
        .get("/records/{record}/notes/{event}/edit", Member, notes::correction)
        .post("/records/{record}/notes/{event}/edit", Member, notes::correct)
        .get("/records/{record}/attachments", Member, file_pages::all)
        .post("/records/{record}/attachments", Member, file_pages::add)
        .get("/records/{record}/attachments.zip", Member, downloads::bundle)
        .get("/records/{record}/attachments/{attachment}", Member, file_pages::one)
        .post("/records/{record}/attachments/{attachment}", Member, file_pages::change)
        .get("/records/{record}/attachments/{attachment}/replace", Member, file_pages::ask_replace)
        .post("/records/{record}/attachments/{attachment}/replace", Member, file_pages::replace)
        .get("/records/{record}/attachments/{attachment}/remove", Member, file_pages::ask_remove)
        .post("/records/{record}/attachments/{attachment}/remove", Member, file_pages::remove)
        .get("/attachments/{attachment}/{file_name}", Member, downloads::show)
        .get("/thumbnails/{attachment}", Member, downloads::thumbnail)
        .get("/records/{record}/delete", Member, acts::ask_delete)
        .post("/records/{record}/delete", Member, acts::delete)
        .post("/records/{record}/restore", Member, acts::restore)
        .get("/records/{record}/share", Member, acts::ask_share)
        .post("/records/{record}/share", Member, acts::share)
        .get("/records/{record}/keep-private", Member, acts::ask_keep_private)
        .post("/records/{record}/keep-private", Member, acts::keep_private)
        .get("/records/{record}/hand-over", Member, hand_over::ask)
        .post("/records/{record}/hand-over", Member, hand_over::hand_over)
        .get("/records/{record}/events/{event}/undo", Member, acts::ask_undo)
        .post("/records/{record}/events/{event}/undo", Member, acts::undo)
        .get("/records/{record}/history", Member, history::whole)
        .get("/records/{record}/history/field", Member, history::field)
}

/// Whether a path takes forms that bring files.
pub(super) fn takes_files(path: &str) -> bool {
    matches!(
        path,
        "/records/new"
            | "/records/{record}/notes"
            | "/records/{record}/attachments"
            | "/records/{record}/attachments/{attachment}/replace"
    )
}

/// Every route, for tests that walk them all.
pub fn table() -> Vec<Route> {
    all().table
}

/// The builder of table and router.
#[derive(Debug, Default)]
pub struct Routes {
    table: Vec<Route>,
    pages: Router<App>,
    open: Router<App>,
}

impl Routes {
    /// A page or fragment that is read; answers HEAD too.
    pub fn get<H, T>(self, path: &'static str, access: Access, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.page("GET", path, access, on(MethodFilter::GET, handler))
    }

    /// A form that is sent.
    pub fn post<H, T>(self, path: &'static str, access: Access, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.page("POST", path, access, on(MethodFilter::POST, handler))
    }

    /// Something public that needs no session at all: style sheets, health.
    pub fn open<H, T>(mut self, path: &'static str, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.table.push(Route { method: "GET", path, access: Access::Public });
        self.open = self.open.route(path, on(MethodFilter::GET, handler));
        self
    }

    fn page(mut self, method: &'static str, path: &'static str, access: Access, handler: MethodRouter<App>) -> Self {
        let guarded = match access {
            Access::Member if method == "POST" => {
                handler.route_layer(from_fn(weighing::weigh)).route_layer(from_fn(guards::members_only))
            }
            Access::Member => handler.route_layer(from_fn(guards::members_only)),
            Access::Public | Access::Setup if method == "POST" => {
                handler.layer(Extension(SmallForm)).route_layer(from_fn(weighing::weigh_strangers))
            }
            Access::Public | Access::Setup => handler,
        };
        self.table.push(Route { method, path, access });
        self.pages = self.pages.route(path, guarded);
        self
    }

    /// Whether a path is that of a page.
    pub(super) fn has_page(&self, path: &str) -> bool {
        let fits = |pattern: &str| {
            let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
            loop {
                match (wanted.next(), given.next()) {
                    (None, None) => return true,
                    (Some(part), Some(found)) if part == found || (part.starts_with('{') && !found.is_empty()) => {}
                    _ => return false,
                }
            }
        };
        self.table.iter().any(|route| route.method == "GET" && fits(route.path))
    }

    /// The routes that read the session, and those that do not.
    pub(super) fn routers(self) -> (Router<App>, Router<App>) {
        (self.pages, self.open)
    }
}
