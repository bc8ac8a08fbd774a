//! Forgery protection without tokens: a request that changes something must come from our own pages. Browsers say where
//! a request comes from in `Sec-Fetch-Site`, older ones in `Origin`; text browsers say neither and are covered by the
//! cookie's `SameSite=Lax`.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::{Failure, HtmlError};
use super::host;
use crate::app::App;
use crate::config::BaseUrl;

/// Turns away a changing request that another site sent.
pub async fn check(State(app): State<App>, request: Request, next: Next) -> Response {
    let asks_only = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let base = app.settings.base_url.as_ref();
    if asks_only || is_own(request.headers(), host::authority(request.headers(), request.uri()), base) {
        return next.run(request).await;
    }
    let sentence = match base {
        Some(base) => format!("This form was not sent from one of our pages. Open {} and try again.", base.origin()),
        None => "This form was not sent from one of our pages. Open LifeOps itself and try again.".to_owned(),
    };
    HtmlError::of(Failure::foreign(sentence)).into_response()
}

/// `Sec-Fetch-Site`, if present, decides; else `Origin`, if present; neither is let through.
fn is_own(headers: &HeaderMap, host: Option<&str>, base: Option<&BaseUrl>) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    match base {
        Some(base) => origin.eq_ignore_ascii_case(&base.origin()),
        None => match (origin.split_once("://"), host) {
            (Some((_, authority)), Some(host)) => authority.eq_ignore_ascii_case(host),
            _ => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn own(site: Option<&'static str>, origin: Option<&'static str>, base: Option<&BaseUrl>) -> bool {
        let mut headers = HeaderMap::new();
        if let Some(site) = site {
            headers.insert("sec-fetch-site", HeaderValue::from_static(site));
        }
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
        }
        is_own(&headers, Some("127.0.0.1:8080"), base)
    }

    #[test]
    fn only_our_own_pages_may_send_forms() {
        let base = BaseUrl { scheme: "https".to_owned(), authority: "home.example".to_owned() };
        assert!(own(Some("same-origin"), Some("https://evil.example"), None));
        assert!(own(Some("none"), None, None));
        assert!(!own(Some("cross-site"), None, None));
        assert!(!own(Some("same-site"), Some("http://127.0.0.1:8080"), None));
        assert!(own(None, Some("http://127.0.0.1:8080"), None));
        assert!(!own(None, Some("http://127.0.0.1:9090"), None));
        assert!(!own(None, Some("null"), None));
        assert!(own(None, None, None));
        assert!(own(None, Some("https://home.example"), Some(&base)));
        assert!(!own(None, Some("http://home.example"), Some(&base)));
        assert!(!own(None, Some("http://127.0.0.1:8080"), Some(&base)));
    }
}
