//! Clients that send or read slowly, or hold more connections than they should: they cost little, and stop nobody.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use futures_util::future::{join, join_all};
use keyward::app::Connections;
use keyward::server;
use tokio::time::{sleep, timeout};

use crate::http::login;
use crate::support::{TestApp, Wire};

const LIVE: &str = "GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n";
/// For what is to happen.
const PATIENCE: Duration = Duration::from_secs(20);
/// So many of each kind at once.
const MANY: usize = 200;

/// How long it takes until they are given up.
async fn given_up(clients: impl IntoIterator<Item = impl Future<Output = ()>>) -> Duration {
    let start = Instant::now();
    join_all(clients).await;
    start.elapsed()
}

async fn sends_half_a_head(app: &TestApp) {
    let mut wire = Wire::to(app).await;
    wire.send("POST /v1/auth/login HTTP/1.1\r\nHost: a\r\nX-A: ")
        .await;
    assert_eq!(wire.bare("POST").await.status, 408);
    assert!(wire.is_closed().await);
}

async fn sends_half_a_body(app: &TestApp) {
    let mut wire = Wire::to(app).await;
    wire.send(login("Content-Length: 99\r\n") + "{\"email\":")
        .await;
    let answer = wire.answer("POST", "/v1/auth/login").await;
    answer.refused(408, "request_timeout");
    assert!(wire.is_closed().await);
}

/// Asks for more than the kernel takes of one connection.
async fn reads_nothing(app: &TestApp) {
    let mut wire = Wire::narrow(app).await;
    let contract = "GET /openapi.yaml HTTP/1.1\r\nHost: a\r\n\r\n";
    wire.send(contract.repeat(8)).await;
    assert!(wire.is_cut_off().await);
}

#[actix_web::test]
async fn six_hundred_slow_clients_stop_nobody_and_are_given_up() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let heads = given_up((0..MANY).map(|_| sends_half_a_head(&app)));
    let bodies = given_up((0..MANY).map(|_| sends_half_a_body(&app)));
    let readers = given_up((0..MANY).map(|_| reads_nothing(&app)));
    let others = async {
        for number in 0..10 {
            ann.me().await.is(200);
            app.sign_up(&format!("u{number}@example.com")).await;
            let mut wire = Wire::to(&app).await;
            wire.send(LIVE).await;
            wire.answer("GET", "/health/live").await.is(200);
        }
    };
    let ((heads, bodies), (readers, ())) = join(join(heads, bodies), join(readers, others)).await;
    let seconds = |from, to| Duration::from_secs(from)..Duration::from_secs(to);
    // Later than the deadlines of one, because hundreds are served by a thread that others share.
    assert!(seconds(4, 15).contains(&heads), "{heads:?}");
    assert!(seconds(9, 20).contains(&bodies), "{bodies:?}");
    assert!(seconds(19, 35).contains(&readers), "{readers:?}");
    let scraped = app.scrape().await;
    let cut_off = scraped.counted("keyward_http_clients_cut_off_total");
    assert_eq!(
        cut_off,
        [("reason=too_slow".to_owned(), MANY as u64)].into()
    );
}

#[actix_web::test]
async fn who_has_room_for_little_gets_all_of_it() {
    let app = TestApp::start().await;
    let mut wire = Wire::narrow(&app).await;
    wire.send("GET /openapi.yaml HTTP/1.1\r\nHost: a\r\n\r\n")
        .await;
    wire.send(LIVE).await;
    let contract = wire.bare("GET").await;
    assert_eq!(contract.text(), app.get("/openapi.yaml").await.text());
    wire.answer("GET", "/health/live").await.is(200);
}

/// Whether the kernel keeps the service's end of the connection.
fn is_kept(wire: &Wire, app: &TestApp) -> bool {
    let port = |port: u16| format!(":{port:04X}");
    let ends = (port(app.address.port()), port(wire.port()));
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let mut rows = table.lines().map(|row| row.split_whitespace());
    rows.any(|mut row| {
        let (local, remote) = (row.nth(1).unwrap(), row.next().unwrap());
        local.ends_with(&ends.0) && remote.ends_with(&ends.1)
    })
}

#[actix_web::test]
async fn what_was_closed_and_is_not_read_is_given_up() {
    let app = TestApp::start().await;
    let mut wire = Wire::narrow(&app).await;
    let errors = "GET /docs/errors HTTP/1.1\r\nHost: a\r\n\r\n";
    wire.send(errors.repeat(2)).await;
    wire.send(errors.replace("Host", "Connection: close\r\nHost"))
        .await;
    assert!(is_kept(&wire, &app));
    let given_up = async {
        while is_kept(&wire, &app) {
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(Duration::from_mins(2), given_up).await.unwrap();
}

/// A connection that was answered once, and on which this follows.
async fn used(app: &TestApp, follows: &str) -> Wire {
    let mut wire = Wire::to(app).await;
    wire.send(LIVE).await;
    wire.answer("GET", "/health/live").await.is(200);
    wire.send(follows).await;
    wire
}

async fn stops_in_a_later_head(app: &TestApp) {
    assert!(used(app, "GET /health").await.is_closed().await);
}

async fn stops_in_a_pipelined_head(app: &TestApp) {
    let mut wire = used(app, &format!("{LIVE}GET /health")).await;
    wire.answer("GET", "/health/live").await.is(200);
    wire.send("/l").await;
    assert!(wire.is_closed().await);
}

/// As clients of old do after a body.
async fn sends_an_empty_line(app: &TestApp) {
    let mut wire = used(app, "\r\n").await;
    sleep(Duration::from_secs(26)).await;
    wire.send(LIVE).await;
    wire.answer("GET", "/health/live").await.is(200);
}

/// A body that nobody wants, and that has no end.
async fn drips(app: &TestApp, method: &str, path: &str) {
    let mut wire = Wire::to(app).await;
    let head = format!("{method} {path} HTTP/1.1\r\nHost: a\r\n");
    wire.send(format!("{head}Transfer-Encoding: chunked\r\n\r\n"))
        .await;
    wire.answer(method, path).await;
    wire.drips(b"4\r\nabcd\r\n").await;
}

#[actix_web::test]
async fn what_follows_an_answer_and_never_ends_is_cut_off() {
    let app = TestApp::start().await;
    let heads = join(stops_in_a_later_head(&app), stops_in_a_pipelined_head(&app));
    let refused = join(
        drips(&app, "PATCH", "/v1/me"),
        drips(&app, "POST", "/nothing"),
    );
    let unwanted = drips(&app, "GET", "/health/live");
    let others = join(unwanted, sends_an_empty_line(&app));
    join(heads, join(refused, others)).await;
}

#[actix_web::test]
async fn a_thousand_requests_sent_at_once_are_answered_in_order() {
    let app = TestApp::start().await;
    let mut wire = Wire::to(&app).await;
    let nothing = "GET /nothing HTTP/1.1\r\nHost: a\r\nVia: HTTP/1.1\r\n\r\n";
    wire.send(format!("{LIVE}{nothing}").repeat(500)).await;
    for _ in 0..500 {
        wire.answer("GET", "/health/live").await.is(200);
        wire.answer("GET", "/nothing")
            .await
            .refused(404, "not_found");
    }
}

/// A listener of the same service that allows so many connections, and spares nobody.
fn allowing(app: &TestApp, total: usize, per_source: usize) -> (SocketAddr, ServerHandle) {
    let mut narrow = app.app.clone();
    narrow.connections = Connections {
        total,
        per_source,
        spared: Vec::new(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = server::run(&narrow, listener, 1).unwrap();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    (address, handle)
}

/// A connection of the source that has been answered, if there is a place for it.
async fn placed(source: Ipv4Addr, to: SocketAddr) -> Option<Wire> {
    let mut wire = Wire::from(source, to).await;
    wire.send(LIVE).await;
    let answer = wire.bare("GET").await;
    if answer.status == 200 {
        return Some(wire);
    }
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(wire.is_closed().await);
    None
}

#[actix_web::test]
async fn a_source_has_so_many_connections_and_gets_them_back_however_they_end() {
    let app = TestApp::start().await;
    let (to, handle) = allowing(&app, 100, 1);
    let [one, other] = [2, 3].map(|last| Ipv4Addr::new(127, 0, 0, last));
    let again = async || {
        let placed = async || loop {
            if let Some(wire) = placed(one, to).await {
                return wire;
            }
        };
        timeout(PATIENCE, placed()).await.expect("a place")
    };
    let end = async |how: &str, bytes: &str| {
        let mut wire = again().await;
        assert!(placed(one, to).await.is_none(), "{how}");
        assert!(placed(other, to).await.is_some(), "{how}");
        if !bytes.is_empty() {
            wire.send(bytes).await;
            wire.bare("GET").await;
            assert!(wire.is_closed().await, "{how}");
        } else if how == "reset" {
            wire.reset();
        }
    };
    end("left", "").await;
    end("reset", "").await;
    end("not HTTP", "what?\r\n\r\n").await;
    let bye = LIVE.replace("Host", "Connection: close\r\nHost");
    end("asked for", &bye).await;
    end(
        "a body unread",
        &LIVE.replace("\r\n\r\n", "\r\nContent-Length: 9\r\n\r\n"),
    )
    .await;
    again().await;
    let cut_off = app.scrape().await;
    let cut_off = cut_off.counted("keyward_http_clients_cut_off_total");
    assert!(cut_off["reason=too_many"] >= 5, "{cut_off:?}");
    drop(handle.stop(false));
}

#[actix_web::test]
async fn over_the_total_a_connection_waits_until_another_ends() {
    let app = TestApp::start().await;
    let (to, handle) = allowing(&app, 4, 100);
    let mut wires = Vec::new();
    for last in 1..=4 {
        wires.push(placed(Ipv4Addr::new(127, 0, 0, last), to).await.unwrap());
    }
    let mut fifth = Box::pin(placed(Ipv4Addr::new(127, 0, 0, 5), to));
    let early = timeout(Duration::from_millis(300), &mut fifth).await;
    assert!(early.is_err(), "there is no place yet");
    wires.pop();
    wires.push(fifth.await.unwrap());
    let connected = async || app.scrape().await.of("keyward_http_connections");
    assert!(connected().await >= 4.0);
    drop(wires);
    let gone = async { while connected().await >= 4.0 {} };
    timeout(PATIENCE, gone).await.unwrap();
    drop(handle.stop(false));
}
