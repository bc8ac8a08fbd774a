//! The table of settings, and the flags made from it.

use super::Given;

/// One thing that an installation can be told, by variable or by flag.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The environment variable. A secret one can also be read from the file that `…_FILE` names.
    pub name: &'static str,
    /// The flag, without its dashes. A secret one has a `…-file` sister.
    pub flag: &'static str,
    /// What stands for the value in the help.
    pub value: &'static str,
    /// What counts when nothing is said.
    pub default: Option<&'static str>,
    /// For a secret, whose value must not be shown: the flag that names the file it stands in.
    pub file_flag: Option<&'static str>,
    /// What it is for, in one sentence.
    pub help: &'static str,
}

const fn setting(
    name: &'static str,
    flag: &'static str,
    value: &'static str,
    default: Option<&'static str>,
    help: &'static str,
) -> Setting {
    Setting { name, flag, value, default, file_flag: None, help }
}

const fn secret(file_flag: &'static str, setting: Setting) -> Setting {
    Setting { file_flag: Some(file_flag), ..setting }
}

impl Setting {
    pub(super) fn is_secret(&self) -> bool {
        self.file_flag.is_some()
    }
}

pub(super) const DATA: Setting =
    setting("LIFEOPS_DATA", "data", "DIR", Some("./data"), "The data directory: the SQLite database and the key");
pub(super) const LISTEN: Setting =
    setting("LIFEOPS_LISTEN", "listen", "ADDRESS", Some("127.0.0.1:8080"), "The address and port to listen on");
pub(super) const BASE_URL: Setting = setting(
    "LIFEOPS_BASE_URL",
    "base-url",
    "URL",
    None,
    "The address that people type, for example https://life.example.org",
);
pub(super) const DATABASE_URL: Setting = secret(
    "database-url-file",
    setting(
        "LIFEOPS_DATABASE_URL",
        "database-url",
        "URL",
        Some("sqlite:"),
        "sqlite: (a file in the data directory), sqlite:PATH or postgres://user:password@host/database",
    ),
);
pub(super) const DATABASE_PASSWORD: Setting = secret(
    "database-password-file",
    setting(
        "LIFEOPS_DATABASE_PASSWORD",
        "database-password",
        "PASSWORD",
        None,
        "The password for PostgreSQL, if the URL names a user without one",
    ),
);
pub(super) const DATABASE_CONNECTIONS: Setting = setting(
    "LIFEOPS_DATABASE_CONNECTIONS",
    "database-connections",
    "NUMBER",
    Some("10"),
    "How many connections to PostgreSQL to keep at most",
);
pub(super) const MASTER_KEY: Setting = secret(
    "master-key-file",
    setting(
        "LIFEOPS_MASTER_KEY",
        "master-key",
        "KEY",
        None,
        "The master key; unset, it is master.key in the data directory, made at the first start",
    ),
);
pub(super) const BLOBS: Setting = setting(
    "LIFEOPS_BLOBS",
    "blobs",
    "PLACE",
    Some("blobs"),
    "Where files lie, sealed: a directory (in the data directory), file:///path or s3://bucket/prefix",
);
pub(super) const S3_ENDPOINT: Setting = setting(
    "LIFEOPS_S3_ENDPOINT",
    "s3-endpoint",
    "URL",
    None,
    "The address of the service that speaks S3; unset, it is Amazon's",
);
pub(super) const S3_REGION: Setting =
    setting("LIFEOPS_S3_REGION", "s3-region", "REGION", Some("us-east-1"), "The region of the bucket");
pub(super) const S3_ACCESS_KEY: Setting = secret(
    "s3-access-key-file",
    setting("LIFEOPS_S3_ACCESS_KEY", "s3-access-key", "ID", None, "The id of the access key for the bucket"),
);
pub(super) const S3_SECRET_KEY: Setting = secret(
    "s3-secret-key-file",
    setting("LIFEOPS_S3_SECRET_KEY", "s3-secret-key", "SECRET", None, "The secret of the access key for the bucket"),
);
pub(super) const S3_PATH_STYLE: Setting = setting(
    "LIFEOPS_S3_PATH_STYLE",
    "s3-path-style",
    "YES",
    Some("yes"),
    "yes: the bucket stands in the path of addresses; no: in front of the host",
);
pub(super) const FILE_LIMIT: Setting =
    setting("LIFEOPS_FILE_LIMIT", "file-limit", "SIZE", Some("2 GB"), "The largest file that is taken");
pub(super) const FORM_LIMIT: Setting = setting(
    "LIFEOPS_FORM_LIMIT",
    "form-limit",
    "SIZE",
    Some("8 GB"),
    "The most that one form may send, all its files together",
);
pub(super) const QUOTA: Setting = setting(
    "LIFEOPS_QUOTA",
    "quota",
    "SIZE",
    Some("none"),
    "How much a household may keep in files, or none: no limit",
);
pub(super) const REGISTRATION: Setting = setting(
    "LIFEOPS_REGISTRATION",
    "registration",
    "WHO",
    Some("closed"),
    "closed, or open: anybody may make a household of their own",
);
pub(super) const TRUSTED_PROXIES: Setting = setting(
    "LIFEOPS_TRUSTED_PROXIES",
    "trusted-proxies",
    "NETWORKS",
    None,
    "Proxies whose X-Forwarded-For counts: addresses or networks, separated by commas",
);
pub(super) const SESSION_IDLE: Setting = setting(
    "LIFEOPS_SESSION_IDLE",
    "session-idle",
    "DURATION",
    Some("30d"),
    "A session ends after this long without use",
);
pub(super) const SESSION_MAX: Setting = setting(
    "LIFEOPS_SESSION_MAX",
    "session-max",
    "DURATION",
    Some("180d"),
    "A session ends after this long in any case",
);
pub(super) const REMOVAL_GRACE: Setting = setting(
    "LIFEOPS_REMOVAL_GRACE",
    "removal-grace",
    "DURATION",
    Some("14d"),
    "A removed member still reads, and takes private records along, for this long",
);
pub(super) const LOG_FORMAT: Setting =
    setting("LIFEOPS_LOG_FORMAT", "log-format", "FORMAT", Some("human"), "How log lines are written: human or json");

pub(super) const SEARCH_LANGUAGE: Setting = setting(
    "LIFEOPS_SEARCH_LANGUAGE",
    "search-language",
    "LANGUAGE",
    Some("english"),
    "The language whose word forms the search takes for one, or none; another one rebuilds what it looks in",
);

/// Every setting, in the order in which they are shown.
pub const SETTINGS: [Setting; 23] = [
    DATA,
    LISTEN,
    BASE_URL,
    DATABASE_URL,
    DATABASE_PASSWORD,
    DATABASE_CONNECTIONS,
    MASTER_KEY,
    BLOBS,
    S3_ENDPOINT,
    S3_REGION,
    S3_ACCESS_KEY,
    S3_SECRET_KEY,
    S3_PATH_STYLE,
    FILE_LIMIT,
    FORM_LIMIT,
    QUOTA,
    REGISTRATION,
    TRUSTED_PROXIES,
    SESSION_IDLE,
    SESSION_MAX,
    REMOVAL_GRACE,
    SEARCH_LANGUAGE,
    LOG_FORMAT,
];

impl clap::FromArgMatches for Given {
    fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
        let mut given = Self::default();
        given.update_from_arg_matches(matches)?;
        Ok(given)
    }

    fn update_from_arg_matches(&mut self, matches: &clap::ArgMatches) -> Result<(), clap::Error> {
        for flag in flags() {
            if let Some(value) = matches.get_one::<String>(flag.0) {
                self.0.insert(flag.0.to_owned(), value.clone());
            }
        }
        Ok(())
    }
}

impl clap::Args for Given {
    fn augment_args(command: clap::Command) -> clap::Command {
        flags().into_iter().fold(command, |command, (flag, value, help)| {
            command
                .arg(clap::Arg::new(flag).long(flag).value_name(value).help(help).global(true).help_heading("Settings"))
        })
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

/// Every flag: its name, what stands for its value, its help.
fn flags() -> Vec<(&'static str, &'static str, String)> {
    let mut flags = Vec::new();
    for setting in &SETTINGS {
        let default = setting.default.map(|d| format!("; default {d}")).unwrap_or_default();
        flags.push((setting.flag, setting.value, format!("{} [{}{default}]", setting.help, setting.name)));
        if let Some(file_flag) = setting.file_flag {
            flags.push((file_flag, "FILE", format!("The same, read from a file [{}_FILE]", setting.name)));
        }
    }
    flags
}
