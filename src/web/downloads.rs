//! Files on their way out: whole or in part, in the page or to be kept, small pictures, and everything of a record as one
//! ZIP. Who may see the record may have its files, nobody else; what a file says about itself decides nothing.

use std::collections::HashSet;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use tokio::sync::mpsc;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::error::{HtmlError, Plain};
use super::guards::Me;
use super::paths::{Asked, FilePath, RecordPath};
use super::serving::{Wanted, content_range, disposition, unsatisfied, wanted};
use crate::app::App;
use crate::blobs::{self, Kept};
use crate::commands::pictures;
use crate::domain::access::Actor;
use crate::domain::attachment::Attachment;
use crate::domain::ids::RecordId;
use crate::domain::media::is_shown_inline;
use crate::domain::text::{FileName, fold};
use crate::error::{Error, Result};
use crate::store::{attachments, views};

/// What a file may do in a browser: be looked at. Nothing in it runs, loads or is sent, and it is of no origin.
const SANDBOX: &str = "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; \
                       form-action 'none'";

/// The same for a PDF, which some browsers do not show in a sandbox. It is no document that could run script here.
const OF_PDF: &str = "default-src 'none'; style-src 'unsafe-inline'; object-src 'self'; img-src 'self' data: blob:; \
                      frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// Marks an answer whose bytes go out as they are.
#[derive(Clone, Copy, Debug)]
pub(super) struct AsItIs;

/// Whether an answer may be compressed: files are not, so that their length and ranges hold.
pub(super) fn may_be_compressed(_: StatusCode, _: Version, _: &HeaderMap, extensions: &Extensions) -> bool {
    extensions.get::<AsItIs>().is_none()
}

/// `GET /attachments/{attachment}/{file_name}`
pub async fn show(
    State(app): State<App>,
    Me(me): Me,
    FilePath(id): FilePath,
    Asked(asked): Asked,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, HtmlError> {
    let (file, _) = attachments::anywhere(&app.db, &me.actor, id).await?;
    let kept = pictures::kept(&app, me.actor.household, file.blob).await?;
    let inline = is_shown_inline(&file.media_type) && !asked.has("download");
    let policy = if file.media_type == "application/pdf" && inline { OF_PDF } else { SANDBOX };
    let kind = HeaderValue::from_str(&file.media_type).unwrap_or(HeaderValue::from_static("application/octet-stream"));
    let own = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_DISPOSITION, disposition(inline, file.file_name.as_str())),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy)),
    ];
    Ok(send(&app, kept, &file.blob.to_string(), own, &method, &headers).await?)
}

/// `GET /thumbnails/{attachment}`
pub async fn thumbnail(
    State(app): State<App>,
    Me(me): Me,
    FilePath(id): FilePath,
    headers: HeaderMap,
) -> Result<Response, HtmlError> {
    let (file, _) = attachments::anywhere(&app.db, &me.actor, id).await?;
    let etag = format!("\"{}-small\"", file.blob);
    // Whoever has it already is told so, and nothing is read for them. It is small, and goes out whole.
    let asked = wanted(&headers, &etag, 0);
    if asked.is_settled() {
        return Ok(tagged((asked.status(), Plain, ()).into_response(), &etag)?);
    }
    let Some(picture) = pictures::thumbnail(&app, &me.actor, &file).await? else { return Ok(no_picture()) };
    let own = [
        (header::CONTENT_TYPE, HeaderValue::from_static("image/jpeg")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(SANDBOX)),
    ];
    Ok(tagged((own, Body::from(picture)).into_response(), &etag)?)
}

/// What stands in a gallery for a picture of which no small one can be made.
fn no_picture() -> Response {
    const DRAWING: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 160 120\" fill=\"none\" \
                           stroke=\"#7f7361\" stroke-width=\"3\" stroke-linejoin=\"round\"><path fill=\"#ebe3d2\" \
                           stroke=\"none\" d=\"M0 0h160v120H0z\"/><path d=\"M46 34h68v52H46z\"/><circle cx=\"66\" \
                           cy=\"52\" r=\"6\"/><path d=\"m48 80 20-18 14 12 12-10 18 16\"/></svg>";
    let policy = HeaderValue::from_static(SANDBOX);
    (
        [(header::CONTENT_TYPE, HeaderValue::from_static("image/svg+xml")), (header::CONTENT_SECURITY_POLICY, policy)],
        DRAWING,
    )
        .into_response()
}

/// Sends a content as the request wants it; `own` stands on answers that carry it.
async fn send(
    app: &App,
    kept: Kept,
    name: &str,
    own: [(HeaderName, HeaderValue); 3],
    method: &Method,
    headers: &HeaderMap,
) -> Result<Response> {
    let etag = format!("\"{name}\"");
    let size = kept.size;
    let asked = match wanted(headers, &etag, size) {
        other if *method == Method::HEAD => other.of_head(),
        other => other,
    };
    let mut response = match asked {
        Wanted::NotModified | Wanted::FailedPrecondition => (asked.status(), Plain, ()).into_response(),
        Wanted::Unsatisfiable => {
            (asked.status(), [(header::CONTENT_RANGE, unsatisfied(size))], Plain, ()).into_response()
        }
        Wanted::Whole => {
            let mut response = body(app, &kept, 0..size, method).await?.into_response();
            response.headers_mut().insert(header::CONTENT_LENGTH, size.into());
            response
        }
        Wanted::Part { from, until } => {
            let mut response = (asked.status(), body(app, &kept, from..until + 1, method).await?).into_response();
            response.headers_mut().insert(header::CONTENT_LENGTH, (until + 1 - from).into());
            response.headers_mut().insert(header::CONTENT_RANGE, content_range(from, until, size));
            response
        }
    };
    if response.status().is_success() {
        response.headers_mut().extend(own);
    }
    response.headers_mut().insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    tagged(response, &etag)
}

/// An answer that a browser keeps and asks about each time, with its bytes as they are.
fn tagged(mut response: Response, etag: &str) -> Result<Response> {
    let tag = HeaderValue::from_str(etag).map_err(Error::internal)?;
    response.headers_mut().insert(header::ETAG, tag);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    response.extensions_mut().insert(AsItIs);
    Ok(response)
}

async fn body(app: &App, kept: &Kept, range: std::ops::Range<u64>, method: &Method) -> Result<Body> {
    if *method == Method::HEAD {
        return Ok(Body::empty());
    }
    let stream = blobs::stream(&app.blobs.objects, kept, range).await?;
    Ok(Body::from_stream(
        stream.map(|piece| piece.inspect_err(|error| tracing::error!(%error, "a file broke off on its way out"))),
    ))
}

/// `GET /records/{record}/attachments.zip`
pub async fn bundle(State(app): State<App>, Me(me): Me, RecordPath(id): RecordPath) -> Result<Response, HtmlError> {
    let view = views::record(&app.db, &me.actor, id).await?;
    let (sender, receiver) = mpsc::channel::<std::io::Result<Bytes>>(1);
    let name = FileName::of(&format!("{}.zip", view.state.title()));
    let actor = me.actor.clone();
    // Whoever stops the download drops the receiver, and the packing with it.
    tokio::spawn(async move {
        if let Err(error) = pack(&app, &actor, id, &sender).await {
            tracing::error!(%error, "a bundle of files broke off");
            let _ = sender.send(Err(std::io::Error::other("the bundle broke off"))).await;
        }
    });
    let body = futures_util::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|piece| (piece, receiver))
    });
    let own = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/zip")),
        (header::CONTENT_DISPOSITION, disposition(false, name.as_str())),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(SANDBOX)),
    ];
    let mut response = Body::from_stream(body).into_response();
    response.headers_mut().extend(own);
    response.extensions_mut().insert(AsItIs);
    Ok(response)
}

/// Packs a record's present files, latest first, as they are: what is worth compressing is compressed already.
async fn pack(app: &App, actor: &Actor, record: RecordId, sender: &Outgoing) -> Result<()> {
    let full = Full::default();
    let mut zip = ZipWriter::new_stream(full.clone());
    let mut names = HashSet::new();
    let mut before = None;
    loop {
        let (files, more) = attachments::of_record(&app.db, actor, record, before, attachments::PAGE).await?;
        for file in &files {
            let options = SimpleFileOptions::default()
                .compression_method(CompressionMethod::Stored)
                .large_file(file.size >= u64::from(u32::MAX) / 2)
                .last_modified_time(modified(file))
                .unix_permissions(0o644);
            zip.start_file(apart(file, &mut names), options).map_err(Error::internal)?;
            let kept = pictures::kept(app, actor.household, file.blob).await?;
            let mut pieces = Box::pin(blobs::stream(&app.blobs.objects, &kept, 0..kept.size).await?);
            while let Some(piece) = pieces.next().await {
                zip.write_all(&piece?).map_err(Error::internal)?;
                if !full.send(sender).await {
                    return Ok(());
                }
            }
        }
        before = files.last().map(|file| file.position).filter(|_| more);
        if before.is_none() {
            break;
        }
    }
    zip.finish().map_err(Error::internal)?;
    full.send(sender).await;
    Ok(())
}

/// When a file happened, as far as a ZIP can say it: from 1980 on.
fn modified(file: &Attachment) -> zip::DateTime {
    let at = file.occurred.first_moment();
    let year = u16::try_from(at.year()).unwrap_or_default();
    let [month, day, hour, minute] = [at.month(), at.day(), at.hour(), at.minute()].map(|n| n.unsigned_abs());
    zip::DateTime::from_date_and_time(year, month, day, hour, minute, 0).unwrap_or_default()
}

/// A name that no other file of the bundle has.
fn apart(file: &Attachment, names: &mut HashSet<String>) -> String {
    // What some systems do not take in a name.
    let name = FileName::of(&file.file_name.as_str().replace(['<', '>', ':', '"', '|', '?', '*'], "_"));
    let whole = name.as_str();
    let (stem, end) = match name.extension() {
        Some(extension) => whole.split_at(whole.len() - extension.len() - 1),
        None => (whole, ""),
    };
    // At most 255 bytes, with the number.
    let mut short = stem;
    while short.len() + end.len() > 240 {
        short = short.char_indices().next_back().and_then(|(at, _)| short.get(..at)).unwrap_or_default();
    }
    let mut candidates = std::iter::once(whole.to_owned()).chain((2..).map(|n| format!("{short} ({n}){end}")));
    candidates.find(|name| names.insert(fold(name))).unwrap_or_default()
}

/// To whoever downloads a bundle, as fast as they take it.
type Outgoing = mpsc::Sender<std::io::Result<Bytes>>;

/// What the packer has written and nobody has taken yet.
#[derive(Clone, Default)]
struct Full(Arc<Mutex<Vec<u8>>>);

impl Full {
    /// Sends it on; false if nobody takes it any more.
    async fn send(&self, sender: &Outgoing) -> bool {
        let bytes = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        bytes.is_empty() || sender.send(Ok(bytes.into())).await.is_ok()
    }
}

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
