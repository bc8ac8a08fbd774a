//! Contents as they are kept, and their thumbnails: made when they are first asked for, sealed like everything else.

use bytes::Bytes;

use crate::app::App;
use crate::blobs::{self, DataKey, Kept, Objects, Role, StoreError, Unreadable, Wrapped};
use crate::domain::access::Actor;
use crate::domain::attachment::{Attachment, BlobId};
use crate::domain::ids::{HouseholdId, UploadId};
use crate::domain::media::is_photo;
use crate::error::{Error, Result};
use crate::keys;
use crate::store::blobs as rows;
use crate::store::blobs::Thumbnail;
use crate::store::ledger;
use crate::thumbnail;

use super::uploads;

/// The largest file of which a thumbnail is made, in bytes.
const LARGEST: u64 = 32 * 1024 * 1024;

/// A content of a household, with its key.
///
/// # Errors
/// [`Error::NotFound`] if the household has none like that; [`Error::Internal`] if its key cannot be unwrapped.
pub async fn kept(app: &App, household: HouseholdId, blob: BlobId) -> Result<Kept> {
    let row = match rows::blob(&app.db, household, blob).await {
        Err(Error::NotFound) => {
            return Err(Error::internal(format!("the content {blob} of a file is not in the database")));
        }
        found => found?,
    };
    keys::learn_of(&app.key, &app.db, &row.wrapped.key_id).await?;
    row.kept(&app.key)
}

/// The thumbnail of a photo, made if there is none yet; none if none can be made.
///
/// # Errors
/// If the store or the database fails.
pub async fn thumbnail(app: &App, actor: &Actor, file: &Attachment) -> Result<Option<Bytes>> {
    if !is_photo(&file.media_type) || file.size > LARGEST {
        return Ok(None);
    }
    let mut broken = None;
    match rows::thumbnail(&app.db, actor.household, file.blob).await? {
        Thumbnail::None => return Ok(None),
        Thumbnail::Made { object, size, wrapped } => {
            match open(app, actor.household, file.blob, &object, size, &wrapped).await {
                Ok(picture) => return Ok(Some(picture)),
                Err(error @ Error::Unavailable(_)) => return Err(error),
                // One that is lost or broken is made again.
                Err(error) => tracing::warn!(%error, "a thumbnail is made again"),
            }
            broken = Some(object);
        }
        Thumbnail::Unknown => {}
    }
    // In a task of its own: whoever hangs up neither stops it nor frees its turn.
    let (app, actor, blob) = (app.clone(), actor.clone(), file.blob);
    tokio::spawn(async move { make(&app, &actor, blob, broken.as_deref()).await }).await.map_err(Error::internal)?
}

/// Opens a thumbnail. [`Error::Unavailable`] if the store says nothing of it just now.
async fn open(
    app: &App,
    household: HouseholdId,
    blob: BlobId,
    object: &str,
    size: u64,
    wrapped: &Wrapped,
) -> Result<Bytes> {
    keys::learn_of(&app.key, &app.db, &wrapped.key_id).await?;
    let key = wrapped.unwrap(&app.key, household, blob, Role::Thumbnail)?;
    let kept = Kept { object: object.to_owned(), size, key };
    match blobs::content(&app.blobs.objects, &kept).await {
        Ok(picture) => Ok(picture.into()),
        Err(Unreadable::Store(StoreError::Other(error))) => Err(Unreadable::Store(StoreError::Other(error)).into()),
        Err(error) => Err(Error::internal(error)),
    }
}

/// Makes a thumbnail and keeps it. One at a time: pictures take memory.
async fn make(app: &App, actor: &Actor, blob: BlobId, broken: Option<&str>) -> Result<Option<Bytes>> {
    let _turn = app.blobs.pictures.acquire().await.map_err(Error::internal)?;
    // Somebody else may have made it while this waited, or found that it cannot be made.
    match rows::thumbnail(&app.db, actor.household, blob).await? {
        Thumbnail::None => return Ok(None),
        Thumbnail::Made { object, size, wrapped } if broken != Some(&object) => {
            return open(app, actor.household, blob, &object, size, &wrapped).await.map(Some);
        }
        Thumbnail::Made { .. } | Thumbnail::Unknown => {}
    }
    let content = blobs::content(&app.blobs.objects, &kept(app, actor.household, blob).await?).await?;
    let made = tokio::task::spawn_blocking(move || thumbnail::make(&content)).await.map_err(Error::internal)?;
    let Ok(small) = made else {
        rows::no_thumbnail(&app.db, actor.household, blob).await?;
        return Ok(None);
    };
    let upload = UploadId::new();
    let (object, key) = (Objects::new_name()?, DataKey::new()?);
    let picture = Bytes::from(small.jpeg);
    let size = picture.len() as u64;
    rows::begin(&app.db, actor, upload, &object, app.clock.now().plus_seconds(uploads::WAITS), 0).await?;
    let source = futures_util::stream::iter([Ok::<_, std::convert::Infallible>(picture.clone())]);
    app.blobs.objects.take(&object, &key, u64::MAX, source, async |_| Ok(())).await?;
    let mut tx = app.db.begin().await?;
    // So that it does not slip by a change of the master key, which holds the household too.
    ledger::hold(&mut tx, actor.household).await?;
    keys::learn_within(&app.key, &mut tx).await?;
    let wrapped = key.wrap(&app.key.current(), actor.household, blob, Role::Thumbnail)?;
    rows::keep_thumbnail(&mut tx, actor, blob, upload, (&object, size, &wrapped), broken).await?;
    tx.commit().await?;
    Ok(Some(picture))
}
