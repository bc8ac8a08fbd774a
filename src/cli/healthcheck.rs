//! Asks a running server on this machine whether it is ready.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use super::{Failure, Outcome};

const PATIENCE: Duration = Duration::from_secs(5);

/// GET /health/ready where the settings say that the server listens; ends with 0 if it answers 200.
pub fn ask(listen: SocketAddr) -> Outcome {
    // A server that listens everywhere also listens on this machine's own address.
    let address = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), listen.port()),
        IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::new(Ipv6Addr::LOCALHOST.into(), listen.port()),
        _ => listen,
    };
    let failed = |e: std::io::Error| Failure::Told(format!("LifeOps does not answer on {address}: {e}."));
    let status = status(address).map_err(failed)?;
    match status.split_whitespace().nth(1) {
        Some("200") => Ok(()),
        _ => Err(Failure::Told(format!("LifeOps is not ready: {}", status.trim()))),
    }
}

/// The answer's first line.
fn status(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET /health/ready HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut answer = [0; 64];
    let mut length = 0;
    while !answer[..length].contains(&b'\n') && length < answer.len() {
        match stream.read(&mut answer[length..])? {
            0 => break,
            n => length += n,
        }
    }
    Ok(String::from_utf8_lossy(&answer[..length]).lines().next().unwrap_or_default().to_owned())
}
