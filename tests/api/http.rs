//! HTTP itself, byte by byte: sizes, deadlines, and requests that are made to be mistaken for others.

use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use serde_json::json;

use crate::support::{PASSWORD, TestApp, Wire};

const LOGIN: &str = "/v1/auth/login";
const LIMIT: usize = 16 * 1024;

/// The head of a login, with these lines in it.
pub(crate) fn login(lines: &str) -> String {
    format!("POST {LOGIN} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n{lines}\r\n")
}

/// A login of nobody, as a whole request.
fn whole_login() -> (String, String) {
    let body = json!({ "email": "nobody@example.com", "password": PASSWORD }).to_string();
    (login(&format!("Content-Length: {}\r\n", body.len())), body)
}

pub(crate) async fn a_login_works(wire: &mut Wire) {
    let (head, body) = whole_login();
    wire.send(head + &body).await;
    wire.answer("POST", LOGIN)
        .await
        .refused(401, "invalid_credentials");
}

#[actix_web::test]
async fn a_body_of_16_kib_is_read_and_one_byte_more_is_not() {
    let app = TestApp::start().await;
    let empty = json!({ "refresh_token": "" }).to_string().len();
    let of = |length: usize| json!({ "refresh_token": "x".repeat(length - empty) });
    app.post("/v1/auth/refresh", of(LIMIT))
        .await
        .refused(401, "refresh_token_invalid");
    app.post("/v1/auth/refresh", of(LIMIT + 1))
        .await
        .refused(413, "payload_too_large");
}

// INP-02
#[actix_web::test]
async fn a_body_that_is_announced_too_long_is_refused_unread() {
    let app = TestApp::start().await;
    let lengths = ["16385", "10485760", "1000000000000", "18446744073709551615"];
    join_all(lengths.map(async |length| {
        let mut wire = Wire::to(&app).await;
        wire.send(login(&format!("Content-Length: {length}\r\n")))
            .await;
        wire.answer("POST", LOGIN)
            .await
            .refused(413, "payload_too_large");
        assert!(wire.is_closed().await, "{length}");
    }))
    .await;
}

// INP-02
#[actix_web::test]
async fn a_chunked_body_is_refused_where_it_becomes_too_long() {
    let app = TestApp::start().await;
    let mut wire = Wire::to(&app).await;
    wire.send(login("Transfer-Encoding: chunked\r\n")).await;
    for _ in 0..4 {
        wire.send(format!("1000\r\n{}\r\n", " ".repeat(0x1000)))
            .await;
    }
    wire.send("1\r\n{\r\n").await;
    let answer = wire.answer("POST", LOGIN).await;
    answer.refused(413, "payload_too_large");
    assert_eq!(answer.header("connection"), Some("close"));
}

#[actix_web::test]
async fn a_chunked_body_is_a_body() {
    let app = TestApp::start().await;
    let mut wire = Wire::to(&app).await;
    let (_, body) = whole_login();
    wire.send(login("Transfer-Encoding: chunked\r\n")).await;
    for byte in body.chars() {
        wire.send(format!("1\r\n{byte}\r\n")).await;
    }
    wire.send("0\r\n\r\n").await;
    wire.answer("POST", LOGIN)
        .await
        .refused(401, "invalid_credentials");
    a_login_works(&mut wire).await;
}

#[actix_web::test]
async fn who_asks_before_sending_a_body_is_told_to_go_on() {
    let app = TestApp::start().await;
    let mut wire = Wire::to(&app).await;
    let (_, body) = whole_login();
    let lines = format!("Content-Length: {}\r\nExpect: 100-continue\r\n", body.len());
    wire.send(login(&lines)).await;
    assert_eq!(wire.bare("POST").await.status, 100);
    wire.send(body).await;
    wire.answer("POST", LOGIN)
        .await
        .refused(401, "invalid_credentials");
    a_login_works(&mut wire).await;
}

#[actix_web::test]
async fn requests_sent_at_once_are_answered_in_order() {
    let app = TestApp::start().await;
    let mut wire = Wire::to(&app).await;
    let (head, body) = whole_login();
    let live = "GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n";
    let nothing = "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n";
    wire.send(format!("{head}{body}{live}{nothing}{head}{body}{live}"))
        .await;
    for (method, path, status) in [
        ("POST", LOGIN, 401),
        ("GET", "/health/live", 200),
        ("GET", "/nothing", 404),
        ("POST", LOGIN, 401),
        ("GET", "/health/live", 200),
    ] {
        assert_eq!(wire.answer(method, path).await.status, status);
    }
}

#[actix_web::test]
async fn a_request_of_http_1_0_is_answered_and_the_connection_closed() {
    let app = TestApp::start().await;
    let mut wire = Wire::to(&app).await;
    wire.send("GET /health/live HTTP/1.0\r\n\r\n").await;
    wire.answer("GET", "/health/live").await.is(200);
    assert!(wire.is_closed().await);
    let mut wire = Wire::to(&app).await;
    let (head, body) = whole_login();
    wire.send(head.replace("HTTP/1.1", "HTTP/1.0") + &body)
        .await;
    wire.answer("POST", LOGIN)
        .await
        .refused(401, "invalid_credentials");
    assert!(wire.is_closed().await);
}

#[actix_web::test]
async fn who_leaves_in_the_middle_of_a_request_harms_nobody() {
    let app = TestApp::start().await;
    let (head, body) = whole_login();
    let whole = head + &body;
    for end in [
        1,
        20,
        whole.len() - body.len(),
        whole.len() - 1,
        whole.len(),
    ] {
        let mut wire = Wire::to(&app).await;
        wire.send(&whole[..end]).await;
        drop(wire);
    }
    a_login_works(&mut Wire::to(&app).await).await;
}

#[actix_web::test]
async fn an_answer_to_head_has_no_body() {
    let app = TestApp::start().await;
    let mut wire = Wire::to(&app).await;
    for (path, status) in [
        ("/health/live", 200),
        ("/v1/me", 401),
        (LOGIN, 405),
        ("/nothing", 404),
    ] {
        wire.send(format!("HEAD {path} HTTP/1.1\r\nHost: a\r\n\r\n"))
            .await;
        assert_eq!(wire.answer("HEAD", path).await.status, status);
        a_login_works(&mut wire).await;
    }
}

/// How long it takes until a request that stops in the middle is given up.
async fn given_up(app: &TestApp, sent: String) -> Duration {
    let start = Instant::now();
    let mut wire = Wire::to(app).await;
    wire.send(&sent).await;
    // Before there is a whole head there is no request, and the answer is not ours to word.
    let answer = if sent.contains("\r\n\r\n") {
        let answer = wire.answer("POST", LOGIN).await;
        answer.refused(408, "request_timeout");
        answer
    } else {
        wire.bare("POST").await
    };
    assert_eq!(answer.status, 408);
    assert_eq!(answer.header("connection"), Some("close"));
    start.elapsed()
}

// INP-03
#[actix_web::test]
async fn what_does_not_arrive_in_time_is_given_up() {
    let app = TestApp::start().await;
    let (body, length) = ("{\"email\":", "Content-Length: 99\r\n");
    let slow = join_all([
        given_up(&app, login(length) + body),
        given_up(&app, login("Transfer-Encoding: chunked\r\n") + "2\r\n{"),
        given_up(&app, login(length).trim_end().to_owned()),
    ]);
    // Everybody else is served meanwhile.
    let (took, ()) = join(slow, async {
        a_login_works(&mut Wire::to(&app).await).await;
    })
    .await;
    let seconds = |from, to| Duration::from_secs(from)..Duration::from_secs(to);
    assert!(seconds(9, 14).contains(&took[0]), "{took:?}");
    assert!(seconds(9, 14).contains(&took[1]), "{took:?}");
    assert!(seconds(4, 8).contains(&took[2]), "{took:?}");
}
