//! Somebody at the door: keeps cookies, opens pages, fills in forms, follows where they lead.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use reqwest::Method;

use super::{Form, Page};

/// A visitor with a cookie jar. A clone shares the jar, as two tabs of one browser do.
#[derive(Clone, Debug)]
pub struct Visitor {
    base: String,
    client: reqwest::Client,
    cookies: Arc<Mutex<BTreeMap<String, String>>>,
    headers: Vec<(String, String)>,
}

impl Visitor {
    /// A visitor of the server at an address.
    pub fn new(address: SocketAddr) -> Self {
        // Of two tests at once one installs it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        Self { base: format!("http://{address}"), client, cookies: Arc::default(), headers: Vec::new() }
    }

    /// The same visitor with one more header field on each request.
    pub fn with_header(&self, name: &str, value: &str) -> Self {
        let mut other = self.clone();
        other.headers.retain(|(n, _)| n != name);
        other.headers.push((name.to_owned(), value.to_owned()));
        other
    }

    /// The same visitor, whose browser runs htmx.
    pub fn htmx(&self) -> Self {
        self.with_header("hx-request", "true")
            .with_header("hx-request-type", "partial")
            .with_header("sec-fetch-site", "same-origin")
    }

    /// The cookies as a `Cookie` header field.
    pub fn cookie_header(&self) -> String {
        let cookies = self.cookies.lock().expect("the jar");
        cookies.iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>().join("; ")
    }

    /// The cookies by name.
    pub fn cookies(&self) -> BTreeMap<String, String> {
        self.cookies.lock().expect("the jar").clone()
    }

    /// Puts a cookie into the jar.
    pub fn set_cookie(&self, name: &str, value: &str) {
        self.cookies.lock().expect("the jar").insert(name.to_owned(), value.to_owned());
    }

    /// Where the server is, without a final slash.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// A request, exactly as given.
    pub async fn ask(&self, method: Method, path: &str, content_type: Option<&str>, body: Vec<u8>) -> Page {
        self.try_ask(method, path, content_type, body).await.unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    /// The same; fails when the server goes away in the middle.
    pub async fn try_ask(
        &self,
        method: Method,
        path: &str,
        content_type: Option<&str>,
        body: Vec<u8>,
    ) -> Result<Page, reqwest::Error> {
        let mut request = self.client.request(method, format!("{}{path}", self.base)).body(body);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let cookies = self.cookie_header();
        if !cookies.is_empty() {
            request = request.header("cookie", cookies);
        }
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in answer.headers() {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            if name == "set-cookie" {
                self.keep_cookie(&value);
            }
            headers
                .entry(name.as_str().to_owned())
                .and_modify(|all| {
                    all.push('\n');
                    all.push_str(&value);
                })
                .or_insert(value);
        }
        let body = answer.bytes().await?;
        let (bytes, raw, body) = (body.len(), body.to_vec(), String::from_utf8_lossy(&body).into_owned());
        Ok(Page { path: path.to_owned(), status, headers, body, bytes, raw })
    }

    /// Sends a body as it is made: a head, a piece again and again until there are so many bytes of it, and a tail. Returns
    /// the status.
    pub async fn pour(&self, path: &str, kind: &str, head: Vec<u8>, piece: Vec<u8>, size: usize, tail: Vec<u8>) -> u16 {
        let length = head.len() + size + tail.len();
        let piece = bytes::Bytes::from(piece);
        let middle =
            (0..size.div_ceil(piece.len())).map(move |n| piece.slice(..piece.len().min(size - n * piece.len())));
        let all = std::iter::once(bytes::Bytes::from(head)).chain(middle).chain([bytes::Bytes::from(tail)]);
        let body = reqwest::Body::wrap_stream(futures_util::stream::iter(all.map(Ok::<_, std::io::Error>)));
        let request = self.client.post(format!("{}{path}", self.base)).header("content-length", length).body(body);
        let request = request.header("content-type", kind).header("cookie", self.cookie_header());
        request.send().await.unwrap_or_else(|e| panic!("{path}: {e}")).status().as_u16()
    }

    /// Downloads without keeping anything; returns how many bytes came.
    pub async fn drain(&self, path: &str) -> usize {
        let request = self.client.get(format!("{}{path}", self.base)).header("cookie", self.cookie_header());
        let mut answer = request.send().await.unwrap_or_else(|e| panic!("{path}: {e}"));
        let mut bytes = 0;
        while let Some(piece) = answer.chunk().await.unwrap_or_else(|e| panic!("{path}: {e}")) {
            bytes += piece.len();
        }
        bytes
    }

    /// Asks for a page without following where it leads.
    pub async fn get(&self, path: &str) -> Page {
        self.ask(Method::GET, path, None, Vec::new()).await
    }

    /// Opens a page, following redirects, and insists that it is there.
    pub async fn open(&self, path: &str) -> Page {
        let page = self.get(path).await;
        self.follow(page).await.expect(200)
    }

    /// Sends pairs as a form without following where it leads.
    pub async fn post(&self, path: &str, pairs: &[(String, String)]) -> Page {
        self.ask(Method::POST, path, Some(FORM), encode(pairs).into_bytes()).await
    }

    /// Presses a button of a form without following where it leads.
    pub async fn press(&self, form: &Form, button: &str) -> Page {
        if form.in_parts {
            let (action, kind, body) = form.parts(button);
            return self.ask(Method::POST, &action, Some(&kind), body).await;
        }
        let (action, entries) = form.entries(button);
        if form.method == "post" {
            self.post(&action, &entries).await
        } else {
            let path = action.split('?').next().unwrap_or_default();
            self.get(&format!("{path}?{}", encode(&entries))).await
        }
    }

    /// Presses a button of a form, follows where it leads, and insists that it went well.
    pub async fn submit(&self, form: &Form, button: &str) -> Page {
        let page = self.press(form, button).await;
        self.follow(page).await.expect(200)
    }

    /// Follows redirects, at most ten.
    pub async fn follow(&self, mut page: Page) -> Page {
        for _ in 0..10 {
            if !(300..400).contains(&page.status) || page.status == 304 {
                return page;
            }
            let to = page.header("location").to_owned();
            let to = to.strip_prefix(&self.base).unwrap_or(&to).to_owned();
            assert!(to.starts_with('/'), "{} redirects to {to}, away from here", page.path);
            page = self.get(to.split('#').next().unwrap_or_default()).await;
        }
        panic!("redirects in a circle at {}", page.path)
    }

    fn keep_cookie(&self, text: &str) {
        let (pair, attributes) = text.split_once(';').unwrap_or((text, ""));
        let Some((name, value)) = pair.split_once('=') else { return };
        let gone = attributes.to_ascii_lowercase().split(';').any(|a| {
            let a = a.trim();
            a == "max-age=0" || a.starts_with("max-age=-") || a.starts_with("expires=thu, 01 jan 1970")
        });
        let mut cookies = self.cookies.lock().expect("the jar");
        if gone {
            cookies.remove(name.trim());
        } else {
            cookies.insert(name.trim().to_owned(), value.trim().to_owned());
        }
    }
}

/// The media type of a plain form.
pub const FORM: &str = "application/x-www-form-urlencoded";

/// Pairs as a form sends them.
pub fn encode(pairs: &[(String, String)]) -> String {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    pairs
        .iter()
        .map(|(n, v)| {
            format!("{}={}", utf8_percent_encode(n, NON_ALPHANUMERIC), utf8_percent_encode(v, NON_ALPHANUMERIC))
        })
        .collect::<Vec<_>>()
        .join("&")
}
