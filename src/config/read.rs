//! From flags, variables and files to [`Settings`], or to the list of every mistake.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use super::settings::{
    BASE_URL, BLOBS, DATA, DATABASE_CONNECTIONS, DATABASE_PASSWORD, DATABASE_URL, FILE_LIMIT, FORM_LIMIT, LISTEN,
    LOG_FORMAT, MASTER_KEY, QUOTA, REGISTRATION, REMOVAL_GRACE, S3_ACCESS_KEY, S3_ENDPOINT, S3_PATH_STYLE, S3_REGION,
    S3_SECRET_KEY, SEARCH_LANGUAGE, SESSION_IDLE, SESSION_MAX, SETTINGS, Setting, TRUSTED_PROXIES,
};
use super::{BlobPlace, Database, Registration, S3Place, Secret, Settings, blobs, values};

/// What the flags said: flag name (without dashes) and value.
#[derive(Clone, Debug, Default)]
pub struct Given(pub BTreeMap<String, String>);

/// Where a setting's value came from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// A flag of the command line.
    Flag(String),
    /// An environment variable.
    Variable(String),
    /// The file that a flag or variable names.
    File(PathBuf),
    /// Nobody said anything.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "flag --{name}"),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A setting as it holds, for a person: secrets are hidden.
#[derive(Clone, Debug)]
pub struct Told {
    /// The variable's name.
    pub name: &'static str,
    /// The value, or a word for it.
    pub shown: String,
    /// Where it came from.
    pub source: Source,
}

/// The settings, and how they came about.
#[derive(Clone, Debug)]
pub struct Effective {
    /// The settings themselves.
    pub settings: Settings,
    /// Each with its source, in the order of [`SETTINGS`].
    pub told: Vec<Told>,
}

/// Everything that is wrong with the settings, one sentence each.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mistakes(pub Vec<String>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => writeln!(f, "There is a mistake in the settings:")?,
            n => writeln!(f, "There are {n} mistakes in the settings:")?,
        }
        for mistake in &self.0 {
            writeln!(f, "  - {mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

/// Reads every setting: a flag counts before a variable, a variable before the default; an empty one counts as unset.
/// Returns every mistake, not only the first.
pub fn read(given: &Given, environment: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Effective, Mistakes> {
    let mut reading = Reading::new(given, environment);
    reading.name_near_misses();
    let data = reading.value(DATA, values::directory).unwrap_or_default();
    let settings = Settings {
        listen: reading.value(LISTEN, values::listen).unwrap_or_else(|| ([127, 0, 0, 1], 0).into()),
        base_url: reading.value(BASE_URL, values::base_url),
        database: reading.database(&data),
        database_connections: reading.value(DATABASE_CONNECTIONS, values::connections).unwrap_or_default(),
        master_key: reading.value(MASTER_KEY, values::master_key),
        blobs: reading.blobs(&data),
        file_limit: reading.value(FILE_LIMIT, blobs::bytes).unwrap_or_default(),
        form_limit: reading.value(FORM_LIMIT, blobs::bytes).unwrap_or_default(),
        quota: reading.value(QUOTA, blobs::quota).flatten(),
        registration: reading.value(REGISTRATION, values::registration).unwrap_or(Registration::Closed),
        trusted_proxies: reading.value(TRUSTED_PROXIES, values::networks).unwrap_or_default(),
        session_idle: reading.value(SESSION_IDLE, values::duration).unwrap_or_default(),
        session_max: reading.value(SESSION_MAX, values::duration).unwrap_or_default(),
        removal_grace: reading.value(REMOVAL_GRACE, values::duration).unwrap_or_default(),
        search_language: reading.value(SEARCH_LANGUAGE, values::language).unwrap_or_default(),
        log_format: reading.value(LOG_FORMAT, values::log_format).unwrap_or(super::LogFormat::Human),
        data,
    };
    if reading.mistakes.is_empty() && settings.session_idle > settings.session_max {
        reading.mistakes.push(format!("{} must not be longer than {}.", SESSION_IDLE.name, SESSION_MAX.name));
    }
    if !reading.mistakes.is_empty() {
        return Err(Mistakes(reading.mistakes));
    }
    Ok(Effective { told: reading.told(&settings), settings })
}

struct Reading<'a> {
    given: &'a Given,
    environment: BTreeMap<String, OsString>,
    found: BTreeMap<&'static str, (String, Source)>,
    mistakes: Vec<String>,
}

impl<'a> Reading<'a> {
    fn new(given: &'a Given, environment: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let environment = environment
            .into_iter()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .filter(|(name, value)| name.starts_with("LIFEOPS_") && !value.is_empty())
            .collect();
        Self { given, environment, found: BTreeMap::new(), mistakes: Vec::new() }
    }

    /// A variable that is nearly the name of a setting is a slip of the pen. Others are left alone: some platforms put
    /// variables such as `LIFEOPS_PORT` into the environment of their own accord.
    fn name_near_misses(&mut self) {
        let known = |name: &str| {
            SETTINGS.iter().any(|s| name == s.name || s.is_secret() && name.strip_suffix("_FILE") == Some(s.name))
        };
        for name in self.environment.keys().filter(|name| !known(name)) {
            let plain = name.strip_suffix("_FILE").unwrap_or(name);
            let near = SETTINGS.iter().find(|s| strsim::damerau_levenshtein(plain, s.name) <= 2);
            if let Some(near) = near {
                self.mistakes.push(if plain == near.name {
                    format!("{name} is not a setting: only a secret can be read from a file. Use {}.", near.name)
                } else {
                    format!("{name} is not a setting. Did you mean {}?", near.name)
                });
            }
        }
    }

    /// Finds a setting's text and parses it; a mistake is noted and `None` returned, as when it is unset.
    fn value<T>(&mut self, setting: Setting, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let (text, source) = match self.text(setting) {
            Ok(found) => found?,
            Err(mistake) => {
                self.mistakes.push(mistake);
                return None;
            }
        };
        match parse(&text) {
            Ok(value) => {
                self.found.insert(setting.name, (text, source));
                Some(value)
            }
            Err(problem) => {
                let who = match &source {
                    Source::Flag(flag) => format!("--{flag}"),
                    Source::File(path) => format!("{} (read from {})", setting.name, path.display()),
                    Source::Variable(_) | Source::Default => setting.name.to_owned(),
                };
                let problem = if setting.is_secret() { problem.replace(text.as_str(), "…") } else { problem };
                self.mistakes.push(format!("{who} {problem}."));
                None
            }
        }
    }

    /// The database, with the password in its URL if that is a setting of its own.
    fn database(&mut self, data: &Path) -> Database {
        let found = self.value(DATABASE_URL, |text| values::database(text, data));
        let password = self.value(DATABASE_PASSWORD, |text| Ok(Secret::new(text)));
        let Some(database) = found else { return Database::Sqlite(data.to_owned()) };
        let Some(password) = password else { return database };
        match values::with_password(&database, &password) {
            Ok(database) => database,
            Err(problem) => {
                self.mistakes.push(format!("{} {problem}.", DATABASE_PASSWORD.name));
                database
            }
        }
    }

    /// Where files lie, with what belongs to a bucket.
    fn blobs(&mut self, data: &Path) -> BlobPlace {
        let place = self.value(BLOBS, |text| blobs::place(text, data));
        let endpoint = self.value(S3_ENDPOINT, blobs::endpoint);
        let region = self.value(S3_REGION, |text| Ok(text.to_owned())).unwrap_or_default();
        let access_key = self.value(S3_ACCESS_KEY, |text| Ok(Secret::new(text)));
        let secret_key = self.value(S3_SECRET_KEY, |text| Ok(Secret::new(text)));
        let path_style = self.value(S3_PATH_STYLE, blobs::yes_or_no).unwrap_or(true);
        match place {
            Some(BlobPlace::S3(place)) => {
                for (setting, found) in [(S3_ACCESS_KEY, &access_key), (S3_SECRET_KEY, &secret_key)] {
                    if found.is_none() {
                        self.mistakes.push(format!("{} is missing: {} is a bucket.", setting.name, BLOBS.name));
                    }
                }
                BlobPlace::S3(S3Place { endpoint, region, access_key, secret_key, path_style, ..place })
            }
            Some(place) => {
                if endpoint.is_some() || access_key.is_some() || secret_key.is_some() {
                    self.mistakes.push(format!(
                        "{}, {} and {} are for a bucket, but {} is a directory: unset them, or name the bucket.",
                        S3_ENDPOINT.name, S3_ACCESS_KEY.name, S3_SECRET_KEY.name, BLOBS.name
                    ));
                }
                place
            }
            None => BlobPlace::Directory(data.to_owned()),
        }
    }

    fn text(&self, setting: Setting) -> Result<Option<(String, Source)>, String> {
        let flag = |flag: &str| said(flag.to_owned(), |flag| self.given.0.get(flag).map(OsString::from));
        let variable = |name: String| said(name, |name| self.environment.get(name).cloned());
        let flags = flag(setting.flag);
        let flag_files = setting.file_flag.and_then(flag);
        let variables = variable(setting.name.to_owned());
        let variable_files = setting.is_secret().then(|| variable(format!("{}_FILE", setting.name))).flatten();
        let (direct, file, make): (_, _, fn(String) -> Source) = if flags.is_some() || flag_files.is_some() {
            (flags, flag_files, Source::Flag)
        } else {
            (variables, variable_files, Source::Variable)
        };
        match (direct, file) {
            (Some((one, _)), Some((other, _))) => Err(format!("{one} and {other} are both set: keep one.")),
            (Some((name, value)), None) => match value.into_string() {
                Ok(text) => Ok(Some((text.trim().to_owned(), make(name)))),
                Err(_) => Err(format!("{name} is not UTF-8 text.")),
            },
            (None, Some((name, path))) => {
                let path = PathBuf::from(path);
                if setting.name == MASTER_KEY.name {
                    crate::keys::refuse_if_open(&path).map_err(|error| error.to_string())?;
                }
                read_secret(&name, path).map(Some)
            }
            (None, None) => Ok(setting.default.map(|text| (text.to_owned(), Source::Default))),
        }
    }

    fn told(&self, settings: &Settings) -> Vec<Told> {
        let told = |setting: &Setting| {
            let (shown, source) = match self.found.get(setting.name) {
                Some((_, source)) if setting.name == DATABASE_URL.name => {
                    (shown_database(&settings.database), source.clone())
                }
                Some((_, source)) if setting.is_secret() => ("(hidden)".to_owned(), source.clone()),
                Some((text, source)) => (text.clone(), source.clone()),
                None if setting.name == MASTER_KEY.name => {
                    (format!("(from {})", settings.data.join("master.key").display()), Source::Default)
                }
                None => ("(none)".to_owned(), Source::Default),
            };
            Told { name: setting.name, shown, source }
        };
        SETTINGS.iter().map(told).collect()
    }
}

fn said(name: String, look: impl Fn(&str) -> Option<OsString>) -> Option<(String, OsString)> {
    let value = look(&name).filter(|value| !value.is_empty())?;
    Some((name, value))
}

fn read_secret(name: &str, path: PathBuf) -> Result<(String, Source), String> {
    let text = std::fs::read_to_string(&path)
        .map_err(|e| format!("{name} names the file {}, which cannot be read: {e}.", path.display()))?;
    match text.trim() {
        "" => Err(format!("{name} names the file {}, which is empty.", path.display())),
        text => Ok((text.to_owned(), Source::File(path))),
    }
}

/// The database without its password: whatever stands between the scheme and the host is left out, and so are options.
fn shown_database(database: &Database) -> String {
    match database {
        Database::Sqlite(path) => format!("sqlite:{}", path.display()),
        Database::Postgres(url) => {
            let rest = url.expose().split_once("://").map_or("", |(_, rest)| rest);
            let rest = rest.split_once('?').map_or(rest, |(rest, _)| rest);
            match rest.rsplit_once('@') {
                Some((_, place)) => format!("postgres://(hidden)@{place}"),
                None => format!("postgres://{rest}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn given(flags: &[(&str, &str)]) -> Given {
        Given(flags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    fn environment(variables: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
        variables.iter().map(|(k, v)| (OsString::from(k), OsString::from(v))).collect()
    }

    #[track_caller]
    fn mistakes(flags: &[(&str, &str)], variables: &[(&str, &str)]) -> Vec<String> {
        read(&given(flags), environment(variables)).unwrap_err().0
    }

    #[track_caller]
    fn told<'a>(effective: &'a Effective, name: &str) -> &'a Told {
        effective.told.iter().find(|told| told.name == name).unwrap()
    }

    #[test]
    fn nothing_said_is_enough() {
        let effective = read(&Given::default(), []).unwrap();
        let settings = effective.settings;
        assert_eq!(settings.data, PathBuf::from("./data"));
        assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(settings.database, Database::Sqlite("./data/lifeops.db".into()));
        assert_eq!(settings.session_idle.as_secs(), 30 * 86_400);
        assert_eq!(settings.session_max.as_secs(), 180 * 86_400);
        assert!(settings.base_url.is_none() && settings.master_key.is_none() && settings.trusted_proxies.is_empty());
        assert!(effective.told.iter().all(|told| told.source == Source::Default));
    }

    #[test]
    fn every_mistake_is_named_in_one_go() {
        let all = mistakes(
            &[("listen", "8080")],
            &[
                ("LIFEOPS_BASE_URL", "life.example.org"),
                ("LIFEOPS_REGISTRATION", "maybe"),
                ("LIFEOPS_SESSION_IDLE", "soon"),
                ("LIFEOPS_TRUSTED_PROXIES", "10.0.0.0/99"),
                ("LIFEOPS_LOG_FORMATS", "json"),
                ("LIFEOPS_DATABASE_URL", "mysql://root:hunter2@host/db"),
            ],
        );
        assert_eq!(all.len(), 7, "{all:#?}");
        assert!(all.iter().any(|m| m.starts_with("--listen must be")));
        assert!(all.iter().any(|m| m == "LIFEOPS_LOG_FORMATS is not a setting. Did you mean LIFEOPS_LOG_FORMAT?"));
        assert!(all.iter().all(|m| m.ends_with(['.', '?']) && !m.contains("hunter2")), "{all:#?}");
    }

    #[test]
    fn a_flag_counts_before_a_variable_and_an_empty_variable_is_unset() {
        let effective = read(
            &given(&[("listen", "127.0.0.1:1")]),
            environment(&[
                ("LIFEOPS_LISTEN", "127.0.0.1:2"),
                ("LIFEOPS_BASE_URL", ""),
                ("LIFEOPS_REGISTRATION", "open"),
            ]),
        )
        .unwrap();
        assert_eq!(effective.settings.listen.port(), 1);
        assert_eq!(effective.settings.registration, Registration::Open);
        assert_eq!(told(&effective, "LIFEOPS_LISTEN").source, Source::Flag("listen".to_owned()));
        assert_eq!(
            told(&effective, "LIFEOPS_REGISTRATION").source,
            Source::Variable("LIFEOPS_REGISTRATION".to_owned())
        );
    }

    #[test]
    fn secrets_come_from_files_and_are_never_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("url");
        std::fs::write(&path, "postgres://life:hunter2@db.example.org/life?password=hunter2\n").unwrap();
        let path = path.to_str().unwrap();
        let key = "5a".repeat(32);
        let variables = [("LIFEOPS_DATABASE_URL_FILE", path), ("LIFEOPS_MASTER_KEY", key.as_str())];
        let effective = read(&Given::default(), environment(&variables)).unwrap();
        let Database::Postgres(url) = &effective.settings.database else { panic!("not PostgreSQL") };
        assert_eq!(url.expose(), "postgres://life:hunter2@db.example.org/life?password=hunter2");
        assert_eq!(told(&effective, "LIFEOPS_DATABASE_URL").shown, "postgres://(hidden)@db.example.org/life");
        assert_eq!(told(&effective, "LIFEOPS_DATABASE_URL").source, Source::File(path.into()));
        assert_eq!(told(&effective, "LIFEOPS_MASTER_KEY").shown, "(hidden)");
        let everything = format!("{effective:?}");
        assert!(!everything.contains("hunter2") && !everything.contains(&key), "{everything}");
    }

    #[test]
    fn a_password_of_its_own_goes_into_the_url() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        std::fs::write(&path, "hunter2/@:%\n").unwrap();
        let url = "postgres://life@db.example.org:5433/life?sslmode=require";
        let file = path.to_str().unwrap();
        let effective = read(
            &Given::default(),
            environment(&[("LIFEOPS_DATABASE_URL", url), ("LIFEOPS_DATABASE_PASSWORD_FILE", file)]),
        )
        .unwrap();
        let Database::Postgres(url) = &effective.settings.database else { panic!("not PostgreSQL") };
        assert_eq!(url.expose(), "postgres://life:hunter2%2F%40%3A%25@db.example.org:5433/life?sslmode=require");
        assert_eq!(told(&effective, "LIFEOPS_DATABASE_PASSWORD").shown, "(hidden)");
        assert_eq!(told(&effective, "LIFEOPS_DATABASE_PASSWORD").source, Source::File(path));
        let shown = &told(&effective, "LIFEOPS_DATABASE_URL").shown;
        assert_eq!(shown, "postgres://(hidden)@db.example.org:5433/life");
        assert!(!format!("{effective:?}").contains("hunter2"));
    }

    #[test]
    fn a_password_that_has_no_place_is_a_mistake() {
        for (url, words) in [
            ("postgres://life:other@db.example.org/life", "keep one"),
            ("postgres://life@db.example.org/life?sslmode=require&password=other", "keep one"),
            ("postgres://db.example.org/life", "names no user"),
            ("postgres://:@db.example.org/life", "names no user"),
            ("sqlite:", "is for PostgreSQL"),
        ] {
            let all = mistakes(&[], &[("LIFEOPS_DATABASE_URL", url), ("LIFEOPS_DATABASE_PASSWORD", "hunter2")]);
            assert_eq!(all.len(), 1, "{url}: {all:?}");
            assert!(all[0].starts_with("LIFEOPS_DATABASE_PASSWORD ") && all[0].contains(words), "{url}: {all:?}");
            assert!(!all[0].contains("hunter2") && !all[0].contains("other@"), "{all:?}");
        }
        let wrong = mistakes(&[], &[("LIFEOPS_DATABASE_URL", "mysql://h/d"), ("LIFEOPS_DATABASE_PASSWORD", "hunter2")]);
        assert_eq!(wrong.len(), 1, "{wrong:?}");
    }

    #[test]
    fn a_secret_said_twice_or_from_a_missing_file_is_a_mistake() {
        let both = mistakes(&[], &[("LIFEOPS_MASTER_KEY", "a"), ("LIFEOPS_MASTER_KEY_FILE", "/b")]);
        assert_eq!(both, ["LIFEOPS_MASTER_KEY and LIFEOPS_MASTER_KEY_FILE are both set: keep one."]);
        let missing = mistakes(&[], &[("LIFEOPS_MASTER_KEY_FILE", "/nowhere/key")]);
        assert!(missing[0].starts_with("LIFEOPS_MASTER_KEY_FILE names the file /nowhere/key"), "{missing:?}");
        let no_secret = mistakes(&[], &[("LIFEOPS_LISTEN_FILE", "/b")]);
        assert!(no_secret[0].contains("only a secret"), "{no_secret:?}");
    }

    #[test]
    fn sessions_do_not_idle_longer_than_they_last() {
        let all = mistakes(&[], &[("LIFEOPS_SESSION_IDLE", "60d"), ("LIFEOPS_SESSION_MAX", "30d")]);
        assert_eq!(all, ["LIFEOPS_SESSION_IDLE must not be longer than LIFEOPS_SESSION_MAX."]);
    }

    #[test]
    fn variables_of_a_platform_are_left_alone() {
        let variables = [("LIFEOPS_PORT", "tcp://10.0.0.1:80"), ("LIFEOPS_SERVICE_HOST", "10.0.0.1")];
        assert!(read(&Given::default(), environment(&variables)).is_ok());
    }
}
