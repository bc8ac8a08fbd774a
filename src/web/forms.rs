//! Forms as they arrive. Nothing that a browser, or somebody without one, can send makes this fail: what was typed is
//! kept to be shown again, and what is wrong with it is said per field.

use std::convert::Infallible;

use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use percent_encoding::percent_decode;

use crate::domain::Refusal;
use crate::domain::ids::SubmissionKey;

/// The most that a form may send: room for a text that is far too long, so that it can be shown again and refused.
pub const LARGEST_FORM: usize = 6 * 1024 * 1024;

/// The most that a form may send whose sender nobody knows yet: an address, a password and a name are short.
pub const SMALL_FORM: usize = 64 * 1024;

/// Marks a request to a route that takes small forms alone.
#[derive(Clone, Copy, Debug)]
pub struct SmallForm;

/// What is said of a form that is not understood.
pub(super) const UNKNOWN_SHAPE: &str = "This form arrived in a shape that is not understood here.";

/// What is said of a form that broke off.
pub(super) const BROKE_OFF: &str = "The form broke off before it had arrived whole. Send it again.";

/// The field in which a form that was turned away travels, sealed, through signing in. Small forms may carry it on top.
pub const PARKED: &str = "parked";

/// The most that a small form may send together with what it carries in [`PARKED`].
pub const SMALL_FORM_AND_PARKED: usize = 512 * 1024;

/// Marks a request that only shows a form again, filled, because its person had to sign in first: nothing is done.
#[derive(Clone, Copy, Debug)]
pub struct ShownAgain;

/// Stands in a form whose files were left where they were, because its person had to sign in first.
pub(super) const LOST_FILES: &str = "lost_files";

/// What is said above a form that is shown again after signing in, and that brought files.
pub const SIGNED_OUT_WITH_FILES: &str = "You were signed out. Nothing is saved yet; here is what you typed. Choose the files \
                                         again: they were not sent.";

/// What is said above a form that is shown again after signing in.
pub const SIGNED_OUT: &str = "You were signed out. Nothing is saved yet; here is what you typed.";

/// The most name and value pairs that are read.
pub(super) const MOST_PAIRS: usize = 2_000;

/// One value as it was typed, with lines ending in a plain newline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Typed {
    /// The text; what could not be read is shown as a replacement character.
    pub text: String,
    /// Whether the bytes were not UTF-8.
    garbled: bool,
}

impl Typed {
    /// A value that was not typed but filled in by us.
    pub fn of(text: impl Into<String>) -> Self {
        Self { text: text.into(), garbled: false }
    }

    /// Whether there is nothing but space.
    pub fn is_blank(&self) -> bool {
        self.text.trim().is_empty() && !self.garbled
    }

    /// Reads the value, unless its bytes are not text.
    pub fn parse<T>(&self, read: impl FnOnce(&str) -> Result<T, Refusal>) -> Result<T, Refusal> {
        if self.garbled {
            return Err(Refusal::new(
                "Some of these characters arrived broken and are shown as \u{fffd}. Type them again.",
            ));
        }
        if self.text.contains('\0') {
            return Err(Refusal::new("There is an invisible character (NUL) in this text. Remove it and try again."));
        }
        read(&self.text)
    }

    /// Reads the value if something was typed.
    pub fn parse_some<T>(&self, read: impl FnOnce(&str) -> Result<T, Refusal>) -> Result<Option<T>, Refusal> {
        if self.is_blank() { Ok(None) } else { self.parse(read).map(Some) }
    }
}

/// A form as it arrived: names may repeat, order is kept.
#[derive(Clone, Debug, Default)]
pub struct RawForm {
    pairs: Vec<(String, Typed)>,
    trouble: Option<(StatusCode, &'static str)>,
    shown_again: bool,
}

impl RawForm {
    /// Reads a urlencoded body.
    pub fn read(body: &[u8]) -> Self {
        let mut form = Self::default();
        for piece in body.split(|byte| *byte == b'&').filter(|piece| !piece.is_empty()) {
            if form.pairs.len() == MOST_PAIRS {
                form.trouble = Some((StatusCode::BAD_REQUEST, "This form has more answers than it has questions."));
                break;
            }
            let (name, value) = match piece.iter().position(|byte| *byte == b'=') {
                Some(at) => (&piece[..at], &piece[at + 1..]),
                None => (piece, &piece[..0]),
            };
            form.pairs.push((decode(name).text, decode(value)));
        }
        form
    }

    /// A form of values that arrived some other way, and what was wrong with it as a whole.
    pub(super) fn of(
        pairs: Vec<(String, Vec<u8>)>,
        trouble: Option<(StatusCode, &'static str)>,
        shown_again: bool,
    ) -> Self {
        Self { pairs: pairs.into_iter().map(|(name, value)| (name, typed(value))).collect(), trouble, shown_again }
    }

    /// The same form with other names and values.
    pub fn with_pairs(self, pairs: Vec<(String, String)>) -> Self {
        Self { pairs: pairs.into_iter().map(|(name, text)| (name, Typed::of(text))).collect(), ..self }
    }

    /// What is wrong with the body as a whole.
    fn broken(status: StatusCode, sentence: &'static str) -> Self {
        Self { trouble: Some((status, sentence)), ..Self::default() }
    }

    /// The same form, only shown again or not.
    pub(super) fn shown_again(self, shown_again: bool) -> Self {
        Self { shown_again, ..self }
    }

    /// Whether it is only shown again: then nothing is done.
    pub(super) fn is_shown_again(&self) -> bool {
        self.shown_again
    }

    /// Whether it arrived whole.
    pub(super) fn is_whole(&self) -> bool {
        self.trouble.is_none()
    }

    /// How many bytes its names and values have, those of one name left out.
    pub(super) fn size_without(&self, left_out: &str) -> usize {
        self.pairs().filter(|(name, _)| *name != left_out).map(|(name, value)| name.len() + value.len()).sum()
    }

    /// The first value of a name; empty if there is none.
    pub fn get(&self, name: &str) -> Typed {
        self.all(name).next().cloned().unwrap_or_default()
    }

    /// The first value's text.
    pub fn text(&self, name: &str) -> String {
        self.get(name).text
    }

    /// Every value of a name, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Typed> {
        self.pairs.iter().filter(move |(found, _)| found == name).map(|(_, value)| value)
    }

    /// Whether the name was sent at all.
    pub fn has(&self, name: &str) -> bool {
        self.pairs.iter().any(|(found, _)| found == name)
    }

    /// Every name and value, in order: to carry a whole form on through a question.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (name.as_str(), value.text.as_str()))
    }

    /// The form's idempotency key, as the page put it there.
    pub fn submission(&self) -> Option<SubmissionKey> {
        self.text("submission").trim().parse().ok()
    }
}

impl<S: Send + Sync> FromRequest<S> for RawForm {
    type Rejection = Infallible;

    async fn from_request(request: Request, _: &S) -> Result<Self, Infallible> {
        let shown_again = request.extensions().get::<ShownAgain>().is_some();
        let form = match request.extensions().get::<SmallForm>() {
            Some(SmallForm) => small(Self::receive(request, SMALL_FORM_AND_PARKED).await),
            None => Self::receive(request, LARGEST_FORM).await,
        };
        Ok(Self { shown_again, ..form })
    }
}

pub(super) const TOO_LONG: &str =
    "That is more text than this form takes. Go back in your browser, shorten it, and send it again.";

fn small(form: RawForm) -> RawForm {
    if form.size_without(PARKED) > SMALL_FORM {
        return RawForm::broken(StatusCode::PAYLOAD_TOO_LARGE, TOO_LONG);
    }
    form
}

impl RawForm {
    /// Reads a request's body, at most so many bytes of it.
    pub(super) async fn receive(request: Request, most: usize) -> Self {
        if super::files_in::is_multipart(request.headers()) {
            return super::files_in::texts_alone(request, most).await;
        }
        let media = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        let urlencoded =
            media.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case("application/x-www-form-urlencoded");
        if !media.is_empty() && !urlencoded {
            return Self::broken(StatusCode::UNSUPPORTED_MEDIA_TYPE, UNKNOWN_SHAPE);
        }
        match Limited::new(request.into_body(), most).collect().await {
            Ok(bytes) => Self::read(&bytes.to_bytes()),
            Err(error) if is_too_long(error.as_ref()) => Self::broken(StatusCode::PAYLOAD_TOO_LARGE, TOO_LONG),
            Err(_) => Self::broken(StatusCode::BAD_REQUEST, BROKE_OFF),
        }
    }
}

/// Whether a limit was met, ours or one further out.
fn is_too_long(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Decodes one urlencoded piece (WHATWG URL, section 5.1); a stray `%` stands for itself.
fn decode(piece: &[u8]) -> Typed {
    let spaced: Vec<u8> = piece.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    typed(percent_decode(&spaced).collect())
}

fn typed(bytes: Vec<u8>) -> Typed {
    match String::from_utf8(bytes) {
        Ok(text) => Typed { text: newlines(text), garbled: false },
        Err(error) => Typed { text: newlines(String::from_utf8_lossy(error.as_bytes()).into_owned()), garbled: true },
    }
}

/// Browsers end lines with CR LF; we keep the LF.
fn newlines(text: String) -> String {
    if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n") } else { text }
}

/// What is wrong with one control, or (without an id) with the form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The id of the control.
    pub id: String,
    /// The sentence, the same in the summary and beside the control.
    pub text: String,
}

/// Everything that is wrong with a form.
#[derive(Clone, Debug, Default)]
pub struct Errors {
    list: Vec<FieldError>,
    status: Option<StatusCode>,
    notice: Option<&'static str>,
}

impl Errors {
    /// No errors, for a form that is shown for the first time.
    pub fn none() -> Self {
        Self::default()
    }

    /// Begins with what was wrong with the form as a whole. A form that is only shown again has a notice instead, and
    /// nothing is wrong with it until its person sends it.
    pub fn of_form(form: &RawForm) -> Self {
        match form.trouble {
            _ if form.shown_again && form.has(LOST_FILES) => {
                Self { notice: Some(SIGNED_OUT_WITH_FILES), status: Some(StatusCode::OK), ..Self::default() }
            }
            _ if form.shown_again => Self { notice: Some(SIGNED_OUT), status: Some(StatusCode::OK), ..Self::default() },
            Some((status, text)) => Self {
                list: vec![FieldError { id: String::new(), text: text.to_owned() }],
                status: Some(status),
                notice: None,
            },
            None => Self::default(),
        }
    }

    /// Why a form is shown again with which nothing is wrong.
    pub fn notice(&self) -> Option<&'static str> {
        self.notice
    }

    /// The form's key belongs to other words: what was typed is shown again, with status 409 and a fresh key.
    pub fn reused() -> Self {
        let text = "This form was sent before with other words. Here is what you typed: press once more to save it as \
                    well.";
        let list = vec![FieldError { id: String::new(), text: text.to_owned() }];
        Self { list, status: Some(StatusCode::CONFLICT), notice: None }
    }

    /// Adds an error. The first one of a control stands.
    pub fn add(&mut self, id: &str, text: impl Into<String>) {
        if self.notice.is_none() && (self.of(id).is_none() || id.is_empty()) {
            self.list.push(FieldError { id: id.to_owned(), text: text.into() });
        }
    }

    /// Adds an error that is no fault of what was typed, with the status of the answer.
    pub fn refuse(&mut self, status: StatusCode, id: &str, text: impl Into<String>) {
        self.add(id, text);
        self.status.get_or_insert(status);
    }

    /// Puts the errors into the order of the form's controls; those of no control stay in front.
    pub fn order(&mut self, controls: &[&str]) {
        self.list.sort_by_key(|error| controls.iter().position(|id| *id == error.id).map_or(0, |at| at + 1));
    }

    /// Takes a parsed value, or its error for the control `id`.
    pub fn take<T>(&mut self, id: &str, parsed: Result<T, Refusal>) -> Option<T> {
        parsed.map_err(|refusal| self.add(id, refusal.0)).ok()
    }

    /// The form's key; an error if the page's hidden field did not come back.
    pub fn key(&mut self, form: &RawForm) -> SubmissionKey {
        form.submission().unwrap_or_else(|| {
            if self.list.is_empty() {
                self.add("", "The form lost its number on the way, so nothing was saved. Send it once more.");
            }
            SubmissionKey::new()
        })
    }

    /// The error of a control.
    pub fn of(&self, id: &str) -> Option<&str> {
        self.list.iter().find(|error| error.id == id).map(|error| error.text.as_str())
    }

    /// Every error, in the order of the form.
    pub fn list(&self) -> &[FieldError] {
        &self.list
    }

    /// Whether nothing is wrong, and the form may be taken.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty() && self.notice.is_none()
    }

    /// The status of the answer that shows the form again: 413, 415 or 400 where the body was at fault, 409 where
    /// its key was used before, else 422; 200 when nothing is wrong.
    pub fn status(&self) -> StatusCode {
        match self.status {
            Some(status) => status,
            None if self.is_empty() => StatusCode::OK,
            None => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_order_and_repeated_names() {
        let form = RawForm::read(b"tag=a&x=1&tag=b+c%20d&tag=");
        let tags: Vec<&str> = form.all("tag").map(|typed| typed.text.as_str()).collect();
        assert_eq!(tags, ["a", "b c d", ""]);
    }

    #[test]
    fn whatever_arrives_is_kept_and_flagged() {
        let form = RawForm::read(b"a=%ED%A0%80&b=%zz&c=%00&d=x%0D%0Ay&&=&e");
        assert!(form.get("a").parse(|text| Ok(text.to_owned())).is_err());
        assert_eq!(form.text("a").chars().filter(|c| *c == '\u{fffd}').count(), 3);
        assert_eq!(form.text("b"), "%zz");
        assert!(form.get("c").parse(|text| Ok(text.to_owned())).is_err());
        assert_eq!(form.text("d"), "x\ny");
        assert!(form.has("e") && form.text("e").is_empty());
    }

    #[test]
    fn a_form_without_its_key_is_refused_once() {
        let form = RawForm::read(b"submission=nonsense");
        let mut errors = Errors::of_form(&form);
        errors.key(&form);
        assert_eq!(errors.list().len(), 1);
        assert_eq!(errors.status(), StatusCode::UNPROCESSABLE_ENTITY);
    }
}
