//! Contents as they are kept, and their thumbnails: made when they are first asked for, sealed like everything else.

use bytes::Bytes;

use crate::app::App;
use crate::blobs::{self, DataKey, Kept, Objects, Role};
use crate::domain::access::Actor;
use crate::domain::attachment::{Attachment, BlobId};
use crate::domain::ids::{HouseholdId, UploadId};
use crate::domain::media::is_photo;
use crate::error::{Error, Result};
use crate::keys;
use crate::store::blobs as rows;
use crate::store::blobs::Thumbnail;
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
    if app.key.named(&row.wrapped.key_id).is_none() {
        keys::learn(&app.key, &app.db).await?;
    }
    row.kept(&app.key)
}

/// The thumbnail of a photo, made if there is none yet; none if none can be made.
///
/// # Errors
/// If the store or the database fails.
pub async fn thumbnail(app: &App, actor: &Actor, file: &Attachment) -> Result<Option<Kept>> {
    if !is_photo(&file.media_type) || file.size > LARGEST {
        return Ok(None);
    }
    let household = actor.household;
    let mut broken = None;
    match rows::thumbnail(&app.db, household, file.blob).await? {
        Thumbnail::None => return Ok(None),
        Thumbnail::Made { object, size, wrapped } => {
            if app.key.named(&wrapped.key_id).is_none() {
                keys::learn(&app.key, &app.db).await?;
            }
            // One that is lost or broken is made again.
            if let Ok(key) = wrapped.unwrap(&app.key, household, file.blob, Role::Thumbnail) {
                let known = Kept { object, size, key };
                match blobs::content(&app.blobs.objects, &known).await {
                    Ok(_) => return Ok(Some(known)),
                    Err(blobs::Unreadable::Store(blobs::StoreError::Other(error))) => {
                        return Err(blobs::Unreadable::Store(blobs::StoreError::Other(error)).into());
                    }
                    Err(error) => tracing::warn!(%error, "a thumbnail is made again"),
                }
                broken = Some(known.object);
            } else {
                broken = Some(object);
            }
        }
        Thumbnail::Unknown => {}
    }
    // In a task of its own: whoever hangs up neither stops it nor frees its turn.
    let (app, actor, blob) = (app.clone(), actor.clone(), file.blob);
    tokio::spawn(async move { make(&app, &actor, blob, broken.as_deref()).await }).await.map_err(Error::internal)?
}

/// Makes a thumbnail and keeps it. One at a time: pictures take memory.
async fn make(app: &App, actor: &Actor, blob: BlobId, broken: Option<&str>) -> Result<Option<Kept>> {
    let _turn = app.blobs.pictures.acquire().await.map_err(Error::internal)?;
    // Somebody else may have made it while this waited.
    if let Thumbnail::Made { object, size, wrapped } = rows::thumbnail(&app.db, actor.household, blob).await?
        && broken != Some(&object)
    {
        let key = wrapped.unwrap(&app.key, actor.household, blob, Role::Thumbnail)?;
        return Ok(Some(Kept { object, size, key }));
    }
    let content = blobs::content(&app.blobs.objects, &kept(app, actor.household, blob).await?).await?;
    let made = tokio::task::spawn_blocking(move || thumbnail::make(&content)).await.map_err(Error::internal)?;
    let Ok(small) = made else {
        rows::no_thumbnail(&app.db, actor.household, blob).await?;
        return Ok(None);
    };
    let upload = UploadId::new();
    let (object, key) = (Objects::new_name()?, DataKey::new()?);
    let size = small.jpeg.len() as u64;
    rows::begin(&app.db, actor, upload, &object, app.clock.now().plus_seconds(uploads::WAITS), 0).await?;
    let source = futures_util::stream::iter([Ok::<_, std::convert::Infallible>(Bytes::from(small.jpeg))]);
    app.blobs.objects.take(&object, &key, u64::MAX, source, |_: String| async { Ok(()) }).await?;
    let mut tx = app.db.begin().await?;
    keys::learn_within(&app.key, &mut tx).await?;
    let wrapped = key.wrap(&app.key.current(), actor.household, blob, Role::Thumbnail)?;
    rows::keep_thumbnail(&mut tx, actor, blob, upload, (&object, size, &wrapped), broken).await?;
    tx.commit().await?;
    Ok(Some(Kept { object, size, key }))
}
