//! A flood costs the memory of the hashes that are made at once, and little beside: of logins by hundreds of connections,
//! large sign-ups, clients that do not read, and long heads, until there is no place for one more.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::future::{join_all, join4};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep_until, timeout, timeout_at};

use crate::keyward::{Keyward, PASSWORD, home};

/// Passwords that are hashed at once.
const PERMITS: u64 = 2;
/// KiB that the service may need beside the hashes, 40 MB, without those of its program: 15 MB of a release build. That of
/// the tests is not optimized, and larger.
const BESIDE: u64 = (40 - 15) * 1024;
/// Places, of which each kind of client takes so many; logins are more than there is room for.
const PLACES: usize = 200;
const LOGINS: usize = 165;
const SIGN_UPS: usize = 15;
const SLOW_READERS: usize = 20;
const LONG_HEADS: usize = 10;
/// Accounts that are logged in to.
const ACCOUNTS: usize = 20;
const FLOOD: Duration = Duration::from_secs(4);
/// Longer than anything the service waits for.
const PATIENCE: Duration = Duration::from_secs(40);

fn request(path: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

fn credentials(email: &str) -> String {
    json!({ "email": email, "password": PASSWORD }).to_string()
}

/// A status, its `Retry-After`, and the body.
type Answer = (u16, Option<u32>, Value);

/// One connection that reads its answers.
struct Client(BufReader<TcpStream>);

impl Client {
    async fn to(address: SocketAddr) -> Self {
        Self(BufReader::new(TcpStream::connect(address).await.unwrap()))
    }

    /// The status of the next answer, its `Retry-After`, and its body.
    async fn ask(&mut self, request: &str) -> Answer {
        self.0.write_all(request.as_bytes()).await.unwrap();
        let answer = timeout(PATIENCE, self.answer());
        answer.await.unwrap()
    }

    async fn answer(&mut self) -> Answer {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let read = self.0.read_line(&mut head).await.unwrap();
            assert_ne!(read, 0, "no answer: {head}");
        }
        let head = head.to_ascii_lowercase();
        let header = |name: &str| {
            let value = head.lines().find_map(|line| line.strip_prefix(name));
            value.map(|value| value.trim().parse::<u32>().unwrap())
        };
        let length = header("content-length:").unwrap();
        let mut body = vec![0; usize::try_from(length).unwrap()];
        self.0.read_exact(&mut body).await.unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let body = serde_json::from_slice(&body).unwrap();
        (status, header("retry-after:"), body)
    }
}

/// Whether it was done, or refused for want of a turn, or of the database's time.
async fn is_done((status, retry_after, body): Answer, done: u16, until: Instant) -> bool {
    if status == done {
        return true;
    }
    let code = body["code"].as_str().unwrap();
    assert!(
        status == 503 && ["overloaded", "unavailable"].contains(&code),
        "{body}"
    );
    // As it is told, unless that is beyond the flood.
    let again = Instant::now() + Duration::from_secs(retry_after.unwrap().into());
    sleep_until(again.min(until).into()).await;
    false
}

/// Logs in again and again; how often that was done.
async fn log_in(address: SocketAddr, nth: usize, until: Instant) -> usize {
    let body = credentials(&format!("p{}@example.com", nth % ACCOUNTS));
    let (mut client, mut done) = (Client::to(address).await, 0);
    loop {
        let answer = client.ask(&request("/v1/auth/login", &body)).await;
        done += usize::from(is_done(answer, 200, until).await);
        if until <= Instant::now() {
            return done;
        }
    }
}

/// The same of sign-ups as long as they may be.
async fn sign_up(address: SocketAddr, nth: usize, until: Instant) -> usize {
    let (mut client, mut done) = (Client::to(address).await, 0);
    for number in 0.. {
        let body = credentials(&format!("s{nth}.{number}@example.com"));
        let request = request("/v1/auth/signup", &format!("{body:<16384}"));
        done += usize::from(is_done(client.ask(&request).await, 201, until).await);
        if until <= Instant::now() {
            break;
        }
    }
    done
}

/// Asks for what is long, and for much more behind it, and reads nothing.
async fn read_nothing(address: SocketAddr, until: Instant) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.set_send_buffer_size(4096).unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    let asked = b"GET /openapi.yaml HTTP/1.1\r\nHost: a\r\n\r\n";
    stream.write_all(asked).await.unwrap();
    let more = "GET / HTTP/1.1\r\nHost:a\r\n\r\n".repeat(20_000);
    let _ = timeout_at(until.into(), stream.write_all(more.as_bytes())).await;
}

/// Sends nearly the longest head that is read, and not its end.
async fn never_end(address: SocketAddr, until: Instant) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "GET /v1/me HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}",
        "x".repeat(120_000)
    );
    // It may be told to go while it sends.
    let _ = stream.write_all(head.as_bytes()).await;
    sleep_until(until.into()).await;
}

/// All of them at once; how many logins and sign-ups were done.
async fn flood(keyward: &Keyward) -> (usize, usize) {
    let address: SocketAddr = keyward.url.trim_start_matches("http://").parse().unwrap();
    let until = Instant::now() + FLOOD;
    let each = |count: usize| 0..count;
    let (logins, sign_ups, ..) = join4(
        join_all(each(LOGINS).map(|nth| log_in(address, nth, until))),
        join_all(each(SIGN_UPS).map(|nth| sign_up(address, nth, until))),
        join_all(each(SLOW_READERS).map(|_| read_nothing(address, until))),
        join_all(each(LONG_HEADS).map(|_| never_end(address, until))),
    )
    .await;
    (logins.iter().sum(), sign_ups.iter().sum())
}

/// The most memory that the process has had, without that of its program, in KiB.
fn peak(keyward: &Keyward) -> u64 {
    let pid = keyward.pid().as_raw_nonzero();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let of = |name: &str| -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let value = line.unwrap().trim().trim_end_matches(" kB");
        value.parse().unwrap()
    };
    of("VmHWM:") - of("RssFile:")
}

async fn stays_within(memory_kib: u64, iterations: u64) {
    let home = home();
    let keyward = Keyward::start_with(home.path(), |command| {
        for (name, value) in [
            ("KEYWARD_ARGON2_MEMORY_KIB", memory_kib),
            ("KEYWARD_ARGON2_ITERATIONS", iterations),
            ("KEYWARD_HASH_CONCURRENCY", PERMITS),
            ("KEYWARD_MAX_CONNECTIONS", PLACES as u64),
        ] {
            command.env(name, value.to_string());
        }
        // Of one address only few are let through to the hash.
        command.env("KEYWARD_LOGIN_THROTTLE", "off");
    });
    for number in 0..ACCOUNTS {
        let body = json!({ "email": format!("p{number}@example.com"), "password": PASSWORD });
        assert_eq!(keyward.post("/v1/auth/signup", &body).await.0, 201);
    }
    let before = peak(&keyward);
    let (logins, sign_ups) = flood(&keyward).await;
    assert!(logins + sign_ups > 0, "{logins} {sign_ups}");
    let (peak, most) = (peak(&keyward), PERMITS * memory_kib + BESIDE);
    assert!(peak <= most, "{peak} KiB of {most}, {before} before");
    let ann = keyward.sign_up().await;
    assert_eq!(keyward.get("/v1/me", &ann["access_token"]).await, 200);
    assert_eq!(keyward.log_in().await.0, 200);
    assert!(keyward.stop().success());
}

#[tokio::test]
async fn a_flood_costs_little_beside_the_hashes() {
    // One after the other: two floods at once are one that is larger.
    stays_within(19_456, 2).await;
    // The other choice that OWASP names.
    stays_within(47_104, 1).await;
}
