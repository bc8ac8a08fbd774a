//! From one master key to another, while servers run: the new key becomes the installation's own first, then every key that
//! the old one wraps is wrapped again. Files are never rewritten. What is interrupted is taken up again by the next call.

use std::path::PathBuf;

use crate::app::App;
use crate::commands::second_factor;
use crate::domain::Refusal;
use crate::domain::ids::HouseholdId;
use crate::error::{Error, Result};
use crate::keys::{self, MasterKey};
use crate::store::blobs::{self, Shelf};
use crate::store::installation::{self, KeyChange};
use crate::store::ledger;

/// How many keys are wrapped again in one transaction.
const AT_ONCE: i64 = 200;

/// What a change of the master key came to.
#[derive(Clone, Debug)]
pub struct Changed {
    /// The id of the key before.
    pub old_id: String,
    /// The id of the key now.
    pub new_id: String,
    /// Whether an earlier call had begun it.
    pub resumed: bool,
    /// How many keys of files were wrapped again.
    pub files: u64,
    /// How many secrets of second steps were sealed again.
    pub second_steps: u64,
    /// Where the old key lies now, if it came from the data directory.
    pub kept: Option<PathBuf>,
}

/// For how long after a change no other one may begin, in seconds: until every server that runs has learnt of it.
const REST: i64 = 60;

/// Changes the master key: to `fresh`, or (for a key that lies in the data directory) to one that is made. Takes up what an
/// earlier call had begun.
///
/// # Errors
/// [`Error::Refused`] if there is nothing to change to, another change runs, or the last one was a moment ago;
/// [`Error::Unavailable`] if a key file cannot be written.
pub async fn change(app: &App, fresh: Option<MasterKey>, progress: &(dyn Fn(u64) + Sync)) -> Result<Changed> {
    let _alone = keys::alone(&app.settings.data)?;
    let (change, resumed) = begin(app, fresh).await?;
    let kept = match app.settings.master_key {
        Some(_) => None,
        None => keys::put_in_place(&app.settings.data, &change.old_id, &change.new_id)?,
    };
    let mut files = 0;
    for household in ledger::households(&app.db).await? {
        files += wrap_again(app, household.id, &|more| progress(files + more)).await?;
    }
    let second_steps = second_factor::seal_again(app).await?;
    installation::end_key_change(&app.db, app.clock.now()).await?;
    Ok(Changed { old_id: change.old_id, new_id: change.new_id, resumed, files, second_steps, kept })
}

/// Makes the new key the installation's own: from now on everything new is under it. Returns the change, and whether an
/// earlier call had begun it. Of two at once, on whichever machines, one begins and the other takes part.
async fn begin(app: &App, fresh: Option<MasterKey>) -> Result<(KeyChange, bool)> {
    let mut tx = app.db.begin().await?;
    installation::hold_key(&mut tx).await?;
    let Some(old_id) = keys::learn_within(&app.key, &mut tx).await? else {
        return Err(Error::Unavailable("The master key that this database belongs to is not at hand.".to_owned()));
    };
    let (_, known) = installation::keys(&mut tx).await?;
    match known {
        Some(change) if change.done_at.is_none() => return Ok((change, true)),
        Some(change) if change.done_at.is_some_and(|done| app.clock.now().seconds_since(done) < REST) => {
            return refuse(
                "The master key was changed a moment ago, and servers are still learning of it. Try again in a minute.",
            );
        }
        _ => {}
    }
    let old = app.key.current();
    let new = match (fresh, &app.settings.master_key) {
        (Some(new), _) => new,
        (None, None) => keys::next_in(&app.settings.data, &old_id)?,
        (None, Some(_)) => {
            return refuse(
                "The master key comes from the settings. Write a new one into a file (`openssl rand -hex 32`, readable by \
                 you alone) and name it with --new-key-file.",
            );
        }
    };
    if new.id() == old_id {
        return refuse("This is the master key already. Name another one.");
    }
    let change = KeyChange {
        old_id,
        new_id: new.id(),
        new_under_old: keys::sealed_under(&old, &new)?,
        old_under_new: keys::sealed_under(&new, &old)?,
        done_at: None,
    };
    installation::begin_key_change(&mut tx, new.subkey("key check"), &change).await?;
    tx.commit().await?;
    app.key.add(new, true);
    Ok((change, false))
}

fn refuse<T>(sentence: &str) -> Result<T> {
    Err(Error::Refused(Refusal::new(sentence)))
}

/// Wraps a household's keys again. The household is held meanwhile, so that none slips by.
async fn wrap_again(app: &App, household: HouseholdId, progress: &(dyn Fn(u64) + Sync)) -> Result<u64> {
    let current = app.key.current();
    let mut done = 0;
    loop {
        let mut tx = app.db.begin().await?;
        ledger::hold(&mut tx, household).await?;
        let mut found = 0;
        for shelf in Shelf::ALL {
            for (blob, wrapped) in blobs::under_others(&mut tx, shelf, household, &current.id(), AT_ONCE).await? {
                found += 1;
                let key = match wrapped.unwrap(&app.key, household, blob, shelf.role()) {
                    Ok(key) => key,
                    Err(error) if shelf == Shelf::Blobs => {
                        return Err(Error::Unavailable(format!(
                            "The key of the file {blob} cannot be changed: {error}. Run lifeops verify."
                        )));
                    }
                    // A thumbnail is made again, and what waits is sent again.
                    Err(_) => {
                        blobs::let_go(&mut tx, shelf, household, blob, &wrapped).await?;
                        continue;
                    }
                };
                let again = key.wrap(&current, household, blob, shelf.role())?;
                blobs::rewrap(&mut tx, shelf, household, blob, &wrapped, &again).await?;
            }
        }
        tx.commit().await?;
        done += found;
        progress(done);
        if found == 0 {
            return Ok(done);
        }
    }
}
