//! Requests byte by byte, for what no HTTP client would send.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Interest};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{interval, timeout};

use super::contract::{self, Seen};
use super::{Answer, TestApp};

/// Longer than anything the service waits for.
const PATIENCE: Duration = Duration::from_secs(40);

/// One connection to the service.
pub(crate) struct Wire(BufReader<TcpStream>);

impl Wire {
    pub(crate) async fn to(app: &TestApp) -> Self {
        Self::from(Ipv4Addr::LOCALHOST, app.address).await
    }

    /// From one of the machine's own addresses.
    pub(crate) async fn from(source: Ipv4Addr, to: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((source, 0).into()).unwrap();
        Self(BufReader::new(socket.connect(to).await.unwrap()))
    }

    /// One that has room for little until it reads.
    pub(crate) async fn narrow(app: &TestApp) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        Self(BufReader::new(socket.connect(app.address).await.unwrap()))
    }

    /// The client's.
    pub(crate) fn port(&self) -> u16 {
        self.0.get_ref().local_addr().unwrap().port()
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// The next answer, held to the contract as one to this method and path.
    pub(crate) async fn answer(&mut self, method: &str, path: &str) -> Answer {
        let answer = self.bare(method).await;
        contract::check(&Seen {
            method,
            path,
            request_body: None,
            status: answer.status,
            headers: &answer.headers,
            body: &answer.body,
        });
        answer
    }

    /// The next answer as it is: what is answered before there is a request is not ours to word.
    pub(crate) async fn bare(&mut self, method: &str) -> Answer {
        let (status, headers) = self.head().await;
        let length = headers.get("content-length");
        let length = length.map_or(0, |value| value.to_str().unwrap().parse().unwrap());
        let mut body = vec![0; if method == "HEAD" { 0 } else { length }];
        timeout(PATIENCE, self.0.read_exact(&mut body))
            .await
            .expect("a body in time")
            .unwrap();
        Answer {
            status,
            headers,
            body,
        }
    }

    /// Whether the service closes the connection and says nothing more on it.
    pub(crate) async fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        let read = timeout(PATIENCE, self.0.read_to_end(&mut rest)).await;
        read.is_ok() && rest.is_empty()
    }

    /// Whether the service gives the connection up, with nothing of it read.
    pub(crate) async fn is_cut_off(&mut self) -> bool {
        let ended = self.0.get_ref().ready(Interest::ERROR);
        timeout(PATIENCE, ended).await.is_ok()
    }

    /// Sends this drop by drop until the service takes no more.
    pub(crate) async fn drips(&mut self, bytes: &[u8]) {
        let mut pace = interval(Duration::from_millis(20));
        let dripped = async {
            while self.0.write_all(bytes).await.is_ok() {
                pace.tick().await;
            }
        };
        timeout(PATIENCE, dripped).await.expect("an end");
    }

    /// Gives the connection up without a farewell.
    pub(crate) fn reset(self) {
        self.0.get_ref().set_zero_linger().unwrap();
    }

    async fn head(&mut self) -> (u16, HeaderMap) {
        let first = self.line().await;
        let status = first.split(' ').nth(1).and_then(|word| word.parse().ok());
        let mut headers = HeaderMap::new();
        loop {
            let line = self.line().await;
            let Some((name, value)) = line.split_once(':') else {
                assert_eq!(line, "", "the end of the head");
                return (
                    status.unwrap_or_else(|| panic!("a status: {first:?}")),
                    headers,
                );
            };
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, HeaderValue::from_str(value.trim()).unwrap());
        }
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        let read = timeout(PATIENCE, self.0.read_line(&mut line)).await;
        assert_ne!(read.expect("a line in time").unwrap(), 0, "the end of it");
        line.trim_end_matches("\r\n").to_owned()
    }
}
