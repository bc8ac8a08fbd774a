//! The load: clients that each keep one connection open and ask again as soon as they were answered.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Bytes};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, COOKIE, HOST, LOCATION, SET_COOKIE};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::Outcome;

/// What is asked, and which answer is right.
#[derive(Clone, Debug)]
pub struct Ask {
    pub path: String,
    /// The cookie of somebody who is signed in.
    pub cookie: Option<String>,
    /// A form to send; without one it is a GET.
    pub form: Option<String>,
    pub status: u16,
}

impl Ask {
    pub fn page(path: impl Into<String>) -> Self {
        Self { path: path.into(), cookie: None, form: None, status: 200 }
    }

    pub fn form(path: impl Into<String>, form: impl Into<String>) -> Self {
        Self { form: Some(form.into()), status: 303, ..Self::page(path) }
    }

    pub fn by(self, cookie: &str) -> Self {
        Self { cookie: Some(cookie.to_owned()), ..self }
    }

    fn request(&self, host: &str) -> Outcome<Request<Full<Bytes>>> {
        let mut request = Request::builder().uri(&self.path).header(HOST, host);
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        Ok(match &self.form {
            None => request.body(Full::default())?,
            Some(form) => request
                .method(Method::POST)
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .header("sec-fetch-site", "same-origin")
                .body(Full::from(form.clone()))?,
        })
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub cookie: Option<String>,
    pub location: Option<String>,
    pub body: Bytes,
}

impl Answer {
    /// Fails on any other answer than the expected one, with the first lines of what came instead.
    pub fn expect(&self, ask: &Ask) -> Outcome<()> {
        if self.status.as_u16() == ask.status {
            return Ok(());
        }
        let body = String::from_utf8_lossy(&self.body);
        let first: Vec<&str> = body.lines().filter(|line| !line.trim().is_empty()).take(40).collect();
        let to = self.location.as_deref().unwrap_or_default();
        Err(format!("{} was answered with {} {to}, not {}:\n{}", ask.path, self.status, ask.status, first.join("\n"))
            .into())
    }
}

/// Opens a connection that is kept until its sender is dropped.
pub async fn connect<B>(address: SocketAddr) -> Outcome<SendRequest<B>>
where
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move {
        // What goes wrong on the line shows where the answer is missing.
        let _ = connection.await;
    });
    Ok(sender)
}

async fn send(sender: &mut SendRequest<Full<Bytes>>, host: &str, ask: &Ask) -> Outcome<Answer> {
    sender.ready().await?;
    let response = sender.send_request(ask.request(host)?).await?;
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (status, cookie, location) = (response.status(), header(SET_COOKIE), header(LOCATION));
    let body = response.into_body().collect().await?.to_bytes();
    Ok(Answer { status, cookie, location, body })
}

/// Asks once, on a connection of its own.
pub async fn once(address: SocketAddr, ask: &Ask) -> Outcome<Answer> {
    let mut sender = connect(address).await?;
    send(&mut sender, &address.to_string(), ask).await
}

/// What came of a run.
#[derive(Clone, Debug, Default)]
pub struct Took {
    pub answers: usize,
    pub seconds: f64,
    /// Each answer's time in milliseconds, in order of size.
    pub times: Vec<f64>,
}

impl Took {
    pub fn of(mut times: Vec<f64>, seconds: f64) -> Self {
        times.sort_by(f64::total_cmp);
        Self { answers: times.len(), seconds, times }
    }

    pub fn per_second(&self) -> f64 {
        self.answers as f64 / self.seconds
    }

    /// The time within which this part of the answers came, in milliseconds.
    pub fn within(&self, part: f64) -> f64 {
        let at = (self.times.len() as f64 * part) as usize;
        self.times.get(at.min(self.times.len().saturating_sub(1))).copied().unwrap_or_default()
    }
}

/// What each client asks: its number, and how often it has asked.
pub type Script = Arc<dyn Fn(usize, usize) -> Ask + Send + Sync>;

/// Keeps `clients` connections busy for a while.
pub async fn run(address: SocketAddr, clients: usize, time: Duration, script: Script) -> Outcome<Took> {
    let host = address.to_string();
    let mut senders = Vec::new();
    for _ in 0..clients {
        senders.push(connect(address).await?);
    }
    let started = Instant::now();
    let mut tasks = Vec::new();
    for (client, mut sender) in senders.into_iter().enumerate() {
        let (script, host) = (Arc::clone(&script), host.clone());
        tasks.push(tokio::spawn(async move {
            let mut times = Vec::new();
            while started.elapsed() < time {
                let ask = script(client, times.len());
                let asked = Instant::now();
                let answer = send(&mut sender, &host, &ask).await.map_err(|e| e.to_string())?;
                times.push(asked.elapsed().as_secs_f64() * 1000.0);
                answer.expect(&ask).map_err(|e| e.to_string())?;
            }
            Ok::<_, String>(times)
        }));
    }
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await??);
    }
    Ok(Took::of(times, started.elapsed().as_secs_f64()))
}
