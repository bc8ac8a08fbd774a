//! A household to look around in: in a temporary directory that goes with the program, or in a place that is named and
//! kept.

use std::path::{Path, PathBuf};

use lifeops::app::{App, Clock};
use lifeops::config::{BlobPlace, Database, Effective, Settings, Source};
use lifeops::keys;
use lifeops::passwords::Password;
use lifeops::upkeep::demo::{self, Filled};
use tokio::sync::watch;

use super::data::counted;
use super::progress::Progress;
use super::{Failure, Outcome, say, serve};

/// How the demo goes.
#[derive(clap::Args)]
pub struct Args {
    /// Fills the data directory or database that is named, and ends
    #[arg(long)]
    no_serve: bool,
    /// The password of all three people; unset, one is made
    #[arg(long, value_name = "PASSWORD")]
    password: Option<String>,
}

/// Fills a place, and serves it.
pub async fn run(args: Args, effective: &Effective) -> Outcome {
    let typed = match args.password {
        Some(typed) => typed,
        None => keys::random_words(4)?,
    };
    let password = Password::parse(&typed)?;
    let mut settings = effective.settings.clone();
    let named = is_named(effective, "LIFEOPS_DATABASE_URL");
    if !named {
        // A database that is set for the installation itself (an image sets one) is not where a demo belongs.
        settings.database = Database::Sqlite(settings.data.join("lifeops.db"));
    }
    if !is_named(effective, "LIFEOPS_BLOBS") {
        settings.blobs = BlobPlace::Directory(settings.data.join("blobs"));
    }
    match (named || is_named(effective, "LIFEOPS_DATA"), args.no_serve) {
        (true, true) => fill_and_end(settings, &password, &typed).await,
        (true, false) => serve_named(settings, &password, &typed).await,
        (false, false) => serve_throw_away(settings, &password, &typed).await,
        (false, true) => Err(Failure::Told(
            "A throw-away household that nobody serves is of no use. Name a place to fill, with --data or \
             --database-url, or leave out --no-serve."
                .to_owned(),
        )),
    }
}

/// Whether the command line itself names a place. What the environment says is where the real household lives.
fn is_named(effective: &Effective, name: &str) -> bool {
    effective.told.iter().any(|told| told.name == name && matches!(told.source, Source::Flag(_)))
}

async fn fill_and_end(settings: Settings, password: &Password, typed: &str) -> Outcome {
    let app = App::open(settings, Clock::System).await?;
    let filled = fill(&app, password).await;
    app.db.close().await;
    let filled = filled?;
    say(&format!("{}\n\n{}", moved_in(&filled), sign_ins(&filled, typed)))
}

async fn serve_named(mut settings: Settings, password: &Password, typed: &str) -> Outcome {
    let listener = serve::listen(settings.listen).await?;
    settings.listen = listener.local_addr()?;
    let stop = serve::signals(|| ())?;
    let app = App::open(settings, Clock::System).await?;
    let filled = match until_stopped(&app, password, stop.clone()).await {
        Ok(Some(filled)) => filled,
        otherwise => {
            app.db.close().await;
            return otherwise.and(Err(Failure::Told(
                "Stopped before the household had moved in. Empty the place before you try again.".to_owned(),
            )));
        }
    };
    let address = app.origin();
    let told = format!("{} It stays there.\n\n    {address}/\n\n{}", moved_in(&filled), sign_ins(&filled, typed));
    serve::run(app, listener, stop, &told).await
}

async fn serve_throw_away(mut settings: Settings, password: &Password, typed: &str) -> Outcome {
    let listener = serve::listen(settings.listen).await?;
    settings.listen = listener.local_addr()?;
    let place = ThrowAway::named()?;
    let gone = place.0.clone();
    // Before the directory is made: whoever ends it from now on finds nothing left behind.
    let stop = serve::signals(move || remove(&gone))?;
    place.make()?;
    settings.database = Database::Sqlite(place.0.join("lifeops.db"));
    settings.blobs = BlobPlace::Directory(place.0.join("blobs"));
    settings.data.clone_from(&place.0);
    // Its key goes with it too, and nobody needs a copy.
    settings.master_key = Some(keys::new_key()?);
    let app = App::open(settings, Clock::System).await?;
    let filled = match until_stopped(&app, password, stop.clone()).await {
        Ok(Some(filled)) => filled,
        otherwise => {
            app.db.close().await;
            return otherwise.map(drop);
        }
    };
    let address = app.origin();
    let told = format!(
        "{} It is throw-away: it lives in {} and is gone when you press Ctrl-C.\n\n    {address}/\n\n{}",
        moved_in(&filled),
        place.0.display(),
        sign_ins(&filled, typed)
    );
    serve::run(app, listener, stop, &told).await
}

/// Fills an installation; nothing if the signal came before it was full.
async fn until_stopped(app: &App, password: &Password, stop: watch::Receiver<bool>) -> Result<Option<Filled>, Failure> {
    tokio::select! {
        filled = fill(app, password) => filled.map(Some),
        () = serve::stopped(stop) => Ok(None),
    }
}

async fn fill(app: &App, password: &Password) -> Result<Filled, Failure> {
    let progress = Progress::of("entries");
    Ok(demo::fill(app, password, &|done, total| progress.at(done, total)).await?)
}

fn moved_in(filled: &Filled) -> String {
    let records = counted(i64::try_from(filled.records).unwrap_or(i64::MAX), "record");
    format!(
        "\u{201c}{}\u{201d} has moved in, with {records} and {}.",
        filled.household,
        counted(filled.events, "event")
    )
}

fn sign_ins(filled: &Filled, password: &str) -> String {
    let width = |of: fn(&demo::Person) -> usize| filled.people.iter().map(of).max().unwrap_or(0);
    let (names, emails) = (width(|p| p.name.chars().count()), width(|p| p.email.as_str().chars().count()));
    let mut lines = vec!["Sign in as one of these; the password is the same for all:\n".to_owned()];
    for person in &filled.people {
        let (name, email) = (&person.name, person.email.as_str());
        lines.push(format!("    {name:names$}  {email:emails$}  {}", person.role));
    }
    lines.push(format!("\n    Password: {password}\n"));
    lines.join("\n")
}

/// A directory that is removed when this is dropped.
struct ThrowAway(PathBuf);

impl ThrowAway {
    fn named() -> Result<Self, Failure> {
        Ok(Self(std::env::temp_dir().join(format!("lifeops-demo-{}", keys::random_words(3)?))))
    }

    fn make(&self) -> Result<(), Failure> {
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        let cannot = |e| Failure::Told(format!("The temporary directory {} cannot be made: {e}.", self.0.display()));
        builder.create(&self.0).map_err(cannot)
    }
}

impl Drop for ThrowAway {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

fn remove(directory: &Path) {
    if let Err(error) = std::fs::remove_dir_all(directory) {
        tracing::warn!(%error, directory = %directory.display(), "the demo household stays behind");
    }
}
