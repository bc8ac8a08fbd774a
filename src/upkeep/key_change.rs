//! From one master key to another, while servers run: the new key becomes the installation's own first, then every key that
//! the old one wraps is wrapped again. Files are never rewritten. What is interrupted is taken up again by the next call.

use std::path::PathBuf;

use crate::app::App;
use crate::blobs::Wrapped;
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
    /// How many could not be unwrapped and stay as they are: their files cannot be read, before and after.
    pub broken: u64,
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
    let (mut files, mut broken) = (0, 0);
    for household in ledger::households(&app.db).await? {
        let wraps = wrap_again(app, household.id, &|more| progress(files + more)).await?;
        (files, broken) = (files + wraps.again, broken + wraps.broken);
    }
    let second_steps = second_factor::seal_again(app).await?;
    installation::end_key_change(&app.db, app.clock.now()).await?;
    Ok(Changed { old_id: change.old_id, new_id: change.new_id, resumed, files, broken, second_steps, kept })
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
        Some(change) if change.done_at.is_none() => {
            // The key that was named first is the one that is changed to, and it must not get lost.
            let from_settings = app.settings.master_key.as_ref().map(|_| MasterKey::open(&app.settings)).transpose()?;
            return match (fresh, from_settings) {
                (Some(new), _) if new.id() != change.new_id => refuse(
                    "A change to another master key was begun and not finished. Name the file that holds that key.",
                ),
                (None, Some(known)) if known.id() != change.new_id => refuse(
                    "A change of the master key was begun and not finished. Name the file that holds the new key with \
                     --new-key-file once more.",
                ),
                _ => Ok((change, true)),
            };
        }
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

/// What became of a household's keys.
#[derive(Clone, Copy, Default)]
struct Wraps {
    again: u64,
    broken: u64,
}

/// Wraps a household's keys again. The household is held meanwhile, so that none slips by.
async fn wrap_again(app: &App, household: HouseholdId, progress: &(dyn Fn(u64) + Sync)) -> Result<Wraps> {
    let current = app.key.current();
    let mut wraps = Wraps::default();
    for shelf in Shelf::ALL {
        let mut after = None;
        loop {
            let mut tx = app.db.begin().await?;
            ledger::hold(&mut tx, household).await?;
            let page = blobs::under_others(&mut tx, shelf, household, &current.id(), after, AT_ONCE).await?;
            let Some((last, _)) = page.last() else { break };
            // Uploads of one content stand together, perhaps on both sides of a page's end; each pass leaves none behind.
            after = (shelf == Shelf::Blobs).then_some(*last);
            for (blob, wrapped) in page {
                match wrapped.unwrap(&app.key, household, blob, shelf.role()) {
                    Ok(key) => {
                        let again = key.wrap(&current, household, blob, shelf.role())?;
                        blobs::rewrap(&mut tx, shelf, household, blob, &wrapped, &again).await?;
                        wraps.again += 1;
                    }
                    Err(error) => match shelf {
                        Shelf::Blobs => {
                            tracing::error!(%blob, %error, "the key of a file cannot be changed: the file cannot be read");
                            wraps.broken += 1;
                        }
                        // It opens as little under this name, and is made again when it is asked for.
                        Shelf::Thumbnails => {
                            let renamed = Wrapped { key_id: current.id(), bytes: wrapped.bytes.clone() };
                            blobs::rewrap(&mut tx, shelf, household, blob, &wrapped, &renamed).await?;
                        }
                        // What waits is sent again.
                        Shelf::Uploads => blobs::let_go(&mut tx, household, blob, &wrapped).await?,
                    },
                }
            }
            tx.commit().await?;
            progress(wraps.again);
        }
    }
    Ok(wraps)
}
