//! A connection that is kept: one request after the other, and the body of each answer.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What clients say they are.
pub(crate) const BROWSER: &str =
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

pub(crate) struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

/// A request of `GET` by a client at this address, with an access token.
pub(crate) fn get(path: &str, from: Ipv4Addr, access_token: &str) -> Vec<u8> {
    format!(
        "GET {path} {}Authorization: Bearer {access_token}\r\n\r\n",
        begun(from)
    )
    .into_bytes()
}

/// A request of `POST` by a client at this address, with JSON.
pub(crate) fn post(path: &str, from: Ipv4Addr, body: &str) -> Vec<u8> {
    let (begun, length) = (begun(from), body.len());
    format!(
        "POST {path} {begun}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// As a proxy passes it on.
fn begun(from: Ipv4Addr) -> String {
    format!("HTTP/1.1\r\nHost: localhost\r\nUser-Agent: {BROWSER}\r\nX-Forwarded-For: {from}\r\n")
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            read: Vec::with_capacity(4096),
        })
    }

    /// Sends a request, and gives the body of its answer, which must be a 200.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Result<&str> {
        self.stream.write_all(request).await?;
        self.read.clear();
        let (head, length) = loop {
            self.more().await?;
            if let Some(found) = head(&self.read)? {
                break found;
            }
        };
        while self.read.len() < head + length {
            self.more().await?;
        }
        let body = std::str::from_utf8(&self.read[head..])?;
        ensure!(self.read.starts_with(b"HTTP/1.1 200 "), "refused: {body}");
        Ok(body)
    }

    async fn more(&mut self) -> Result<()> {
        let read = self.stream.read_buf(&mut self.read).await?;
        ensure!(read > 0, "the connection was closed");
        Ok(())
    }
}

/// Where the head ends, once all of it is there, and how long the body is.
fn head(read: &[u8]) -> Result<Option<(usize, usize)>> {
    let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&read[..end])?.to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .context("an answer without a length")?;
    Ok(Some((end + 4, length.trim().parse()?)))
}
