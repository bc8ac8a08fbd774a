//! Forms that bring files. The texts are read first and kept; each file goes, as it arrives, sealed into the store and
//! waits there: whatever is wrong with the form, no file has to be chosen twice.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{BodyDataStream, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use futures_util::Stream;
use multer::{Field, Multipart};

use super::forms::{self, Errors, LARGEST_FORM, MOST_PAIRS, RawForm, ShownAgain};
use super::weighing::Room;
use crate::app::App;
use crate::blobs::Failed;
use crate::commands::files::NewFiles;
use crate::commands::{door, uploads};
use crate::domain::access::Actor;
use crate::domain::attachment::{Label, NewFile};
use crate::domain::ids::UploadId;
use crate::domain::media::{size_words, words};
use crate::error::Error;
use crate::store::{attachments, blobs};

/// The most files that one form may bring.
pub const MOST_FILES: usize = 30;

/// The name of the file inputs, and the id of the first.
pub const FILES: &str = "files";

/// The name of the field that says which files of an earlier try are kept.
pub const KEPT: &str = "kept";

/// How much is read of a body before somebody else has a turn, in bytes.
const TURN: u64 = 32 * 1024;

/// How much the parser may look ahead for the beginning of a part, in bytes.
const AHEAD: u64 = 256 * 1024;

/// The most texts that are taken after the first file, in bytes.
const LATE_TEXTS: usize = 64 * 1024;

/// How long the texts of a form may take to arrive.
const TEXTS_WITHIN: Duration = Duration::from_secs(60);

/// A request whose body is a form, perhaps with files. Nothing of it is read before its handler knows that the member may
/// do what it asks.
#[derive(Debug)]
pub struct Incoming(Request);

impl<S: Send + Sync> FromRequest<S> for Incoming {
    type Rejection = std::convert::Infallible;

    async fn from_request(request: Request, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(request))
    }
}

/// A form as it arrived, with its files.
#[derive(Debug)]
pub struct Received {
    /// What was typed.
    pub form: RawForm,
    /// The files that are here, those of an earlier try first.
    pub files: Vec<NewFile>,
    /// What was wrong with a file: the status and the sentence.
    trouble: Option<(StatusCode, String)>,
}

impl Received {
    /// What was wrong with the form as a whole, and with its files.
    pub fn errors(&self) -> Errors {
        let mut errors = Errors::of_form(&self.form);
        if let Some((status, sentence)) = &self.trouble {
            errors.refuse(*status, FILES, sentence.clone());
        }
        errors
    }

    /// The files with the label that was chosen for them.
    pub fn new_files(&self, errors: &mut Errors) -> Option<NewFiles> {
        let label = errors.take("label", self.form.get("label").parse_some(|text| text.parse::<Label>()))?;
        Some(NewFiles { files: self.files.clone(), label })
    }

    /// What the form shows of its files when it is shown again.
    pub fn view(&self, app: &App) -> FilesView {
        let kept = self.files.iter().map(|file| KeptFile {
            upload: file.upload,
            name: file.file_name.to_string(),
            words: format!("{}, {}", words(&file.media_type, file.file_name.as_str()), size_words(file.size)),
        });
        FilesView { kept: kept.collect(), label: self.form.text("label"), ..FilesView::new(app) }
    }
}

/// The part of a form that takes files, as it is shown.
#[derive(Clone, Debug, Default)]
pub struct FilesView {
    /// Files that are here already.
    pub kept: Vec<KeptFile>,
    /// The label that was chosen.
    pub label: String,
    /// The labels: value and words.
    pub labels: Vec<(&'static str, &'static str)>,
    /// How large a file may be.
    pub largest: String,
    /// Whether a file must be chosen.
    pub required: bool,
    /// Whether it is one file.
    pub single: bool,
}

/// A file that arrived with an earlier try.
#[derive(Clone, Debug)]
pub struct KeptFile {
    /// The upload.
    pub upload: UploadId,
    /// What it is called.
    pub name: String,
    /// Its type and size.
    pub words: String,
}

impl FilesView {
    /// Without any files yet.
    pub fn new(app: &App) -> Self {
        Self { labels: Label::choices(), largest: size_words(app.settings.file_limit), ..Self::default() }
    }
}

/// Whether a request brings a form in parts.
pub fn is_multipart(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("multipart/form-data")
}

impl Incoming {
    /// Reads the form; its files go into the store.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn receive(self, app: &App, actor: &Actor) -> Result<Received, Error> {
        let room = self.0.extensions().get::<Room>().cloned();
        if !is_multipart(self.0.headers()) {
            let shown_again = self.0.extensions().get::<ShownAgain>().is_some();
            let form = RawForm::receive(self.0, LARGEST_FORM).await.shown_again(shown_again);
            return with_kept(app, actor, form, Vec::new(), None).await;
        }
        let length = self.0.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let length = length.unwrap_or(u64::MAX);
        let Some(parts) = Parts::of(self.0) else {
            let trouble = Some((StatusCode::BAD_REQUEST, forms::BROKE_OFF));
            return with_kept(app, actor, RawForm::of(Vec::new(), trouble, false), Vec::new(), None).await;
        };
        read(app, actor, parts, room, length).await
    }
}

/// The texts of a form in parts whose sender may not send it: the files are left where they are.
pub(super) async fn texts_alone(request: Request, most: usize) -> RawForm {
    let Some(mut parts) = Parts::of(request) else {
        return RawForm::of(Vec::new(), Some((StatusCode::BAD_REQUEST, forms::BROKE_OFF)), false);
    };
    let mut texts = Texts { pairs: Vec::new(), left: most };
    let read = tokio::time::timeout(TEXTS_WITHIN, async {
        while let Some(field) = parts.next().await? {
            match field.file_name() {
                // Nothing was chosen here; perhaps at the next one.
                Some("") => {}
                // Whoever chose files is told to choose them again.
                Some(_) => {
                    texts.pairs.push((forms::LOST_FILES.to_owned(), b"yes".to_vec()));
                    break;
                }
                None => texts.read(&mut parts, field).await?,
            }
        }
        Ok::<_, Trouble>(())
    });
    let trouble = match read.await {
        Ok(Ok(())) => None,
        Ok(Err(trouble)) => Some(trouble.of_form()),
        Err(_) => Some(Trouble::BrokeOff.of_form()),
    };
    RawForm::of(texts.pairs, trouble, false)
}

async fn read(app: &App, actor: &Actor, mut parts: Parts, room: Option<Room>, length: u64) -> Result<Received, Error> {
    let mut texts = Texts { pairs: Vec::new(), left: LARGEST_FORM };
    let mut files = Files {
        app,
        actor,
        here: Vec::new(),
        kept: 0,
        left: app.settings.form_limit,
        quota: None,
        waiting: 0,
        empty: 0,
        length,
    };
    let mut whole = None;
    let mut of_files = None;
    let mut so_far = None;
    let until = tokio::time::Instant::now() + TEXTS_WITHIN;
    loop {
        let next = match files.here.is_empty() {
            true => tokio::time::timeout_at(until, parts.next()).await,
            false => tokio::time::timeout(TEXTS_WITHIN, parts.next()).await,
        };
        let field = match next.unwrap_or(Err(Trouble::TooSlow)) {
            Ok(Some(field)) => field,
            Ok(None) => break,
            Err(trouble) => {
                whole = Some(trouble.of_form());
                break;
            }
        };
        let left_before = texts.left;
        if field.file_name().is_none() {
            let by = if files.here.is_empty() { until } else { tokio::time::Instant::now() + TEXTS_WITHIN };
            let reading = tokio::time::timeout_at(by, texts.read(&mut parts, field));
            if let Err(trouble) = reading.await.unwrap_or(Err(Trouble::TooSlow)) {
                whole = Some(trouble.of_form());
                break;
            }
            continue;
        }
        // Texts stand before files. What comes after them is short, or is refused.
        texts.left = texts.left.min(LATE_TEXTS);
        files.kept = texts.pairs.iter().filter(|(name, _)| name == KEPT).count();
        if let Some(room) = &room {
            room.shrink(so_far.get_or_insert(LARGEST_FORM - left_before).saturating_add(LATE_TEXTS));
        }
        match files.take(&mut parts, field).await {
            Ok(()) => {}
            Err(Refused::Said(status, sentence)) => {
                // What stands behind it is not read any more.
                let also = " If you chose more files after it, choose those again too.";
                of_files = Some((status, if files.is_full() { sentence } else { sentence + also }));
                break;
            }
            Err(Refused::Inside(error)) => return Err(error),
        }
    }
    let here = files.here;
    with_kept(app, actor, RawForm::of(texts.pairs, whole, false), here, of_files).await
}

/// Adds the files of an earlier try that the form keeps. The others that it knows of are given up.
async fn with_kept(
    app: &App,
    actor: &Actor,
    form: RawForm,
    fresh: Vec<NewFile>,
    mut trouble: Option<(StatusCode, String)>,
) -> Result<Received, Error> {
    let ids = |name: &str| -> Vec<UploadId> {
        let mut ids: Vec<UploadId> =
            form.all(name).filter_map(|typed| typed.text.parse().ok()).take(MOST_FILES).collect();
        ids.dedup();
        ids
    };
    let kept = ids(KEPT);
    let mut files: Vec<NewFile> = Vec::new();
    let mut added = None;
    for id in kept.iter().copied() {
        match uploads::waiting(app, actor, id).await? {
            Some(file) if !files.iter().any(|known| known.upload == file.upload) => files.push(file),
            Some(_) => {}
            None => {
                // The same form may have been sent before, and its files be the record's by now: they are said once more, so
                // that the form is known again, and answered as the first time.
                if added.is_none() {
                    added = Some(match form.text("submission").parse() {
                        Ok(key) => attachments::of_submission(&app.db, actor, key).await?,
                        Err(_) => Vec::new(),
                    });
                }
                match added.as_ref().and_then(|added| added.get(files.len())) {
                    Some(file) => files.push(NewFile { upload: id, ..file.clone() }),
                    None => {
                        trouble.get_or_insert_with(|| (StatusCode::UNPROCESSABLE_ENTITY, GONE.to_owned()));
                    }
                }
            }
        }
    }
    for id in ids("known").into_iter().filter(|id| !kept.contains(id) && !form.is_shown_again()) {
        uploads::give_up(app, actor, id).await?;
    }
    files.extend(fresh);
    Ok(Received { form, files, trouble })
}

const GONE: &str = "A file of your earlier try is not here any more: files wait for a day only. Choose it again.";

/// What was wrong while a form was read.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    TooLong,
    TooMany,
    BrokeOff,
    TooSlow,
}

impl Trouble {
    fn of_form(self) -> (StatusCode, &'static str) {
        match self {
            Self::TooLong => (StatusCode::PAYLOAD_TOO_LARGE, forms::TOO_LONG),
            Self::TooMany => (StatusCode::BAD_REQUEST, "This form has more answers than it has questions."),
            Self::BrokeOff => (StatusCode::BAD_REQUEST, forms::BROKE_OFF),
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, "The form arrived too slowly. Send it again."),
        }
    }
}

/// The texts of a form, bounded.
struct Texts {
    pairs: Vec<(String, Vec<u8>)>,
    left: usize,
}

impl Texts {
    async fn read(&mut self, parts: &mut Parts, mut field: Field<'static>) -> Result<(), Trouble> {
        if self.pairs.len() == MOST_PAIRS {
            return Err(Trouble::TooMany);
        }
        let name = field.name().unwrap_or_default().to_owned();
        self.left = self.left.checked_sub(name.len()).ok_or(Trouble::TooLong)?;
        let mut value = Vec::new();
        loop {
            parts.allow(AHEAD);
            let Some(bytes) = field.chunk().await.map_err(|_| Trouble::BrokeOff)? else { break };
            self.left = self.left.checked_sub(bytes.len()).ok_or(Trouble::TooLong)?;
            value.extend_from_slice(&bytes);
        }
        self.pairs.push((name, value));
        Ok(())
    }
}

/// Why no more files are read.
enum Refused {
    Said(StatusCode, String),
    Inside(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        match error {
            Error::Unavailable(sentence) => Self::Said(StatusCode::SERVICE_UNAVAILABLE, sentence),
            other => Self::Inside(other),
        }
    }
}

/// The files of a form.
struct Files<'a> {
    app: &'a App,
    actor: &'a Actor,
    here: Vec<NewFile>,
    /// How many of an earlier try the form keeps.
    kept: usize,
    /// How many more bytes the form may bring.
    left: u64,
    /// How many more bytes the household may keep.
    quota: Option<u64>,
    /// How many bytes wait in forms that were not finished.
    waiting: u64,
    /// How many file inputs came without a file.
    empty: usize,
    /// How long the whole request said it is.
    length: u64,
}

impl Files<'_> {
    async fn take(&mut self, parts: &mut Parts, mut field: Field<'static>) -> Result<(), Refused> {
        let name = field.file_name().unwrap_or_default().replace("%22", "\"");
        parts.allow(AHEAD);
        let first =
            tokio::time::timeout(TEXTS_WITHIN, field.chunk()).await.map_err(|_| Self::said(&Failed::TooSlow))?;
        let first = first.map_err(|_| Self::said(&Failed::BrokeOff))?;
        if name.is_empty() && first.as_ref().is_none_or(Bytes::is_empty) {
            // Nothing was chosen; a form has a few such inputs.
            self.empty += 1;
            return match self.empty {
                0..=MOST_FILES => Ok(()),
                _ => Err(Self::said(&Failed::BrokeOff)),
            };
        }
        if self.is_full() {
            let sentence =
                format!("A form takes {MOST_FILES} files at once, and so many are here. Send the others after them.");
            return Err(Refused::Said(StatusCode::UNPROCESSABLE_ENTITY, sentence));
        }
        self.look_for_room().await?;
        // What says that it is too much is not taken in to see whether it is.
        let allowed = self.left.min(self.quota.unwrap_or(u64::MAX));
        if self.length < u64::MAX && self.length > allowed.saturating_add(LARGEST_FORM as u64) {
            return Err(Refused::Said(StatusCode::PAYLOAD_TOO_LARGE, self.too_large(&name)));
        }
        // A place for this file alone: nobody holds one who sends nothing.
        let _place = self.app.blobs.places.take(self.actor.household).await?;
        let most = self.app.settings.file_limit.min(self.left).min(self.quota.unwrap_or(u64::MAX)).min(self.length);
        let source = Content { first, field, parts: parts.clone_allowance() };
        let taken = uploads::take(self.app, self.actor, &name, most, Box::pin(source.stream())).await;
        match taken {
            Ok(file) => {
                self.left -= file.size;
                self.here.push(file);
                Ok(())
            }
            Err(Failed::TooLarge) => Err(Refused::Said(StatusCode::PAYLOAD_TOO_LARGE, self.too_large(&name))),
            Err(Failed::Inside(error)) => Err(error.into()),
            Err(Failed::Store(error)) => {
                tracing::error!(%error, "the store takes no files");
                Err(Refused::Said(StatusCode::SERVICE_UNAVAILABLE, uploads::failed_words().to_owned()))
            }
            Err(failed) => Err(Self::said(&failed)),
        }
    }

    fn is_full(&self) -> bool {
        self.kept + self.here.len() >= MOST_FILES
    }

    /// Looks how much room there is.
    async fn look_for_room(&mut self) -> Result<(), Refused> {
        if let Some(quota) = self.app.settings.quota {
            let used = blobs::used(&self.app.db, self.actor.household, self.app.clock.now()).await?;
            self.quota = Some(quota.saturating_sub(used.kept + used.waiting));
            self.waiting = used.waiting;
        }
        Ok(())
    }

    fn too_large(&self, name: &str) -> String {
        let settings = &self.app.settings;
        let name = crate::domain::text::FileName::of(name);
        match (self.quota, settings.quota) {
            (Some(left), Some(quota)) if left < settings.file_limit.min(self.left) => {
                door::no_room(quota, self.waiting)
            }
            _ if self.left < settings.file_limit => format!(
                "\u{201c}{name}\u{201d} is too much: a form takes {} of files in all. Send it by itself.",
                size_words(settings.form_limit)
            ),
            _ => format!(
                "\u{201c}{name}\u{201d} is too large: a file may have {}. Choose a smaller one.",
                size_words(settings.file_limit)
            ),
        }
    }

    fn said(failed: &Failed) -> Refused {
        match failed {
            Failed::TooSlow => Refused::Said(
                StatusCode::REQUEST_TIMEOUT,
                "The file arrived too slowly, and was given up. Send it again over a faster connection.".to_owned(),
            ),
            _ => Refused::Said(
                StatusCode::BAD_REQUEST,
                "The file broke off before it was here. Send it again.".to_owned(),
            ),
        }
    }
}

/// A file's bytes as the parser finds them.
struct Content {
    first: Option<Bytes>,
    field: Field<'static>,
    parts: Allowance,
}

impl Content {
    fn stream(self) -> impl Stream<Item = Result<Bytes, multer::Error>> + Send {
        futures_util::stream::try_unfold(self, |mut content| async move {
            if let Some(first) = content.first.take() {
                return Ok(Some((first, content)));
            }
            content.parts.allow(AHEAD);
            Ok(content.field.chunk().await?.map(|bytes| (bytes, content)))
        })
    }
}

/// A body in parts.
struct Parts {
    multipart: Multipart<'static>,
    allowance: Allowance,
}

impl Parts {
    fn of(request: Request) -> Option<Self> {
        let kind = request.headers().get(CONTENT_TYPE)?.to_str().ok()?;
        let boundary = multer::parse_boundary(kind).ok()?;
        let allowance = Allowance(Arc::new(AtomicU64::new(0)));
        let body = Paced { body: request.into_body().into_data_stream(), turn: 0, allowance: allowance.clone() };
        Some(Self { multipart: Multipart::new(body, boundary), allowance })
    }

    async fn next(&mut self) -> Result<Option<Field<'static>>, Trouble> {
        self.allow(AHEAD);
        self.multipart.next_field().await.map_err(|_| Trouble::BrokeOff)
    }

    fn allow(&self, bytes: u64) {
        self.allowance.allow(bytes);
    }

    fn clone_allowance(&self) -> Allowance {
        self.allowance.clone()
    }
}

/// How much may be read until somebody has looked at it: whatever is sent, the parser keeps no more than this.
#[derive(Clone)]
struct Allowance(Arc<AtomicU64>);

impl Allowance {
    fn allow(&self, bytes: u64) {
        self.0.store(bytes, Ordering::Relaxed);
    }
}

/// A body that pauses now and then. The parser takes in whatever is there before it hands anything on, which of a fast
/// sender's file would be all of it.
struct Paced {
    body: BodyDataStream,
    turn: u64,
    allowance: Allowance,
}

impl Stream for Paced {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.turn >= TURN {
            self.turn = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let next = Pin::new(&mut self.body).poll_next(context);
        match &next {
            Poll::Ready(Some(Ok(bytes))) => {
                let length = bytes.len() as u64;
                self.turn += length;
                let left = self.allowance.0.load(Ordering::Relaxed);
                let Some(left) = left.checked_sub(length) else {
                    return Poll::Ready(Some(Err(axum::Error::new("a part without an end to its head"))));
                };
                self.allowance.allow(left);
            }
            _ => self.turn = 0,
        }
        next
    }
}
