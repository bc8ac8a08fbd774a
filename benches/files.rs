//! Files: in over HTTP beside hashing, sealing and writing the same bytes without HTTP; out again beside a bare server of the
//! same plain file; and how soon a part of a large file comes beside one of a small file.

use std::convert::Infallible;
use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::client::conn::http1::SendRequest;
use hyper::header::{CONTENT_TYPE, COOKIE, HOST, RANGE};
use hyper::{Method, Request, StatusCode};
use lifeops::domain::ids::SubmissionKey;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use sha2::{Digest, Sha256};

use crate::bare_files::{OBJECTS, PLAIN};
use crate::load::{self, Ask};
use crate::place::Place;
use crate::process::{self, Running};
use crate::report::{Report, median, number, range};
use crate::words::Dice;
use crate::{Outcome, Plan, say, visitor};

/// How much is sent, and sealed by the yardstick, at a time, in bytes.
const PIECE: usize = 64 * 1024;

/// How many random bytes a content is made of.
const BLOCK: usize = 16 << 20;

/// How often a part of a file is asked for.
const PARTS: usize = 200;

/// How large such a part is, in bytes.
const PART: u64 = 256 * 1024;

/// The small file of which parts are asked for, in bytes.
const SMALL: u64 = 1 << 20;

const BOUNDARY: &str = "----------------------------3f1c5a7e9b2d4860";

/// A content that nobody has sent before: random bytes, the same again and again, behind a beginning of its own.
#[derive(Clone)]
struct Content {
    first: Bytes,
    block: Bytes,
    size: u64,
}

impl Content {
    /// The piece at a place that follows from those before it; none at the end.
    fn at(&self, at: u64) -> Option<Bytes> {
        let length = (self.size - at).min(PIECE as u64) as usize;
        match at {
            _ if length == 0 => None,
            0 => Some(self.first.slice(..length)),
            _ => {
                let from = (at % BLOCK as u64) as usize;
                Some(self.block.slice(from..from + length))
            }
        }
    }
}

/// Makes contents.
struct Source {
    block: Bytes,
    dice: Dice,
}

impl Source {
    fn new() -> Self {
        let mut dice = Dice::new(41);
        Self { block: bytes(&mut dice, BLOCK), dice }
    }

    fn fresh(&mut self, size: u64) -> Content {
        Content { first: bytes(&mut self.dice, PIECE), block: self.block.clone(), size }
    }
}

fn bytes(dice: &mut Dice, many: usize) -> Bytes {
    let mut bytes = Vec::with_capacity(many);
    while bytes.len() < many {
        bytes.extend_from_slice(&dice.next().to_le_bytes());
    }
    bytes.into()
}

/// A body that is made while it is sent.
struct Pour {
    head: Bytes,
    content: Content,
    at: u64,
    tail: Bytes,
}

impl Pour {
    fn raw(content: Content) -> Self {
        Self { head: Bytes::new(), content, at: 0, tail: Bytes::new() }
    }

    /// The form that a browser sends for one file.
    fn form(name: &str, content: Content) -> Self {
        let text = |name: &str, value: &str| {
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let head = [
            text("submission", &SubmissionKey::new().to_string()),
            text("label", "other"),
            text("occurred", "2020"),
            format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"files\"; filename=\"{name}\"\r\n\
                 Content-Type: application/octet-stream\r\n\r\n"
            ),
        ];
        Self { head: head.concat().into(), content, at: 0, tail: format!("\r\n--{BOUNDARY}--\r\n").into() }
    }
}

impl Body for Pour {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = match std::mem::take(&mut self.head) {
            head if !head.is_empty() => Some(head),
            _ => self.content.at(self.at).inspect(|piece| self.at += piece.len() as u64),
        };
        let next = next.or_else(|| Some(std::mem::take(&mut self.tail)).filter(|tail| !tail.is_empty()));
        Poll::Ready(next.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.head.len() as u64 + self.content.size - self.at + self.tail.len() as u64)
    }
}

/// Sends a body; returns how long it took until it was answered.
async fn pour(
    address: SocketAddr,
    request: hyper::http::request::Builder,
    body: Pour,
    status: u16,
) -> Outcome<Duration> {
    let mut sender: SendRequest<Pour> = load::connect(address).await?;
    sender.ready().await?;
    let request = request.method(Method::POST).header(HOST, address.to_string()).body(body)?;
    let begun = Instant::now();
    let response = sender.send_request(request).await?;
    let found = response.status();
    let said = response.into_body().collect().await?.to_bytes();
    let took = begun.elapsed();
    match found.as_u16() == status {
        true => Ok(took),
        false => {
            let said = String::from_utf8_lossy(&said).into_owned();
            Err(format!("an upload was answered with {found}, not {status}: {said}").into())
        }
    }
}

/// A connection over which files come.
struct Tap {
    sender: SendRequest<Empty<Bytes>>,
    host: String,
}

/// How a file came.
struct Came {
    first: Duration,
    whole: Duration,
    bytes: u64,
}

impl Tap {
    async fn open(address: SocketAddr) -> Outcome<Self> {
        Ok(Self { sender: load::connect(address).await?, host: address.to_string() })
    }

    /// Reads a file, or a part of it, to its end and keeps nothing.
    async fn drain(&mut self, path: &str, cookie: &str, part: Option<(u64, u64)>) -> Outcome<Came> {
        self.sender.ready().await?;
        let mut request = Request::get(path).header(HOST, &self.host).header(COOKIE, cookie);
        let mut status = StatusCode::OK;
        if let Some((from, bytes)) = part {
            request = request.header(RANGE, format!("bytes={from}-{}", from + bytes - 1));
            status = StatusCode::PARTIAL_CONTENT;
        }
        let request = request.body(Empty::new())?;
        let begun = Instant::now();
        let response = self.sender.send_request(request).await?;
        if response.status() != status {
            return Err(format!("{path} was answered with {}, not {status}", response.status()).into());
        }
        let mut body = response.into_body();
        let (mut first, mut bytes) = (None, 0);
        while let Some(frame) = body.frame().await {
            let length = frame?.data_ref().map_or(0, Bytes::len) as u64;
            if length > 0 {
                first.get_or_insert_with(|| begun.elapsed());
            }
            bytes += length;
        }
        let whole = begun.elapsed();
        Ok(Came { first: first.unwrap_or(whole), whole, bytes })
    }
}

/// The yardstick: hashes, seals and writes a content with one thread, and makes it durable under its name.
fn seal_to_disk(folder: &Path, content: &Content) -> Outcome<()> {
    let unspecified = |_| "the cipher refuses";
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32]).map_err(unspecified)?);
    let mut digest = Sha256::new();
    let (beside, path) = (folder.join("sealed.part"), folder.join("sealed"));
    let mut file = File::create(&beside)?;
    let mut sealed = Vec::with_capacity(PIECE + AES_256_GCM.tag_len());
    let mut at = 0;
    while let Some(piece) = content.at(at) {
        digest.update(&piece);
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&at.to_be_bytes());
        sealed.clear();
        sealed.extend_from_slice(&piece);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = key.seal_in_place_separate_tag(nonce, Aad::empty(), &mut sealed).map_err(unspecified)?;
        sealed.extend_from_slice(tag.as_ref());
        file.write_all(&sealed)?;
        at += piece.len() as u64;
    }
    file.sync_all()?;
    drop(file);
    std::fs::rename(beside, path)?;
    File::open(folder)?.sync_all()?;
    std::hint::black_box(digest.finalize());
    Ok(())
}

/// How fast bytes went, and what they cost.
#[derive(Clone, Copy)]
struct Went {
    /// MiB a second.
    speed: f64,
    /// Processor time of the serving process, in seconds for each GiB.
    cpu: f64,
}

impl Went {
    fn of(bytes: u64, took: Duration, cpu: u64) -> Self {
        let mib = bytes as f64 / (1 << 20) as f64;
        Self { speed: mib / took.as_secs_f64(), cpu: cpu as f64 / 1e6 / mib * 1024.0 }
    }
}

/// What is measured beside a yardstick.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    /// The bare handler that pours a raw body through the program's own way in.
    Raw,
    /// So many forms at once.
    Forms(usize),
    /// Out of the program.
    Out,
}

impl Way {
    const ALL: [Self; 4] = [Self::Raw, Self::Forms(1), Self::Forms(2), Self::Out];

    fn words(self) -> &'static str {
        match self {
            Self::Raw => "in: a raw body, through a bare handler",
            Self::Forms(1) => "in: a form, one at a time",
            Self::Forms(_) => "in: two forms at once",
            Self::Out => "out: the whole file",
        }
    }

    fn goal(self) -> &'static str {
        match self {
            Self::Raw => "≥ 0.75",
            Self::Forms(_) => "≥ 0.60",
            Self::Out => "≥ 0.70",
        }
    }
}

/// Both servers with all that is asked of them.
struct Bench {
    program: Running,
    bare: Running,
    source: Source,
    /// How large a file is.
    size: u64,
    cookie: String,
    record: String,
    /// What the program's store must keep.
    kept: Vec<PathBuf>,
    blobs: PathBuf,
    folder: PathBuf,
    /// The address of the file that goes out.
    file: String,
}

impl Bench {
    async fn new(plan: &Plan, place: &Place) -> Outcome<Self> {
        let size = plan.file_size;
        let limit = format!("{} MiB", 8 * (size >> 20) + 1024);
        let settings = [("LIFEOPS_FILE_LIMIT", limit.clone()), ("LIFEOPS_FORM_LIMIT", limit)];
        let first = Ask { status: 303, ..Ask::page("/records") };
        let program = process::program_with(&plan.program, place, &first, &settings).await?;
        let cookie = visitor::sign_in(program.address, "ana").await?;
        let app = place.open().await?;
        let actor = visitor::actor(&app, "ana").await?;
        let records = visitor::records(&app, &actor, (1, i64::MAX), 10).await?;
        app.db.close().await;
        let record = format!("/records/{}", records.first().ok_or("the household has no record")?);
        let folder = place.directory.join("bare");
        std::fs::create_dir_all(&folder)?;
        let bare = process::bare_files(place, &folder, &Ask::page("/")).await?;
        let (blobs, file) = (place.directory.join("blobs"), String::new());
        let source = Source::new();
        Ok(Self { program, bare, source, size, cookie, record, kept: Vec::new(), blobs, folder, file })
    }

    /// Sends a content as a form; returns how long it took.
    async fn send(&self, name: &str, content: Content) -> Outcome<Duration> {
        let request = Request::builder()
            .uri(format!("{}/attachments", self.record))
            .header(CONTENT_TYPE, format!("multipart/form-data; boundary={BOUNDARY}"))
            .header("sec-fetch-site", "same-origin")
            .header(COOKIE, &self.cookie);
        pour(self.program.address, request, Pour::form(name, content), 303).await
    }

    /// Sends a content that stays; returns its address.
    async fn keep(&mut self, name: &str, content: Content) -> Outcome<String> {
        self.send(name, content).await?;
        self.kept = objects(&self.blobs)?;
        let ask = Ask::page(format!("{}/attachments", self.record)).by(&self.cookie);
        let page = load::once(self.program.address, &ask).await?;
        page.expect(&ask)?;
        let html = String::from_utf8_lossy(&page.body);
        let found = html.split(['"', '?']).find(|part| part.starts_with("/attachments/") && part.ends_with(name));
        Ok(found.ok_or_else(|| format!("{name} is not on the page of its record"))?.to_owned())
    }

    /// Deletes what was uploaded, so that the disk stays as empty as it was, and waits until that is done.
    fn clear(&self) -> Outcome<()> {
        for path in objects(&self.blobs)?.into_iter().filter(|path| !self.kept.contains(path)) {
            std::fs::remove_file(path)?;
        }
        for path in objects(&self.folder.join(OBJECTS))? {
            std::fs::remove_file(path)?;
        }
        let _ = std::fs::remove_file(self.folder.join("sealed"));
        Ok(File::open(&self.folder)?.sync_all()?)
    }

    async fn ours(&mut self, way: Way) -> Outcome<Went> {
        let size = self.size;
        match way {
            Way::Raw => {
                let body = Pour::raw(self.source.fresh(size));
                let cpu = self.bare.cpu();
                let took = pour(self.bare.address, Request::builder().uri("/raw"), body, 200).await?;
                Ok(Went::of(size, took, self.bare.cpu() - cpu))
            }
            Way::Forms(1) => {
                let content = self.source.fresh(size);
                let cpu = self.program.cpu();
                let took = self.send("one.bin", content).await?;
                Ok(Went::of(size, took, self.program.cpu() - cpu))
            }
            Way::Forms(_) => {
                let (one, other) = (self.source.fresh(size), self.source.fresh(size));
                let cpu = self.program.cpu();
                let begun = Instant::now();
                let done = tokio::join!(self.send("left.bin", one), self.send("right.bin", other));
                let took = begun.elapsed();
                done.0?;
                done.1?;
                Ok(Went::of(2 * size, took, self.program.cpu() - cpu))
            }
            Way::Out => Self::out(&self.program, &self.file, &self.cookie, size).await,
        }
    }

    async fn theirs(&mut self, way: Way) -> Outcome<Went> {
        if way == Way::Out {
            return Self::out(&self.bare, "/plain", &self.cookie, self.size).await;
        }
        let (content, folder) = (self.source.fresh(self.size), self.folder.clone());
        let cpu = process::own_cpu();
        let took = tokio::task::spawn_blocking(move || {
            let begun = Instant::now();
            seal_to_disk(&folder, &content)?;
            Ok::<_, crate::Failure>(begun.elapsed())
        });
        let took = took.await??;
        Ok(Went::of(self.size, took, process::own_cpu() - cpu))
    }

    async fn out(server: &Running, path: &str, cookie: &str, size: u64) -> Outcome<Went> {
        let mut tap = Tap::open(server.address).await?;
        let cpu = server.cpu();
        let came = tap.drain(path, cookie, None).await?;
        match came.bytes == size {
            true => Ok(Went::of(size, came.whole, server.cpu() - cpu)),
            false => Err(format!("{path} came with {} bytes, not {size}", came.bytes).into()),
        }
    }

    /// One after the other, with a clean disk before each.
    async fn both(&mut self, way: Way, yardstick_first: bool) -> Outcome<(Went, Went)> {
        self.clear()?;
        if yardstick_first {
            let theirs = self.theirs(way).await?;
            self.clear()?;
            return Ok((self.ours(way).await?, theirs));
        }
        let ours = self.ours(way).await?;
        self.clear()?;
        Ok((ours, self.theirs(way).await?))
    }
}

/// The files in the folders of a store.
fn objects(store: &Path) -> Outcome<Vec<PathBuf>> {
    let mut found = Vec::new();
    for shard in std::fs::read_dir(store)? {
        let shard = shard?.path();
        if shard.is_dir() {
            for object in std::fs::read_dir(shard)? {
                found.push(object?.path());
            }
        }
    }
    Ok(found)
}

pub async fn measure(plan: &Plan, place: &Place, report: &mut Report) -> Outcome<()> {
    let mut bench = Bench::new(plan, place).await?;
    let idle = bench.program.memory().0;
    let content = bench.source.fresh(plan.file_size);
    write_plain(&bench.folder.join(PLAIN), &content)?;
    bench.file = bench.keep("whole.bin", content).await?;
    let probe = (process::load_average(), process::disk(&place.directory)?);
    let mut rounds: Vec<Vec<(Went, Went)>> = vec![Vec::new(); Way::ALL.len()];
    for round in 0..=plan.rounds {
        say(&format!("files, round {round} of {}", plan.rounds));
        for (way, seen) in Way::ALL.into_iter().zip(&mut rounds) {
            let both = bench.both(way, round % 2 == 1).await?;
            // The first round of all only warms up.
            if round > 0 {
                seen.push(both);
            }
        }
    }
    bench.clear()?;
    let after = (process::load_average(), process::disk(&place.directory)?);
    report.heading(&format!("Files of {} MiB, in a directory", number((plan.file_size >> 20) as f64)));
    report.columns(&[
        "what",
        "MiB/s",
        "CPU s/GiB",
        "yardstick MiB/s",
        "yardstick CPU s/GiB",
        "**ratio** (range)",
        "goal",
    ]);
    for (way, seen) in Way::ALL.into_iter().zip(&rounds) {
        row(report, way, seen);
    }
    report.line(&format!(
        "\nThe program held {} MiB before the first file and {} MiB at most. Load average {:.1} before, {:.1} after; a durable write of 4 KiB \
         takes {:.2} and {:.2} ms.",
        number(idle),
        number(bench.program.memory().1),
        probe.0,
        after.0,
        probe.1,
        after.1,
    ));
    parts(&mut bench, report).await
}

fn write_plain(path: &Path, content: &Content) -> Outcome<()> {
    let mut file = File::create(path)?;
    let mut at = 0;
    while let Some(piece) = content.at(at) {
        file.write_all(&piece)?;
        at += piece.len() as u64;
    }
    Ok(file.sync_all()?)
}

fn row(report: &mut Report, way: Way, seen: &[(Went, Went)]) {
    let of = |read: &dyn Fn(&(Went, Went)) -> f64| number(median(&seen.iter().map(read).collect::<Vec<_>>()));
    let ratios: Vec<f64> = seen.iter().map(|(ours, theirs)| ours.speed / theirs.speed).collect();
    let (least, most) = range(&ratios);
    report.row(&[
        way.words().to_owned(),
        of(&|(ours, _)| ours.speed),
        of(&|(ours, _)| ours.cpu),
        of(&|(_, theirs)| theirs.speed),
        of(&|(_, theirs)| theirs.cpu),
        format!("**{:.2}** ({least:.2}–{most:.2})", median(&ratios)),
        way.goal().to_owned(),
    ]);
}

/// How soon the first byte of a part comes, of a large file and of a small one in turns.
async fn parts(bench: &mut Bench, report: &mut Report) -> Outcome<()> {
    let large = 4 * bench.size;
    let content = bench.source.fresh(large);
    let content_small = bench.source.fresh(SMALL);
    let files =
        [(bench.keep("large.bin", content).await?, large), (bench.keep("small.bin", content_small).await?, SMALL)];
    let mut tap = Tap::open(bench.program.address).await?;
    let mut dice = Dice::new(17);
    let mut times = [Vec::new(), Vec::new()];
    for n in 0..PARTS + 10 {
        for ((path, size), times) in files.iter().zip(&mut times) {
            // Anywhere in the middle half.
            let from = size / 4 + dice.next() % (size / 2 - PART + 1);
            let came = tap.drain(path, &bench.cookie, Some((from, PART))).await?;
            if came.bytes != PART {
                return Err(format!("a part came with {} bytes, not {PART}", came.bytes).into());
            }
            if n >= 10 {
                times.push(came.first.as_secs_f64() * 1000.0);
            }
        }
    }
    let [large_took, small_took] = times.map(|times| load::Took::of(times, 0.0));
    report.line("");
    report.columns(&["first byte of a part from the middle", "p50 ms", "p99 ms"]);
    for ((_, size), took) in files.iter().zip([&large_took, &small_took]) {
        report.row(&[
            format!("of {} MiB", number((size >> 20) as f64)),
            number(took.within(0.5)),
            number(took.within(0.99)),
        ]);
    }
    report.line(&format!(
        "\n{PARTS} requests each, in turns: the large file takes **{:.2}** of the small one’s time.",
        large_took.within(0.5) / small_took.within(0.5)
    ));
    Ok(())
}
