//! `keyward healthcheck`: asks the service on this machine whether it is ready.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, ensure};

use super::output::print;
use super::read_without_master_key;

/// For the connection, and for the answer: the service waits for its database 2.5 s.
const PATIENCE: Duration = Duration::from_secs(4);
/// More than the first line of any answer.
const LINE: usize = 64;

pub(super) fn ask() -> anyhow::Result<()> {
    let http = read_without_master_key()?.http;
    let address = reachable(http.management_listen.unwrap_or(http.listen));
    let line = answer(address).with_context(|| format!("nobody answers on {address}"))?;
    ensure!(
        line.starts_with("HTTP/1.1 200 "),
        "the service on {address} is not ready"
    );
    print("ready")
}

/// The first line of the answer.
fn answer(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let request =
        format!("GET /health/ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut line = [0; LINE];
    let mut read = 0;
    while read < LINE {
        match stream.read(&mut line[read..])? {
            0 => break,
            more => read += more,
        }
    }
    Ok(String::from_utf8_lossy(&line[..read]).into_owned())
}

/// Who listens on every address is asked on the one that only this machine has.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
