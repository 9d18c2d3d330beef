//! Heads of requests that are made to be mistaken for others, or to be too much.

use crate::http::{a_login_works, login};
use crate::support::{Answer, TestApp, Wire};

/// A body that nobody reads, made to look like a request.
const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: a\r\nX-Request-Id: smuggled-in\r\n\r\n";

// INP-10
#[actix_web::test]
async fn a_body_that_is_not_read_is_not_taken_for_a_request() {
    let app = TestApp::start().await;
    let length = HIDDEN.len();
    for (method, path) in [
        ("GET", "/health/live"),
        ("GET", "/v1/me"),
        ("POST", "/nothing"),
        ("PUT", "/v1/me"),
        ("PATCH", "/v1/me"),
        ("POST", "/v1/me/delete"),
    ] {
        let mut wire = Wire::to(&app).await;
        let head = format!("{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n");
        wire.send(format!(
            "{head}Content-Type: application/json\r\n\r\n{HIDDEN}"
        ))
        .await;
        let answer = wire.answer(method, path).await;
        assert_ne!(answer.header("x-request-id"), Some("smuggled-in"));
        if answer.header("connection") == Some("close") {
            assert!(wire.is_closed().await, "{method} {path}");
            continue;
        }
        // Either the next request is answered, or none.
        a_login_works(&mut wire).await;
    }
}

/// An answer to what is no request, and whether it tells anything.
async fn is_turned_away(app: &TestApp, bytes: &[u8]) -> Answer {
    let mut wire = Wire::to(app).await;
    wire.send(bytes).await;
    let answer = wire.bare("GET").await;
    assert_eq!(answer.text(), "", "{bytes:?}");
    assert_eq!(answer.header("server"), None);
    assert!(
        wire.is_closed().await,
        "{:?}",
        String::from_utf8_lossy(bytes)
    );
    answer
}

// INP-05, INP-10
#[actix_web::test]
async fn a_head_that_could_be_read_in_two_ways_is_not_read() {
    let app = TestApp::start().await;
    for lines in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: identity\r\n",
        "Content-Length: 4\r\nContent-Length: 5\r\n",
        "Content-Length: 4\r\nContent-Length: 4\r\n",
        "Content-Length: 4, 4\r\n",
        "Content-Length: +4\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 0x4\r\n",
        "Content-Length: 99999999999999999999999\r\n",
        "Content-Length : 4\r\n",
        "X-Folded: a\r\n b\r\n",
        "X-Nul: a\0b\r\n",
        "X-Bare: a\rb\r\n",
        "No colon\r\n",
        ": no name\r\n",
        "Host: b\r\n",
    ] {
        let answer = is_turned_away(&app, login(lines).as_bytes()).await;
        assert_eq!(answer.status, 400, "{lines:?}");
    }
    for start in [
        "GET /health/live\r\n\r\n",
        "GET  /health/live HTTP/1.1\r\n\r\n",
        "GET /health/live HTTP/9.9\r\n\r\n",
        "GET /health/live HTTP/1.1\r\n\r\n",
        "GET /he alth HTTP/1.1\r\nHost: a\r\n\r\n",
        "\0\r\n\r\n",
        "\x16\x03\x01\x02\0\x01\0\x01\r\n\r\n",
    ] {
        let answer = is_turned_away(&app, start.as_bytes()).await;
        assert_eq!(answer.status, 400, "{start:?}");
    }
}

// INP-05, JWT-16
#[actix_web::test]
async fn a_head_that_is_too_long_is_not_read() {
    let app = TestApp::start().await;
    let many = "X-Header: x\r\n".repeat(200);
    let answer = is_turned_away(&app, login(&many).as_bytes()).await;
    assert_eq!(answer.status, 431);
    // Not a byte more than is read, so that the connection is closed in order.
    let head = login("X-Header: ").trim_end().to_owned();
    let long = format!("{head}{}", "x".repeat(128 * 1024 - head.len()));
    assert_eq!(is_turned_away(&app, long.as_bytes()).await.status, 431);
    // One that is long and not too long is judged like any other.
    let mut wire = Wire::to(&app).await;
    let me = format!(
        "GET /v1/me HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\r\n",
        "x".repeat(100_000)
    );
    wire.send(me).await;
    wire.answer("GET", "/v1/me")
        .await
        .refused(401, "token_invalid");
    app.get("/health/live").await.is(200);
}
