//! Our cookies beside the session's: as strict as the address allows.

use axum::http::{HeaderMap, HeaderValue, header};

use crate::app::App;
use crate::error::{Error, Result};

/// A cookie's whole name. Where people come by HTTPS, its prefix keeps neighbouring hosts from setting it.
pub fn name(app: &App, what: &str) -> String {
    if is_https(app) { format!("__Host-lifeops-{what}") } else { format!("lifeops-{what}") }
}

/// Whether cookies may be `Secure`.
pub fn is_https(app: &App) -> bool {
    app.settings.base_url.as_ref().is_some_and(|base| base.is_https())
}

/// What the browser sends under a name.
pub fn read(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value.to_owned())
}

/// The header line that sets a cookie for so many seconds, or with 0 takes it back. No script reads it, and no other site
/// sends it along.
///
/// # Errors
/// If the value does not fit into a header.
pub fn line(app: &App, what: &str, value: &str, seconds: i64) -> Result<HeaderValue> {
    let secure = if is_https(app) { "; Secure" } else { "" };
    let name = name(app, what);
    HeaderValue::from_str(&format!("{name}={value}; HttpOnly; SameSite=Lax{secure}; Path=/; Max-Age={seconds}"))
        .map_err(Error::internal)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; lifeops-device=x=y;b"));
        headers.append(header::COOKIE, HeaderValue::from_static("lifeops=2"));
        assert_eq!(read(&headers, "lifeops-device").unwrap(), "x=y");
        assert_eq!(read(&headers, "lifeops").unwrap(), "2");
        assert_eq!(read(&headers, "b"), None);
    }
}
