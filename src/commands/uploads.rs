//! Bytes that arrive: sealed on their way into the store, kept for a day, and swept away unless a record gets them.

use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use tokio::task::AbortHandle;

use crate::app::App;
use crate::blobs::{DataKey, Failed, Objects, Role, StoreError, Unreadable, whole};
use crate::domain::access::Actor;
use crate::domain::attachment::NewFile;
use crate::domain::ids::{HouseholdId, UploadId};
use crate::domain::media;
use crate::domain::text::FileName;
use crate::error::{Error, Result};
use crate::keys;
use crate::store::blobs::{self, Doomed};
use crate::store::ledger;

/// For how long a file waits to be attached, in seconds: a form that was refused may be mended tomorrow.
pub const WAITS: i64 = 24 * 60 * 60;

/// How long an upload is waited for that gives no sign of life, in seconds: its server may have been killed.
const UNFINISHED: i64 = 10 * 60;

/// How often an upload gives one.
const SIGN_OF_LIFE: Duration = Duration::from_secs(60);

/// How long a form that is sent twice, or brings a file twice, may take, in seconds.
const A_MOMENT: i64 = 120;

/// How many uploads are swept out in one go.
const AT_ONCE: i64 = 500;

/// Takes a file's bytes in, at most so many.
///
/// # Errors
/// [`Failed`]. Nothing is left behind.
pub async fn take<S, E>(app: &App, actor: &Actor, name: &str, most: u64, source: S) -> Result<NewFile, Failed>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    let upload = UploadId::new();
    let object = Objects::new_name()?;
    let key = DataKey::new()?;
    let most = begin(app, actor, upload, &object, most).await?;
    let unfinished = Unfinished::new(app, actor.household, upload);
    let in_parts = async |id: String| match blobs::in_parts(&app.db, actor.household, upload, &id).await? {
        true => Ok(()),
        false => Err(swept(app, &object, Some(&id)).await),
    };
    let arrived = app.blobs.objects.take(&object, &key, most, source, in_parts).await?;
    let file_name = FileName::of(name);
    let media_type = media::sniff(&arrived.head, file_name.as_str());
    let file = NewFile { upload, blob: arrived.blob, file_name, media_type, size: arrived.size };
    let wrapped = key.wrap(&app.key.current(), actor.household, arrived.blob, Role::Content)?;
    let expires = app.clock.now().plus_seconds(WAITS);
    if !blobs::arrived(&app.db, actor, &file, &arrived, &wrapped, expires).await? {
        return Err(swept(app, &object, None).await.into());
    }
    heal(app, actor, &file).await?;
    // Whoever sends a form again and again leaves no more behind than once; what came a moment ago may be another part of
    // the same form.
    let earlier = app.clock.now().plus_seconds(WAITS - A_MOMENT);
    discard_later(app, actor.household, blobs::waiting_like(&app.db, actor, &file, earlier).await?);
    unfinished.keep();
    Ok(file)
}

/// An upload of which nothing was heard for so long that it was swept out, by another server or by this one after it had
/// been asleep: what came after that would be nobody's.
async fn swept(app: &App, object: &str, multipart: Option<&str>) -> Error {
    if let Err(error) = app.blobs.objects.delete(object, multipart).await {
        tracing::warn!(%error, object, "an object that nobody needs was not deleted");
    }
    Error::Unavailable("The upload took too long, and was given up. Send the file again.".to_owned())
}

/// A content that the household has, but whose object is lost or broken, gets the object that has just arrived: whoever
/// sends a file again means to have it.
async fn heal(app: &App, actor: &Actor, file: &NewFile) -> Result<(), Failed> {
    let known = match blobs::blob(&app.db, actor.household, file.blob).await {
        Ok(known) => known,
        Err(Error::NotFound) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    keys::learn_of(&app.key, &app.db, &known.wrapped.key_id).await?;
    let wrong = match known.kept(&app.key) {
        Err(_) => true,
        Ok(kept) => match whole(&app.blobs.objects, &kept, known.id, &|_| ()).await {
            // Of what the store does not say nothing is known.
            Ok(()) | Err(Unreadable::Store(StoreError::Other(_)) | Unreadable::Inside(_)) => false,
            Err(_) => true,
        },
    };
    if wrong && blobs::heal(&app.db, actor, &app.key, file, &known.object).await? {
        tracing::warn!(object = known.object, "a file that could not be read was sent again, and is whole");
    }
    Ok(())
}

/// Notes an upload before it begins, and reserves its room. Returns how many bytes it may have: no more than what the
/// household may still keep, with everything counted that arrives at the same moment.
async fn begin(app: &App, actor: &Actor, upload: UploadId, object: &str, most: u64) -> Result<u64, Failed> {
    let now = app.clock.now();
    let expires = now.plus_seconds(UNFINISHED);
    let Some(quota) = app.settings.quota else {
        blobs::begin(&app.db, actor, upload, object, expires, 0).await?;
        return Ok(most);
    };
    let mut tx = app.db.begin().await.map_err(Error::from)?;
    ledger::hold(&mut tx, actor.household).await?;
    let used = blobs::used(&mut tx, actor.household, now).await?;
    let most = most.min(quota.saturating_sub(used.kept + used.waiting));
    blobs::begin(&mut tx, actor, upload, object, expires, most).await?;
    tx.commit().await.map_err(Error::from)?;
    Ok(most)
}

/// An upload that is discarded when it is dropped, because it failed or because whoever sent it hung up.
struct Unfinished {
    app: App,
    household: HouseholdId,
    upload: UploadId,
    keep: bool,
    /// What says from time to time that it is still under way.
    signs: AbortHandle,
}

impl Unfinished {
    fn new(app: &App, household: HouseholdId, upload: UploadId) -> Self {
        let its = app.clone();
        let signs = tokio::spawn(async move {
            loop {
                tokio::time::sleep(SIGN_OF_LIFE).await;
                let expires = its.clock.now().plus_seconds(UNFINISHED);
                if let Err(error) = blobs::prolong(&its.db, household, upload, expires).await {
                    tracing::warn!(%error, "it was not noted that an upload is still under way");
                }
            }
        });
        Self { app: app.clone(), household, upload, keep: false, signs: signs.abort_handle() }
    }

    fn keep(mut self) {
        self.keep = true;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        self.signs.abort();
        if !self.keep {
            discard_later(&self.app, self.household, vec![self.upload]);
        }
    }
}

/// A file that arrived earlier and waits, if it is the member's own.
///
/// # Errors
/// If the database refuses.
pub async fn waiting(app: &App, actor: &Actor, upload: UploadId) -> Result<Option<NewFile>> {
    blobs::waiting(&app.db, actor, upload, app.clock.now()).await
}

/// Gives up a file of the member's own that waits.
///
/// # Errors
/// If the database refuses.
pub async fn give_up(app: &App, actor: &Actor, upload: UploadId) -> Result<()> {
    if let Some(doomed) = blobs::doom_own(&app.db, actor, upload).await? {
        delete(app, &doomed).await;
    }
    Ok(())
}

/// Discards uploads in a task of its own. What cannot be deleted now is swept out later.
pub fn discard_later(app: &App, household: HouseholdId, uploads: Vec<UploadId>) {
    let app = app.clone();
    tokio::spawn(async move {
        for upload in uploads {
            match blobs::doom(&app.db, household, upload).await {
                Ok(Some(doomed)) => {
                    delete(&app, &doomed).await;
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "an upload was not given up; it is swept out when it expires"),
            }
        }
    });
}

/// Deletes the objects of uploads that nobody needs, in a task of its own.
pub fn delete_later(app: &App, doomed: Vec<Doomed>) {
    if doomed.is_empty() {
        return;
    }
    let app = app.clone();
    tokio::spawn(async move {
        for one in doomed {
            delete(&app, &one).await;
        }
    });
}

/// The object first, then the row: what is interrupted is taken up again by the next sweep.
async fn delete(app: &App, doomed: &Doomed) -> bool {
    if let Err(error) = app.blobs.objects.delete(&doomed.object, doomed.multipart.as_deref()).await {
        tracing::warn!(%error, "an object that nobody needs was not deleted; the next sweep tries again");
        return false;
    }
    match blobs::forget(&app.db, doomed).await {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(%error, "an upload that is gone was not forgotten; the next sweep tries again");
            false
        }
    }
}

/// Sweeps out what arrived more than a day ago and was attached to nothing, and what an interrupted upload left behind.
/// Returns how many.
///
/// # Errors
/// If the database refuses.
pub async fn sweep(app: &App) -> Result<u64> {
    let mut swept = 0;
    loop {
        let doomed = blobs::expired(&app.db, app.clock.now(), AT_ONCE).await?;
        let mut stuck = 0;
        for one in &doomed {
            match delete(app, one).await {
                true => swept += 1,
                false => stuck += 1,
            }
        }
        if stuck > 0 || i64::try_from(doomed.len()).unwrap_or(0) < AT_ONCE {
            return Ok(swept);
        }
    }
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Inside(error) => error,
            Failed::Store(error) => {
                tracing::error!(%error, "the store takes no files");
                Self::Unavailable(failed_words().to_owned())
            }
            other => Self::Unavailable(format!("{other}. Nothing was saved. Send it again.")),
        }
    }
}

/// What is said when the store takes no files.
pub fn failed_words() -> &'static str {
    "The store that keeps the files does not take this one just now. Nothing was saved. Try again in a minute; if it goes \
     on, tell whoever runs this LifeOps."
}
