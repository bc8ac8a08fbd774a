//! The measured servers as processes of their own, and what the kernel says of them.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::load::{self, Ask};
use crate::place::Place;

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub struct Running {
    child: Child,
    pub address: SocketAddr,
    /// Processes that work for it beside itself: PostgreSQL's.
    helper: Option<u32>,
    /// From its start until it answered the first page.
    pub first_page: Duration,
}

/// The program on a place.
pub async fn program(program: &Path, place: &Place, first: &Ask) -> Outcome<Running> {
    program_with(program, place, first, &[]).await
}

/// The program on a place, with more settings.
pub async fn program_with(program: &Path, place: &Place, first: &Ask, settings: &[(&str, String)]) -> Outcome<Running> {
    let address = free()?;
    let mut command = Command::new(program);
    command.envs(settings.iter().map(|(name, value)| (*name, value)));
    command.arg("serve").env("LIFEOPS_DATA", &place.directory).env("LIFEOPS_LISTEN", address.to_string());
    if let Some(url) = &place.url {
        command.env("LIFEOPS_DATABASE_URL", url);
    }
    start(command, address, place, "program.log", first).await
}

/// The bare server on a place.
pub async fn bare(place: &Place, first: &Ask) -> Outcome<Running> {
    let address = free()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("bare").arg("--listen").arg(address.to_string());
    match &place.url {
        Some(url) => command.arg("--database").arg(url),
        None => command.arg("--database").arg(place.directory.join("lifeops.db")),
    };
    command.arg("--statements").arg(place.directory.join("statements.json"));
    start(command, address, place, "bare.log", first).await
}

/// The bare server of files, in a folder of the place.
pub async fn bare_files(place: &Place, folder: &Path, first: &Ask) -> Outcome<Running> {
    let address = free()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("bare-files").arg("--listen").arg(address.to_string()).arg("--folder").arg(folder);
    start(command, address, place, "bare-files.log", first).await
}

fn free() -> Outcome<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}

async fn start(mut command: Command, address: SocketAddr, place: &Place, log: &str, first: &Ask) -> Outcome<Running> {
    let path = place.directory.join(log);
    let log = File::options().create(true).append(true).open(&path)?;
    let started = Instant::now();
    let child = command.env_remove("RUST_LOG").stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
    let mut running = Running { child, address, helper: place.server_pid(), first_page: Duration::ZERO };
    while started.elapsed() < Duration::from_secs(60) {
        if running.child.try_wait()?.is_some() {
            break;
        }
        if let Ok(answer) = load::once(address, first).await {
            running.first_page = started.elapsed();
            answer.expect(first)?;
            return Ok(running);
        }
        tokio::time::sleep(Duration::from_micros(500)).await;
    }
    let said = std::fs::read_to_string(&path).unwrap_or_default();
    Err(format!("the server does not serve: {said}").into())
}

impl Running {
    /// Processor time used so far, in microseconds: its own, and that of the database server behind it.
    pub fn cpu(&self) -> u64 {
        let own = times(self.child.id()).map_or(0, |times| times.own);
        own + self.helper.map_or(0, family)
    }

    /// Resident memory now and at its highest, in MiB.
    pub fn memory(&self) -> (f64, f64) {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let read = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
            let kib: f64 = line.split_whitespace().nth(1).and_then(|word| word.parse().ok()).unwrap_or_default();
            kib / 1024.0
        };
        (read("VmRSS:"), read("VmHWM:"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Times {
    parent: u32,
    own: u64,
    reaped: u64,
}

/// The kernel counts in hundredths of a second on every Linux that this runs on.
const TICK: u64 = 10_000;

fn times(pid: u32) -> Option<Times> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(") ")?;
    let words: Vec<&str> = rest.split_whitespace().collect();
    let number = |at: usize| words.get(at).and_then(|word| word.parse::<u64>().ok()).unwrap_or_default();
    Some(Times {
        parent: number(1) as u32,
        own: (number(11) + number(12)) * TICK,
        reaped: (number(13) + number(14)) * TICK,
    })
}

/// Processor time that this process itself has used so far, in microseconds.
pub fn own_cpu() -> u64 {
    times(std::process::id()).map_or(0, |times| times.own)
}

/// A process with its children, those that ended included.
fn family(pid: u32) -> u64 {
    let mut sum = times(pid).map_or(0, |times| times.own + times.reaped);
    let Ok(entries) = std::fs::read_dir("/proc") else { return sum };
    for entry in entries.flatten() {
        let Some(child) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        sum += times(child).filter(|times| times.parent == pid).map_or(0, |times| times.own);
    }
    sum
}

/// The load average of the last minute.
pub fn load_average() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or_default()
}

/// How long the disk takes to keep four KiB more, in milliseconds: the median of some dozen `fdatasync`.
pub fn disk(folder: &Path) -> Outcome<f64> {
    let path = folder.join("disk-probe");
    let file = File::create(&path)?;
    let mut took = Vec::new();
    for n in 0..60 {
        let started = Instant::now();
        file.write_all_at(&[7; 4096], n * 4096)?;
        file.sync_data()?;
        took.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    std::fs::remove_file(path)?;
    Ok(crate::report::median(&took))
}
