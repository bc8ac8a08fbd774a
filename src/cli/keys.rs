//! The master key: which it is, and changing it.

use std::path::PathBuf;

use clap::Subcommand;
use lifeops::config::Settings;
use lifeops::keys;
use lifeops::store::blobs;
use lifeops::upkeep::key_change;

use super::data::counted;
use super::progress::Progress;
use super::{Failure, Outcome, say, with_app};

/// What can be asked about the master key.
#[derive(Subcommand)]
pub enum Command {
    /// Shows the ids of the master keys in use, never the keys
    List,
    /// Changes the master key: wraps every file's key again, while the server runs; takes up what was interrupted
    Rotate {
        /// The file that holds the new key, if the old one comes from the settings
        #[arg(long, value_name = "FILE")]
        new_key_file: Option<PathBuf>,
    },
}

/// Answers.
pub async fn run(command: Command, settings: Settings) -> Outcome {
    match command {
        Command::List => list(settings).await,
        Command::Rotate { new_key_file } => rotate(settings, new_key_file).await,
    }
}

async fn list(settings: Settings) -> Outcome {
    let place = match &settings.master_key {
        Some(_) => "from the settings".to_owned(),
        None => format!("in {}", settings.data.join(keys::FILE).display()),
    };
    with_app(settings, async |app| {
        let in_use = blobs::keys_in_use(&app.db).await?;
        let current = app.key.current().id();
        let of = |id: &str| in_use.iter().find(|(known, _)| known == id).map_or(0, |(_, count)| *count);
        say(&format!("{current}  the master key, {place}; {}", counted(of(&current), "wrapped key")))?;
        for (id, count) in in_use.iter().filter(|(id, _)| *id != current) {
            let known = if app.key.named(id).is_some() { "an earlier one, still at hand" } else { "not at hand" };
            say(&format!("{id}  {known}; {}. Run lifeops keys rotate.", counted(*count, "wrapped key")))?;
        }
        Ok(())
    })
    .await
}

async fn rotate(settings: Settings, new_key_file: Option<PathBuf>) -> Outcome {
    let fresh = new_key_file.map(|path| keys::from_file(&path)).transpose()?;
    let from_settings = settings.master_key.is_some();
    if fresh.is_some() && !from_settings {
        return Err(Failure::Told(
            "The master key lies in the data directory, and the new one is made there: leave --new-key-file out."
                .to_owned(),
        ));
    }
    with_app(settings, async |app| {
        let progress = Progress::of("keys");
        let changed = key_change::change(app, fresh, &|done| progress.so_far(done)).await;
        drop(progress);
        let changed = changed?;
        if changed.resumed {
            say("A change that had been interrupted was finished.")?;
        }
        let count = |n: u64, what: &str| counted(i64::try_from(n).unwrap_or(i64::MAX), what);
        say(&format!(
            "The master key is {} now; it was {}. {} of files and {} were put under it. Servers that run learn of it by themselves \
             within a minute.",
            changed.new_id,
            changed.old_id,
            count(changed.files, "key"),
            count(changed.second_steps, "second step")
        ))?;
        if changed.broken > 0 {
            say(&format!(
                "{} of files could not be unwrapped and stayed as they are. Run lifeops verify; sending such a file again \
                 mends it.",
                count(changed.broken, "key")
            ))?;
        }
        match (&changed.kept, from_settings) {
            (Some(kept), _) => say(&format!(
                "Keep a copy of the new master.key somewhere else. The old key lies in {}: backups made before need it; \
                 delete it when there are none.",
                kept.display()
            )),
            (None, true) => say("Put the new key into LIFEOPS_MASTER_KEY (or its _FILE) before the next start."),
            (None, false) => Ok(()),
        }
    })
    .await
}
