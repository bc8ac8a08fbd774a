//! The parts of an address that vary. What is not even an identity names nothing: not found, like any other stranger.

use std::str::FromStr;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::error::HtmlError;
use super::forms::RawForm;
use crate::domain::ids::{AttachmentId, EventId, InvitationId, MemberId, RecordId};
use crate::error::Error;

/// `/records/{record}`
#[derive(Clone, Copy, Debug)]
pub struct RecordPath(pub RecordId);

/// `/records/{record}/…/{event}`
#[derive(Clone, Copy, Debug)]
pub struct EventPath(pub RecordId, pub EventId);

/// `/records/{record}/attachments/{attachment}`
#[derive(Clone, Copy, Debug)]
pub struct AttachmentPath(pub RecordId, pub AttachmentId);

/// `/attachments/{attachment}/…`
#[derive(Clone, Copy, Debug)]
pub struct FilePath(pub AttachmentId);

/// `/household/members/{member}`
#[derive(Clone, Copy, Debug)]
pub struct MemberPath(pub MemberId);

/// `/household/invitations/{invitation}`
#[derive(Clone, Copy, Debug)]
pub struct InvitationPath(pub InvitationId);

impl<S: Send + Sync> FromRequestParts<S> for RecordPath {
    type Rejection = HtmlError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, HtmlError> {
        let found = params(parts, state).await?;
        Ok(Self(part(&found, "record")?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for EventPath {
    type Rejection = HtmlError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, HtmlError> {
        let found = params(parts, state).await?;
        Ok(Self(part(&found, "record")?, part(&found, "event")?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for AttachmentPath {
    type Rejection = HtmlError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, HtmlError> {
        let found = params(parts, state).await?;
        Ok(Self(part(&found, "record")?, part(&found, "attachment")?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for FilePath {
    type Rejection = HtmlError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, HtmlError> {
        Ok(Self(part(&params(parts, state).await?, "attachment")?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for MemberPath {
    type Rejection = HtmlError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, HtmlError> {
        Ok(Self(part(&params(parts, state).await?, "member")?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for InvitationPath {
    type Rejection = HtmlError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, HtmlError> {
        Ok(Self(part(&params(parts, state).await?, "invitation")?))
    }
}

async fn params<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<RawPathParams, HtmlError> {
    RawPathParams::from_request_parts(parts, state).await.map_err(|_| HtmlError::from(Error::NotFound))
}

fn part<T: FromStr>(found: &RawPathParams, name: &str) -> Result<T, Error> {
    let (_, value) = found.iter().find(|(known, _)| *known == name).ok_or(Error::NotFound)?;
    // One spelling per address: the simple and the braced form of an identity are not ours.
    if value.len() != 36 {
        return Err(Error::NotFound);
    }
    value.parse().map_err(|_| Error::NotFound)
}

/// What stands after the `?`, read as forgivingly as a form.
#[derive(Clone, Debug, Default)]
pub struct Asked(pub RawForm);

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(RawForm::read(parts.uri.query().unwrap_or("").as_bytes())))
    }
}

const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A name as part of a path.
pub fn in_path(name: &str) -> String {
    utf8_percent_encode(name, VALUE).to_string()
}

/// An address with a query; empty values are left out.
pub fn with_query(path: &str, pairs: &[(&str, &str)]) -> String {
    let query: Vec<String> = pairs
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, VALUE)))
        .collect();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_encoded_and_empty_ones_left_out() {
        assert_eq!(with_query("/records", &[("category", "R&D ä"), ("tag", "")]), "/records?category=R%26D%20%C3%A4");
        assert_eq!(with_query("/records", &[("tag", "")]), "/records");
    }
}
