//! The `Host` check: a name that is not this installation's own is turned away, so that a stranger's domain pointed at
//! this machine (DNS rebinding) can never read a page.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::{Failure, HtmlError};
use crate::app::App;
use crate::config::BaseUrl;

/// Lets a request pass if its host is the base URL's, an IP literal or localhost.
pub async fn check(State(app): State<App>, request: Request, next: Next) -> Response {
    let base = app.settings.base_url.as_ref();
    if request.uri().authority().is_some_and(|target| !is_ours(target.as_str(), base)) {
        return refuse(base);
    }
    match authority(request.headers(), request.uri()) {
        Some(host) if is_ours(host, base) => next.run(request).await,
        _ => refuse(base),
    }
}

/// The host that was asked for, with its port if one was named. Two `Host` headers are none.
pub fn authority<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a str> {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok(),
        (None, _) => uri.authority().map(|authority| authority.as_str()),
        _ => None,
    }
}

fn is_ours(host: &str, base: Option<&BaseUrl>) -> bool {
    if base.is_some_and(|base| base.authority.eq_ignore_ascii_case(without_usual_port(host, base))) {
        return true;
    }
    let Some(name) = without_port(host) else { return false };
    if let Some(inner) = name.strip_prefix('[') {
        return inner.strip_suffix(']').is_some_and(|v6| v6.parse::<std::net::Ipv6Addr>().is_ok());
    }
    let name = name.to_ascii_lowercase();
    name.parse::<std::net::Ipv4Addr>().is_ok() || name == "localhost" || name.ends_with(".localhost")
}

/// Browsers leave the scheme's own port out of `Host`; some proxies write it.
fn without_usual_port<'a>(host: &'a str, base: &BaseUrl) -> &'a str {
    host.strip_suffix(if base.is_https() { ":443" } else { ":80" }).unwrap_or(host)
}

/// The host without its port; nothing if what follows the colon is not a port.
fn without_port(host: &str) -> Option<&str> {
    let end = if host.starts_with('[') { host.find(']')? + 1 } else { host.find(':').unwrap_or(host.len()) };
    let (name, port) = host.split_at(end);
    match port.strip_prefix(':') {
        None => port.is_empty().then_some(name),
        Some(digits) => digits.parse::<u16>().is_ok().then_some(name),
    }
}

fn refuse(base: Option<&BaseUrl>) -> Response {
    let sentence = match base {
        Some(base) => format!("This LifeOps answers at {}. Open it there.", base.origin()),
        None => "This LifeOps answers to its IP address and to localhost. To give it a name, set LIFEOPS_BASE_URL to \
                 the address that people type."
            .to_owned(),
    };
    HtmlError::of(Failure::misdirected(sentence)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_names_pass() {
        let base = BaseUrl { scheme: "https".to_owned(), authority: "home.example:8443".to_owned() };
        for host in [
            "home.example:8443",
            "HOME.example:8443",
            "192.168.1.5",
            "192.168.1.5:8080",
            "[::1]:8080",
            "localhost",
            "localhost:1",
        ] {
            assert!(is_ours(host, Some(&base)), "{host}");
        }
        for host in [
            "home.example",
            "evil.example",
            "192.168.1.5.evil.example",
            "localhost.evil.example",
            "[::1",
            "[::1]x",
            "",
            "localhost:x",
            "1.2.3.4:8080:9",
        ] {
            assert!(!is_ours(host, Some(&base)), "{host}");
        }
        assert!(!is_ours("home.example:8443", None));
        let usual = BaseUrl { scheme: "https".to_owned(), authority: "home.example".to_owned() };
        assert!(is_ours("home.example:443", Some(&usual)) && !is_ours("home.example:80", Some(&usual)));
    }
}
