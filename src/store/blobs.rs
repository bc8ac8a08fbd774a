//! Contents and the objects that hold them, uploads that no event mentions yet, and thumbnails. Who may see a content is
//! decided where its attachment is found; here it is known already.

use crate::blobs::{Arrived, Kept, Role, Wrapped};
use crate::domain::access::Actor;
use crate::domain::attachment::{BlobId, NewFile};
use crate::domain::ids::{HouseholdId, UploadId};
use crate::domain::instant::Instant;
use crate::domain::text::FileName;
use crate::error::{Error, Result};
use crate::keys::Keyring;

use super::db::{Db, On, Row, Tx, bad, sql};
use super::ledger;

/// An object that is to be deleted: nobody's any more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Doomed {
    /// The household.
    pub household: HouseholdId,
    /// The upload.
    pub upload: UploadId,
    /// The object's name.
    pub object: String,
    /// The id of its upload in parts, if it has one.
    pub multipart: Option<String>,
}

/// Notes that bytes are about to arrive, before there is an object: at most `reserved`, which count until it is known how
/// many there are.
///
/// # Errors
/// If the database refuses.
pub async fn begin<'a>(
    on: impl Into<On<'a>>,
    actor: &Actor,
    upload: UploadId,
    object: &str,
    expires: Instant,
    reserved: u64,
) -> Result<()> {
    sql("
        insert into upload (household_id, id, member_id, object, expires_at, doomed, size)
        values ($1, $2, $3, $4, $5, false, $6)")
    .bind(actor.household)
    .bind(upload)
    .bind(actor.member)
    .bind(object)
    .bind(expires)
    .bind(signed(reserved)?)
    .run(on)
    .await?;
    Ok(())
}

/// Notes under which id S3 knows the parts of an object, before there is a part. False if the upload was given up.
///
/// # Errors
/// If the database refuses.
pub async fn in_parts(db: &Db, household: HouseholdId, upload: UploadId, multipart: &str) -> Result<bool> {
    let noted = sql("update upload set multipart_id = $3 where household_id = $1 and id = $2 and not doomed")
        .bind(household)
        .bind(upload)
        .bind(multipart)
        .run(db)
        .await?;
    Ok(noted > 0)
}

/// Notes that an upload is still under way.
///
/// # Errors
/// If the database refuses.
pub async fn prolong(db: &Db, household: HouseholdId, upload: UploadId, expires: Instant) -> Result<()> {
    sql("update upload set expires_at = $3 where household_id = $1 and id = $2 and digest is null and not doomed")
        .bind(household)
        .bind(upload)
        .bind(expires)
        .run(db)
        .await?;
    Ok(())
}

/// Notes that the bytes have arrived: from now on the file may be attached, until `expires`. False if the upload was given
/// up meanwhile.
///
/// # Errors
/// If the database refuses.
pub async fn arrived(
    db: &Db,
    actor: &Actor,
    file: &NewFile,
    arrived: &Arrived,
    wrapped: &Wrapped,
    expires: Instant,
) -> Result<bool> {
    let noted = sql("
        update upload
        set digest = $3, size = $4, key_id = $5, wrapped_key = $6, file_name = $7, media_type = $8, expires_at = $9,
            multipart_id = null
        where household_id = $1 and id = $2 and not doomed")
    .bind(actor.household)
    .bind(file.upload)
    .bind(arrived.blob)
    .bind(signed(arrived.size)?)
    .bind(&wrapped.key_id)
    .bind(wrapped.bytes.as_slice())
    .bind(file.file_name.as_str())
    .bind(&file.media_type)
    .bind(expires)
    .run(db)
    .await?;
    Ok(noted > 0)
}

/// A file that arrived earlier and waits to be attached, if it is the member's own.
///
/// # Errors
/// If the database refuses.
pub async fn waiting(db: &Db, actor: &Actor, upload: UploadId, now: Instant) -> Result<Option<NewFile>> {
    let row = sql("
        select digest, size, file_name, media_type from upload
        where household_id = $1 and id = $2 and member_id = $3 and not doomed and digest is not null
          and expires_at > $4")
    .bind(actor.household)
    .bind(upload)
    .bind(actor.member)
    .bind(now)
    .optional(db)
    .await?;
    row.map(|row| {
        Ok(NewFile {
            upload,
            blob: BlobId(row.digest("digest")?),
            file_name: FileName::of(&row.text("file_name")?),
            media_type: row.text("media_type")?,
            size: unsigned(&row, "size")?,
        })
    })
    .transpose()
}

/// Takes an uploaded content for the household, in the transaction of the event that mentions it: its object becomes the
/// content's, unless the household has the content already; then the object is nobody's, and is returned to be deleted.
/// None if there is no such upload any more.
///
/// # Errors
/// If the database refuses.
pub async fn claim(
    tx: &mut Tx,
    actor: &Actor,
    keys: &Keyring,
    file: &NewFile,
    now: Instant,
) -> Result<Option<Option<Doomed>>> {
    let row = sql("
        select object, size, key_id, wrapped_key from upload
        where household_id = $1 and id = $2 and member_id = $3 and digest = $4 and not doomed")
    .bind(actor.household)
    .bind(file.upload)
    .bind(actor.member)
    .bind(file.blob)
    .optional(&mut *tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let object = row.text("object")?;
    let arrived = Wrapped { key_id: row.text("key_id")?, bytes: row.bytes("wrapped_key")? };
    let Some(wrapped) = under_current(tx, actor, keys, file.blob, arrived).await? else { return Ok(None) };
    let fresh = sql("
        insert into blob (household_id, digest, size, object, key_id, wrapped_key, created_at)
        values ($1, $2, $3, $4, $5, $6, $7)
        on conflict (household_id, digest) do nothing")
    .bind(actor.household)
    .bind(file.blob)
    .bind(row.int("size")?)
    .bind(&object)
    .bind(&wrapped.key_id)
    .bind(wrapped.bytes.as_slice())
    .bind(now)
    .run(&mut *tx)
    .await?;
    // Whoever sweeps meanwhile changes this row first, or waits for it.
    let taken = match fresh {
        0 => "update upload set doomed = true where household_id = $1 and id = $2 and not doomed",
        _ => "delete from upload where household_id = $1 and id = $2 and not doomed",
    };
    if sql(taken).bind(actor.household).bind(file.upload).run(&mut *tx).await? == 0 {
        return Ok(None);
    }
    let spare = Doomed { household: actor.household, upload: file.upload, object, multipart: None };
    Ok(Some((fresh == 0).then_some(spare)))
}

/// Gives a content whose object is lost or broken the one of an upload that waits, and the upload the lost one in return: so
/// whoever attaches it deletes what there is of that. False if either has changed meanwhile.
///
/// # Errors
/// If the database refuses.
pub async fn heal(db: &Db, actor: &Actor, keys: &Keyring, file: &NewFile, lost: &str) -> Result<bool> {
    let mut tx = db.begin().await?;
    ledger::hold(&mut tx, actor.household).await?;
    let sound = sql("
        select object, key_id, wrapped_key from upload
        where household_id = $1 and id = $2 and digest = $3 and not doomed")
    .bind(actor.household)
    .bind(file.upload)
    .bind(file.blob)
    .optional(&mut tx)
    .await?;
    let Some(sound) = sound else { return Ok(false) };
    let object = sound.text("object")?;
    let wrapped = Wrapped { key_id: sound.text("key_id")?, bytes: sound.bytes("wrapped_key")? };
    let Some(wrapped) = under_current(&mut tx, actor, keys, file.blob, wrapped).await? else { return Ok(false) };
    // Whoever sweeps meanwhile changes this row first, or waits for it.
    let given = sql("update upload set object = $4 where household_id = $1 and id = $2 and object = $3 and not doomed")
        .bind(actor.household)
        .bind(file.upload)
        .bind(&object)
        .bind(lost)
        .run(&mut tx)
        .await?;
    let taken = sql("
        update blob set object = $4, key_id = $5, wrapped_key = $6
        where household_id = $1 and digest = $2 and object = $3")
    .bind(actor.household)
    .bind(file.blob)
    .bind(lost)
    .bind(&object)
    .bind(&wrapped.key_id)
    .bind(wrapped.bytes.as_slice())
    .run(&mut tx)
    .await?;
    if (given, taken) != (1, 1) {
        return Ok(false);
    }
    tx.commit().await?;
    Ok(true)
}

/// A wrapped key as the installation's own master key wraps it: that may have changed since the bytes arrived. None if the
/// key under which they arrived is not here any more.
async fn under_current(
    tx: &mut Tx,
    actor: &Actor,
    keys: &Keyring,
    blob: BlobId,
    wrapped: Wrapped,
) -> Result<Option<Wrapped>> {
    match crate::keys::learn_within(keys, tx).await? {
        Some(own) if own != wrapped.key_id => {
            let Ok(key) = wrapped.unwrap(keys, actor.household, blob, Role::Content) else { return Ok(None) };
            Ok(Some(key.wrap(&keys.current(), actor.household, blob, Role::Content)?))
        }
        Some(_) => Ok(Some(wrapped)),
        // Another key than those at hand is the installation's own: nothing may be kept under an older one.
        None => Err(Error::Unavailable(
            "The master key was changed, and this server does not know the new one yet. Try again in a minute."
                .to_owned(),
        )),
    }
}

/// Gives an upload up, whoever began it: nobody may attach it any more. None if it is not there.
///
/// # Errors
/// If the database refuses.
pub async fn doom(db: &Db, household: HouseholdId, upload: UploadId) -> Result<Option<Doomed>> {
    let row = sql("
        update upload set doomed = true where household_id = $1 and id = $2
        returning household_id, id, object, multipart_id")
    .bind(household)
    .bind(upload)
    .optional(On::Writing(db))
    .await?;
    row.as_ref().map(doomed).transpose()
}

/// Gives up a file that waits, if it is the member's own.
///
/// # Errors
/// If the database refuses.
pub async fn doom_own(db: &Db, actor: &Actor, upload: UploadId) -> Result<Option<Doomed>> {
    let row = sql("
        update upload set doomed = true where household_id = $1 and id = $2 and member_id = $3
        returning household_id, id, object, multipart_id")
    .bind(actor.household)
    .bind(upload)
    .bind(actor.member)
    .optional(On::Writing(db))
    .await?;
    row.as_ref().map(doomed).transpose()
}

/// Gives up every upload that has expired, and names all that are given up and still there, at most `limit`.
///
/// # Errors
/// If the database refuses.
pub async fn expired(db: &Db, now: Instant, limit: i64) -> Result<Vec<Doomed>> {
    sql("update upload set doomed = true where expires_at <= $1 and not doomed").bind(now).run(db).await?;
    let rows = sql("
        select household_id, id, object, multipart_id from upload where doomed order by expires_at, id limit $1")
    .bind(limit)
    .all(db)
    .await?;
    rows.iter().map(doomed).collect()
}

/// Forgets an upload whose object is gone.
///
/// # Errors
/// If the database refuses.
pub async fn forget(db: &Db, gone: &Doomed) -> Result<()> {
    sql("delete from upload where household_id = $1 and id = $2 and doomed")
        .bind(gone.household)
        .bind(gone.upload)
        .run(db)
        .await?;
    Ok(())
}

fn doomed(row: &Row) -> Result<Doomed> {
    Ok(Doomed {
        household: HouseholdId(row.uuid("household_id")?),
        upload: UploadId(row.uuid("id")?),
        object: row.text("object")?,
        multipart: row.opt_text("multipart_id")?,
    })
}

/// How much a household keeps, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Used {
    /// Contents.
    pub kept: u64,
    /// What waits to be attached.
    pub waiting: u64,
}

/// How much a household keeps.
///
/// # Errors
/// If the database refuses.
pub async fn used<'a>(on: impl Into<On<'a>>, household: HouseholdId, now: Instant) -> Result<Used> {
    let row = sql("
        select (select coalesce(cast(sum(size) as bigint), 0) from blob where household_id = $1) as kept,
               (select coalesce(cast(sum(size) as bigint), 0) from upload
                where household_id = $1 and not doomed and expires_at > $2) as waiting")
    .bind(household)
    .bind(now)
    .one(on)
    .await?;
    Ok(Used { kept: unsigned(&row, "kept")?, waiting: unsigned(&row, "waiting")? })
}

/// The uploads of a member that wait with the same name and content as another one, and expire before an instant.
///
/// # Errors
/// If the database refuses.
pub async fn waiting_like(db: &Db, actor: &Actor, file: &NewFile, before: Instant) -> Result<Vec<UploadId>> {
    let rows = sql("
        select id from upload
        where household_id = $1 and member_id = $2 and digest = $3 and file_name = $4 and id <> $5 and not doomed
          and expires_at < $6")
    .bind(actor.household)
    .bind(actor.member)
    .bind(file.blob)
    .bind(file.file_name.as_str())
    .bind(file.upload)
    .bind(before)
    .all(db)
    .await?;
    rows.iter().map(|row| Ok(UploadId(row.uuid("id")?))).collect()
}

/// A content's row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Blob {
    /// The household.
    pub household: HouseholdId,
    /// The content.
    pub id: BlobId,
    /// Its plain bytes.
    pub size: u64,
    /// The object that holds it.
    pub object: String,
    /// Its key, wrapped.
    pub wrapped: Wrapped,
    /// When it was first mentioned.
    pub created_at: Instant,
}

const COLUMNS: &str = "household_id, digest, size, object, key_id, wrapped_key, created_at";

fn read(row: &Row) -> Result<Blob> {
    Ok(Blob {
        household: HouseholdId(row.uuid("household_id")?),
        id: BlobId(row.digest("digest")?),
        size: unsigned(row, "size")?,
        object: row.text("object")?,
        wrapped: Wrapped { key_id: row.text("key_id")?, bytes: row.bytes("wrapped_key")? },
        created_at: row.instant("created_at")?,
    })
}

impl Blob {
    /// What the store needs to open it.
    ///
    /// # Errors
    /// If its key cannot be unwrapped.
    pub fn kept(&self, keys: &Keyring) -> Result<Kept> {
        let key = self.wrapped.unwrap(keys, self.household, self.id, Role::Content)?;
        Ok(Kept { object: self.object.clone(), size: self.size, key })
    }
}

/// A household's content.
///
/// # Errors
/// [`Error::NotFound`] if it has none like that.
pub async fn blob<'a>(on: impl Into<On<'a>>, household: HouseholdId, id: BlobId) -> Result<Blob> {
    let row = sql(format!("select {COLUMNS} from blob where household_id = $1 and digest = $2"))
        .bind(household)
        .bind(id)
        .optional(on)
        .await?;
    read(&row.ok_or(Error::NotFound)?)
}

/// A household's contents in order of their digests, after one, at most `limit`.
///
/// # Errors
/// If the database refuses.
pub async fn blobs<'a>(
    on: impl Into<On<'a>>,
    household: HouseholdId,
    after: Option<BlobId>,
    limit: i64,
) -> Result<Vec<Blob>> {
    let rows =
        sql(format!("select {COLUMNS} from blob where household_id = $1 and digest > $2 order by digest limit $3"))
            .bind(household)
            .bind(after.map_or_else(Vec::new, |after| after.0.to_vec()))
            .bind(limit)
            .all(on)
            .await?;
    rows.iter().map(read).collect()
}

/// Writes a content's row as it is, for a restore.
///
/// # Errors
/// If the database refuses.
pub async fn put(tx: &mut Tx, blob: &Blob) -> Result<()> {
    sql(format!("insert into blob ({COLUMNS}) values ($1, $2, $3, $4, $5, $6, $7)"))
        .bind(blob.household)
        .bind(blob.id)
        .bind(signed(blob.size)?)
        .bind(&blob.object)
        .bind(&blob.wrapped.key_id)
        .bind(blob.wrapped.bytes.as_slice())
        .bind(blob.created_at)
        .later(tx)
        .await?;
    Ok(())
}

/// How many contents there are, and their plain bytes, in all households.
///
/// # Errors
/// If the database refuses.
pub async fn in_all<'a>(on: impl Into<On<'a>>) -> Result<(u64, u64)> {
    let row =
        sql("select count(*) as blobs, coalesce(cast(sum(size) as bigint), 0) as bytes from blob").one(on).await?;
    Ok((unsigned(&row, "blobs")?, unsigned(&row, "bytes")?))
}

/// The contents that a household's files mention and that it does not have, at most ten; each with the name of such a file.
///
/// # Errors
/// If the database refuses.
pub async fn missing<'a>(on: impl Into<On<'a>>, household: HouseholdId) -> Result<Vec<(BlobId, String)>> {
    let rows = sql("
        select a.blob, a.file_name from attachment as a
        where a.household_id = $1
          and not exists (select 1 from blob as b where b.household_id = $1 and b.digest = a.blob)
        order by a.position
        limit 10")
    .bind(household)
    .all(on)
    .await?;
    rows.iter().map(|row| Ok((BlobId(row.digest("blob")?), row.text("file_name")?))).collect()
}

/// A content's thumbnail, if it was looked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Thumbnail {
    /// Nobody has asked for it yet.
    Unknown,
    /// None can be made.
    None,
    /// It is there.
    Made {
        /// The object that holds it.
        object: String,
        /// Its plain bytes.
        size: u64,
        /// Its key, wrapped.
        wrapped: Wrapped,
    },
}

/// A content's thumbnail.
///
/// # Errors
/// If the database refuses.
pub async fn thumbnail(db: &Db, household: HouseholdId, id: BlobId) -> Result<Thumbnail> {
    let row = sql("
        select object, size, key_id, wrapped_key from thumbnail where household_id = $1 and digest = $2")
    .bind(household)
    .bind(id)
    .optional(db)
    .await?;
    let Some(row) = row else { return Ok(Thumbnail::Unknown) };
    let Some(object) = row.opt_text("object")? else { return Ok(Thumbnail::None) };
    let wrapped = Wrapped { key_id: row.text("key_id")?, bytes: row.bytes("wrapped_key")? };
    Ok(Thumbnail::Made { object, size: unsigned(&row, "size")?, wrapped })
}

/// Keeps that no thumbnail of a content can be made.
///
/// # Errors
/// If the database refuses.
pub async fn no_thumbnail(db: &Db, household: HouseholdId, id: BlobId) -> Result<()> {
    sql("insert into thumbnail (household_id, digest) values ($1, $2) on conflict (household_id, digest) do nothing")
        .bind(household)
        .bind(id)
        .run(db)
        .await?;
    Ok(())
}

/// Keeps a thumbnail whose object came with an upload, in place of one that is lost or broken, unless somebody else kept
/// another one meanwhile. The object that is not needed any more is nobody's from now on.
///
/// # Errors
/// If the database refuses.
pub async fn keep_thumbnail(
    tx: &mut Tx,
    actor: &Actor,
    id: BlobId,
    upload: UploadId,
    made: (&str, u64, &Wrapped),
    instead_of: Option<&str>,
) -> Result<()> {
    let (object, size, wrapped) = made;
    let kept = sql("
        insert into thumbnail (household_id, digest, object, size, key_id, wrapped_key)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (household_id, digest)
        do update set object = excluded.object, size = excluded.size, key_id = excluded.key_id,
                      wrapped_key = excluded.wrapped_key
        where thumbnail.object = $7 or thumbnail.object is null")
    .bind(actor.household)
    .bind(id)
    .bind(object)
    .bind(signed(size)?)
    .bind(&wrapped.key_id)
    .bind(wrapped.bytes.as_slice())
    .bind(instead_of)
    .run(&mut *tx)
    .await?
        > 0;
    // The row goes on for the object that is not needed: this one, or the one whose place it took.
    let unneeded = if kept { instead_of } else { Some(object) };
    let after = match unneeded {
        Some(_) => "update upload set doomed = true, object = $3 where household_id = $1 and id = $2",
        None => "delete from upload where household_id = $1 and id = $2",
    };
    sql(after).bind(actor.household).bind(upload).bind_all(unneeded).run(&mut *tx).await?;
    Ok(())
}

/// Which table keeps a wrapped key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shelf {
    /// Contents.
    Blobs,
    /// Thumbnails.
    Thumbnails,
    /// Uploads that wait.
    Uploads,
}

impl Shelf {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Blobs, Self::Thumbnails, Self::Uploads];

    fn table(self) -> &'static str {
        match self {
            Self::Blobs => "blob",
            Self::Thumbnails => "thumbnail",
            Self::Uploads => "upload",
        }
    }

    /// What the keys on it are for.
    pub fn role(self) -> Role {
        match self {
            Self::Blobs | Self::Uploads => Role::Content,
            Self::Thumbnails => Role::Thumbnail,
        }
    }
}

/// A household's keys on a shelf that are not wrapped under the master key of that id, those after a content's, at most
/// `limit`.
///
/// # Errors
/// If the database refuses.
pub async fn under_others(
    tx: &mut Tx,
    shelf: Shelf,
    household: HouseholdId,
    key_id: &str,
    after: Option<BlobId>,
    limit: i64,
) -> Result<Vec<(BlobId, Wrapped)>> {
    let rows = sql(format!(
        "select digest, key_id, wrapped_key from {}
         where household_id = $1 and key_id <> $2 and digest > $3
         order by digest
         limit $4",
        shelf.table()
    ))
    .bind(household)
    .bind(key_id)
    .bind(after.as_ref().map_or(&[][..], |after| &after.0))
    .bind(limit)
    .all(&mut *tx)
    .await?;
    rows.iter()
        .map(|row| {
            let wrapped = Wrapped { key_id: row.text("key_id")?, bytes: row.bytes("wrapped_key")? };
            Ok((BlobId(row.digest("digest")?), wrapped))
        })
        .collect()
}

/// Puts another wrapping of the same key in place of one.
///
/// # Errors
/// If the database refuses.
pub async fn rewrap(
    tx: &mut Tx,
    shelf: Shelf,
    household: HouseholdId,
    id: BlobId,
    before: &Wrapped,
    after: &Wrapped,
) -> Result<()> {
    sql(format!(
        "update {} set key_id = $4, wrapped_key = $5 where household_id = $1 and digest = $2 and wrapped_key = $3",
        shelf.table()
    ))
    .bind(household)
    .bind(id)
    .bind(before.bytes.as_slice())
    .bind(&after.key_id)
    .bind(after.bytes.as_slice())
    .run(&mut *tx)
    .await?;
    Ok(())
}

/// Gives up uploads that wait and whose key nobody can unwrap.
///
/// # Errors
/// If the database refuses.
pub async fn let_go(tx: &mut Tx, household: HouseholdId, id: BlobId, wrapped: &Wrapped) -> Result<()> {
    sql("
        update upload set doomed = true, key_id = null
        where household_id = $1 and digest = $2 and wrapped_key = $3")
    .bind(household)
    .bind(id)
    .bind(wrapped.bytes.as_slice())
    .run(&mut *tx)
    .await?;
    Ok(())
}

/// How many keys are wrapped under which master key.
///
/// # Errors
/// If the database refuses.
pub async fn keys_in_use(db: &Db) -> Result<Vec<(String, i64)>> {
    let rows = sql("
        select key_id, count(*) as keys from (
            select key_id from blob
            union all select key_id from thumbnail where key_id is not null
            union all select key_id from upload where key_id is not null
        ) as k
        group by key_id
        order by key_id")
    .all(db)
    .await?;
    rows.iter().map(|row| Ok((row.text("key_id")?, row.int("keys")?))).collect()
}

fn unsigned(row: &Row, column: &str) -> Result<u64> {
    u64::try_from(row.int(column)?).map_err(|_| bad(column, "it is negative").into())
}

fn signed(bytes: u64) -> Result<i64> {
    i64::try_from(bytes).map_err(Error::internal)
}
