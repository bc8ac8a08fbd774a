//! The embedded static files. Their names carry a hash of the content, so that a browser may keep them for ever.

use axum::extract::Path;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

/// A static file, with the copies that were compressed when the program was built.
#[derive(Debug)]
pub struct Asset {
    /// Its address, with a hash of its content.
    pub path: &'static str,
    /// Its media type.
    pub media_type: &'static str,
    /// Its entity tag; one for all encodings would be wrong, so each encoding adds its own ending.
    pub etag: &'static str,
    /// The bytes.
    pub plain: &'static [u8],
    /// The bytes, compressed with gzip.
    pub gzip: &'static [u8],
    /// The bytes, compressed with brotli.
    pub brotli: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// `GET /assets/{file}`.
pub async fn show(Path(file): Path<String>, headers: HeaderMap) -> Response {
    match ALL.iter().find(|asset| asset.path.strip_prefix("/assets/") == Some(file.as_str())) {
        Some(asset) => send(asset, &headers),
        None => (StatusCode::NOT_FOUND, [(CONTENT_TYPE, "text/plain; charset=utf-8")], "There is no such file.\n")
            .into_response(),
    }
}

fn send(asset: &'static Asset, headers: &HeaderMap) -> Response {
    let (encoding, bytes) = chosen(asset, headers);
    let etag = match encoding {
        Some(encoding) => format!("{}-{encoding}\"", asset.etag.trim_end_matches('"')),
        None => asset.etag.to_owned(),
    };
    let mut kept: Vec<(HeaderName, HeaderValue)> =
        vec![(CACHE_CONTROL, FOR_EVER), (VARY, HeaderValue::from_static("accept-encoding"))];
    if let Ok(value) = HeaderValue::from_str(&etag) {
        kept.push((ETAG, value));
    }
    let mut response = if knows(headers, asset.etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        kept.push((CONTENT_TYPE, HeaderValue::from_static(asset.media_type)));
        if let Some(encoding) = encoding {
            kept.push((CONTENT_ENCODING, HeaderValue::from_static(encoding)));
        }
        bytes.into_response()
    };
    for (name, value) in kept {
        response.headers_mut().insert(name, value);
    }
    response
}

/// The smallest copy that the browser takes: brotli, gzip, plain.
fn chosen(asset: &'static Asset, headers: &HeaderMap) -> (Option<&'static str>, &'static [u8]) {
    if accepts(headers, "br") {
        (Some("br"), asset.brotli)
    } else if accepts(headers, "gzip") {
        (Some("gzip"), asset.gzip)
    } else {
        (None, asset.plain)
    }
}

/// Whether `Accept-Encoding` names the coding with a weight above zero (RFC 9110, section 12.5.3).
fn accepts(headers: &HeaderMap, coding: &str) -> bool {
    headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(',')).any(
        |item| {
            let mut parts = item.split(';').map(str::trim);
            let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(coding));
            let refused = parts.any(|part| {
                part.strip_prefix("q=").and_then(|q| q.trim().parse::<f32>().ok()).is_some_and(|q| q == 0.0)
            });
            named && !refused
        },
    )
}

/// Whether the browser has this content already, in whichever encoding.
fn knows(headers: &HeaderMap, etag: &str) -> bool {
    let hash = etag.trim_matches('"');
    headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok()).is_some_and(|list| {
        list.split(',').any(|tag| tag.trim().trim_start_matches("W/").trim_matches('"').starts_with(hash))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(encodings: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_str(encodings).unwrap_or(HeaderValue::from_static("")));
        headers
    }

    #[test]
    fn picks_the_smallest_copy_that_is_accepted() {
        let asset = &ALL[0];
        assert_eq!(chosen(asset, &asking("gzip, deflate, br, zstd")).0, Some("br"));
        assert_eq!(chosen(asset, &asking("gzip;q=0.8, br;q=0")).0, Some("gzip"));
        assert_eq!(chosen(asset, &asking("identity")).0, None);
    }

    #[test]
    fn the_stylesheet_stays_small() {
        let css = ALL.iter().find(|asset| asset.path == APP_CSS).map_or(usize::MAX, |asset| asset.gzip.len());
        assert!(css <= 8 * 1024, "the stylesheet is {css} bytes compressed, the limit is 8 kB");
    }
}
