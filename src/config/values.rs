//! How each setting's text is understood. Every refusal is the end of a sentence that begins with the setting's name.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::domain::analysis::Language;

use super::{BaseUrl, Database, LogFormat, Registration, Secret};

/// The name of the SQLite file in the data directory.
const DATABASE_FILE: &str = "lifeops.db";
/// The longest session: ten years.
const LONGEST_DAYS: u64 = 3650;

/// A directory.
pub(super) fn directory(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.is_file() {
        return Err(format!("must be a directory, but {text} is a file"));
    }
    Ok(path)
}

/// An IP address and a port.
pub(super) fn listen(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!(
            "must be an IP address and a port, for example 127.0.0.1:8080 or [::]:8080; \u{201c}{text}\u{201d} is not"
        )
    })
}

/// `http://host` or `https://host:port`, without a path.
pub(super) fn base_url(text: &str) -> Result<BaseUrl, String> {
    let example = "for example https://lifeops.example.org";
    let (scheme, rest) =
        text.split_once("://").ok_or_else(|| format!("must begin with http:// or https://, {example}"))?;
    let scheme = scheme.to_ascii_lowercase();
    let default_port = match scheme.as_str() {
        "http" => ":80",
        "https" => ":443",
        _ => return Err(format!("must begin with http:// or https://, {example}")),
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains(['/', '?', '#']) {
        return Err(format!(
            "must end after the host and port, {example}: LifeOps is served from the root of its host"
        ));
    }
    if authority.contains('@') {
        return Err(format!("must not carry a user name or password, {example}"));
    }
    let (host, port) = split_port(authority)?;
    check_host(host)?;
    if let Some(port) = port {
        match port.parse::<u16>() {
            Ok(1..) if port.bytes().all(|b| b.is_ascii_digit()) => {}
            _ => return Err(format!("has a port that is not a number from 1 to 65535: \u{201c}{port}\u{201d}")),
        }
    }
    let authority = authority.to_ascii_lowercase();
    let authority = authority.strip_suffix(default_port).unwrap_or(&authority).to_owned();
    Ok(BaseUrl { scheme, authority })
}

fn split_port(authority: &str) -> Result<(&str, Option<&str>), String> {
    if authority.starts_with('[') {
        let end = authority.find(']').ok_or("has an IPv6 address without its closing bracket")? + 1;
        let (host, rest) = authority.split_at(end);
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err("has something other than a port after the IPv6 address".to_owned()),
        };
    }
    Ok(match authority.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    })
}

fn check_host(host: &str) -> Result<(), String> {
    if host.is_empty() {
        return Err("has no host name".to_owned());
    }
    if let Some(inner) = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        return match inner.parse::<std::net::Ipv6Addr>() {
            Ok(_) => Ok(()),
            Err(_) => Err(format!("has an IPv6 address that cannot be read: {host}")),
        };
    }
    if !host.is_ascii() {
        return Err(format!("must write the host name \u{201c}{host}\u{201d} in its ASCII form (xn--…)"));
    }
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    if host.len() > 253 || !host.split('.').all(label) {
        return Err(format!("has a host name that cannot be one: \u{201c}{host}\u{201d}"));
    }
    Ok(())
}

/// `sqlite:`, `sqlite:PATH` (a relative path lies in the data directory) or `postgres://…`.
pub(super) fn database(text: &str, data: &Path) -> Result<Database, String> {
    let both = "must be sqlite: (a file in the data directory), sqlite:PATH or postgres://user:password@host/database";
    if let Some(path) = text.strip_prefix("sqlite:") {
        if path.contains(":memory:") {
            return Err("must name a file: a database in memory would forget everything".to_owned());
        }
        if path.contains('?') {
            return Err("must be sqlite: and a path alone, without ? and options".to_owned());
        }
        let path = path.strip_prefix("//").unwrap_or(path);
        let path = if path.is_empty() { Path::new(DATABASE_FILE) } else { Path::new(path) };
        if path.is_dir() {
            return Err(format!("must name a file, but {} is a directory", path.display()));
        }
        return Ok(Database::Sqlite(data.join(path)));
    }
    match text.split_once("://") {
        Some(("postgres" | "postgresql", rest)) if !rest.is_empty() => Ok(Database::Postgres(Secret::new(text))),
        _ => Err(both.to_owned()),
    }
}

/// The same database with this password in its URL, percent-encoded. It is refused where it could not count.
pub(super) fn with_password(database: &Database, password: &Secret) -> Result<Database, String> {
    let Database::Postgres(url) = database else {
        return Err("is for PostgreSQL, but LIFEOPS_DATABASE_URL names an SQLite file".to_owned());
    };
    let (scheme, rest) = url.expose().split_once("://").unwrap_or(("postgres", url.expose()));
    let (place, options) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (user, host) = place.rsplit_once('@').unwrap_or(("", place));
    let (user, other) = user.split_once(':').unwrap_or((user, ""));
    if user.is_empty() {
        return Err("has nobody to belong to: LIFEOPS_DATABASE_URL names no user, as in postgres://user@host/database"
            .to_owned());
    }
    let option = |option: &str| option.split('=').next() == Some("password");
    if !other.is_empty() || options.split(['?', '&']).any(option) {
        return Err("is set, and LIFEOPS_DATABASE_URL carries a password, too: keep one".to_owned());
    }
    let password = utf8_percent_encode(password.expose(), NON_ALPHANUMERIC);
    Ok(Database::Postgres(Secret::new(format!("{scheme}://{user}:{password}@{host}{options}"))))
}

/// How many connections.
pub(super) fn connections(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(n @ 2..=1000) => Ok(n),
        _ => Err(format!("must be a number from 2 to 1000; \u{201c}{text}\u{201d} is not")),
    }
}

/// 32 bytes in one of two writings. The value itself is never said again.
pub(super) fn master_key(text: &str) -> Result<Secret, String> {
    match crate::keys::is_key(text) {
        true => Ok(Secret::new(text)),
        false => Err(format!("is not a key. {}", crate::keys::NO_KEY)),
    }
}

/// `closed` or `open`.
pub(super) fn registration(text: &str) -> Result<Registration, String> {
    match text {
        "closed" => Ok(Registration::Closed),
        "open" => Ok(Registration::Open),
        _ => Err(format!("must be closed or open; \u{201c}{text}\u{201d} is neither")),
    }
}

/// Addresses or networks, separated by commas.
pub(super) fn networks(text: &str) -> Result<Vec<IpNet>, String> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(network).collect()
}

fn network(text: &str) -> Result<IpNet, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(address));
    }
    text.parse::<IpNet>().map(|net| net.trunc()).map_err(|_| {
        format!(
            "must be addresses or networks separated by commas, for example 10.0.0.0/8, ::1; \u{201c}{text}\u{201d} is neither"
        )
    })
}

/// A whole number and its unit: `30d`, `12h`, `90m`, `45s`, `2w`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || {
        format!("must be a number and a unit (s, m, h, d or w), for example 30d or 12h; \u{201c}{text}\u{201d} is not")
    };
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3600,
        Some('d') => 86_400,
        Some('w') => 604_800,
        _ => return Err(wrong()),
    };
    let digits = &text[..text.len() - 1];
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong());
    }
    let seconds = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(unit));
    match seconds {
        Some(0) => Err("must be longer than nothing".to_owned()),
        Some(seconds) if seconds <= LONGEST_DAYS * 86_400 => Ok(Duration::from_secs(seconds)),
        _ => Err(format!("must be at most {LONGEST_DAYS}d")),
    }
}

/// A language of the search, by its English name.
pub(super) fn language(text: &str) -> Result<Language, String> {
    text.parse().map_err(|()| {
        let names: Vec<&str> = Language::ALL.into_iter().map(Language::name).collect();
        format!("must be one of {}; \u{201c}{text}\u{201d} is none of them", names.join(", "))
    })
}

/// `human` or `json`.
pub(super) fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "human" => Ok(LogFormat::Human),
        "json" => Ok(LogFormat::Json),
        _ => Err(format!("must be human or json; \u{201c}{text}\u{201d} is neither")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn url(text: &str, origin: &str) {
        assert_eq!(base_url(text).map(|u| u.origin()), Ok(origin.to_owned()));
    }

    #[test]
    fn a_base_url_is_what_a_browser_sends() {
        url("https://Life.Example.org/", "https://life.example.org");
        url("https://life.example.org:443", "https://life.example.org");
        url("http://life.example.org:80", "http://life.example.org");
        url("http://life.example.org:443", "http://life.example.org:443");
        url("HTTP://localhost:8080", "http://localhost:8080");
        url("https://[2001:DB8::1]:8443/", "https://[2001:db8::1]:8443");
        url("http://192.168.1.10:8080", "http://192.168.1.10:8080");
    }

    #[test]
    fn a_base_url_that_cannot_be_one_is_refused() {
        for text in [
            "life.example.org",
            "ftp://life.example.org",
            "https://",
            "https:///",
            "https://life.example.org/lifeops",
            "https://life.example.org?x=1",
            "https://ana:secret@life.example.org",
            "https://life.example.org:0",
            "https://life.example.org:+80",
            "https://life.example.org:99999",
            "https://life example.org",
            "https://-life.example.org",
            "https://life..example.org",
            "https://bücher.example",
            "https://[::1",
            "https://[::1]x",
            "https://[nonsense]",
        ] {
            assert!(base_url(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_have_a_number_and_a_unit() {
        assert_eq!(duration("30d"), Ok(Duration::from_secs(30 * 86_400)));
        assert_eq!(duration("12h"), Ok(Duration::from_secs(12 * 3600)));
        assert_eq!(duration("90m"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("45s"), Ok(Duration::from_secs(45)));
        assert_eq!(duration("2w"), Ok(Duration::from_secs(14 * 86_400)));
        for text in ["", "d", "30", "30 d", "-1d", "+1d", "0h", "1.5h", "30é", "99999999999999999999d", "3651d"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_database_is_a_file_or_a_server() {
        let data = Path::new("/srv/life");
        assert_eq!(database("sqlite:", data), Ok(Database::Sqlite("/srv/life/lifeops.db".into())));
        assert_eq!(database("sqlite:other.db", data), Ok(Database::Sqlite("/srv/life/other.db".into())));
        assert_eq!(database("sqlite:/a/b.db", data), Ok(Database::Sqlite("/a/b.db".into())));
        assert_eq!(database("sqlite:///a/b.db", data), Ok(Database::Sqlite("/a/b.db".into())));
        assert_eq!(database("postgres://u:p@h/d", data), Ok(Database::Postgres(Secret::new("postgres://u:p@h/d"))));
        for text in ["", "mysql://h/d", "postgres://", "postgres", "sqlite::memory:", "sqlite:a.db?mode=ro", "a.db"] {
            assert!(database(text, data).is_err(), "{text}");
        }
    }

    #[test]
    fn proxies_are_addresses_or_networks() {
        let nets = networks("10.1.2.3/8, 192.168.1.1 ,::1,, fd00::/8");
        let words = nets.map(|nets| nets.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(words, Ok(vec!["10.0.0.0/8".into(), "192.168.1.1/32".into(), "::1/128".into(), "fd00::/8".into()]));
        assert!(networks("10.0.0.0/33").is_err());
        assert!(networks("proxy.example.org").is_err());
    }

    #[test]
    fn listening_needs_an_address_and_a_port() {
        assert!(listen("127.0.0.1:8080").is_ok());
        assert!(listen("[::]:0").is_ok());
        for text in ["8080", ":8080", "localhost:8080", "127.0.0.1", "127.0.0.1:70000"] {
            assert!(listen(text).is_err(), "{text}");
        }
    }
}
