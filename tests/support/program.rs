//! The real program, as its own process.

use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};

use super::{Place, Visitor};

/// A running `lifeops serve`. Dropping it kills it.
#[derive(Debug)]
pub struct Program {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

/// A command of the program in a place, with nothing of the test's own surroundings.
pub fn command(place: &Place, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lifeops"));
    command.args(arguments).env_clear().env("LIFEOPS_DATA", place.directory());
    if let Some(url) = place.url() {
        command.env("LIFEOPS_DATABASE_URL", url);
    }
    if let Some(bucket) = place.bucket() {
        command.envs(bucket.variables());
    }
    for name in ["PATH", "HOME", "TMPDIR"] {
        if let Ok(value) = std::env::var(name) {
            command.env(name, value);
        }
    }
    command
}

/// Runs a command of the program and returns whether it went well and what it said.
pub fn run(place: &Place, arguments: &[&str], input: &str) -> (bool, String) {
    use std::io::Write as _;
    let mut child = command(place, arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    let output = child.wait_with_output().expect("the program ends");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

impl Program {
    /// Serves a place and waits until it is ready.
    pub async fn serve(place: &Place) -> Self {
        let log = std::fs::File::options().create(true).append(true).open(place.directory().join("server.log"));
        let log = log.expect("a log");
        // Another process may take the port between finding it and listening on it: then the program ends, and we try
        // again with another one.
        for _ in 0..20 {
            let address = TcpListener::bind(("127.0.0.1", 0)).and_then(|l| l.local_addr()).expect("a free port");
            let child = command(place, &["serve"])
                .env("LIFEOPS_LISTEN", address.to_string())
                .env("LIFEOPS_REGISTRATION", "open")
                .stdin(Stdio::null())
                .stdout(log.try_clone().expect("a log"))
                .stderr(log.try_clone().expect("a log"))
                .spawn()
                .expect("the program starts");
            let mut program = Self { child, address };
            if program.is_ready().await {
                return program;
            }
        }
        let said = std::fs::read_to_string(place.directory().join("server.log")).unwrap_or_default();
        panic!("the program does not serve: {said}");
    }

    async fn is_ready(&mut self) -> bool {
        let visitor = self.visitor();
        let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while std::time::Instant::now() < until {
            if self.child.try_wait().expect("a child").is_some() {
                return false;
            }
            let asked = visitor.try_ask(reqwest::Method::GET, "/health/ready", None, Vec::new()).await;
            if asked.is_ok_and(|page| page.status == 200) {
                return true;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        false
    }

    /// A visitor of it.
    pub fn visitor(&self) -> Visitor {
        Visitor::new(self.address)
    }

    /// The most memory that it ever held, in bytes (`VmHWM` of proc(5)).
    pub fn most_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("a running process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its high-water mark");
        line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).expect("a number") * 1024
    }

    /// Ends it as a power cut does (SIGKILL), and waits until it is gone.
    pub fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.end();
    }
}
