//! Starting with nothing, stopping in order, starting again.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::time::Duration;

use futures_util::future::join_all;
use rustix::process::Signal;
use serde_json::Value;

use crate::keyward::{EMAIL, Keyward, PASSWORD, home, is_gone};

#[tokio::test]
async fn the_first_start_greets_with_a_command_that_signs_up() {
    let home = home();
    let keyward = Keyward::start(home.path());
    let greeting = &keyward.greeting;
    let data = std::fs::canonicalize(home.path().join(".keyward")).unwrap();
    assert!(greeting.contains(data.to_str().unwrap()), "{greeting}");
    assert!(
        greeting.contains(&format!("curl -s {}/v1/auth/signup", keyward.url)),
        "{greeting}"
    );
    let body = greeting
        .split("-d '")
        .nth(1)
        .unwrap()
        .split('\'')
        .next()
        .unwrap();
    let (status, answer) = keyward
        .post("/v1/auth/signup", &serde_json::from_str(body).unwrap())
        .await;
    assert_eq!(
        (status, &answer["user"]["email"]),
        (201, &Value::from(EMAIL))
    );
}

/// A sign-up of which the service has read all but the last bytes; those bytes.
fn begin_sign_up(keyward: &Keyward, number: usize) -> (TcpStream, Vec<u8>) {
    let body = format!(r#"{{"email":"ann{number}@example.com","password":"{PASSWORD}"}}"#);
    let (begun, rest) = body.split_at(20);
    let mut stream = TcpStream::connect(keyward.url.trim_start_matches("http://")).unwrap();
    let length = body.len();
    write!(stream, "POST /v1/auth/signup HTTP/1.1\r\nHost: keyward\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{begun}").unwrap();
    (stream, rest.as_bytes().to_vec())
}

#[tokio::test]
async fn requests_under_way_are_finished_before_it_stops() {
    for signal in [Signal::TERM, Signal::INT] {
        let home = home();
        let mut keyward = Keyward::start(home.path());
        let postgres = keyward.postgres();
        let begun: Vec<_> = (0..10)
            .map(|number| begin_sign_up(&keyward, number))
            .collect();
        // The heads have been read once the service knows of the requests, which later ones show. By those, the threads
        // that serve have all opened connections to the database.
        let nobody = Value::from("");
        let asking = (0..8).map(|_| keyward.get("/health/ready", &nobody));
        assert_eq!(join_all(asking).await, [200; 8]);
        keyward.signal(signal);
        while !keyward.log().contains("stopping") {
            std::thread::sleep(Duration::from_millis(5));
        }
        // One thread after the other has nothing to do any more, and ends, while others still work.
        let (first, second): (Vec<_>, Vec<_>) = begun
            .into_iter()
            .enumerate()
            .partition(|(number, _)| number % 2 == 0);
        for (_, (mut stream, rest)) in first.into_iter().chain(second) {
            stream.write_all(&rest).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            assert!(
                answer.starts_with("HTTP/1.1 201 "),
                "{answer}\n{}",
                keyward.log()
            );
        }
        assert_eq!(keyward.wait().code(), Some(0), "{}", keyward.log());
        assert!(is_gone(postgres));
    }
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let home = home();
    let keyward = Keyward::start(home.path());
    let ann = keyward.sign_up().await;
    assert!(keyward.stop().success());
    let keyward = Keyward::start(home.path());
    assert_eq!(keyward.get("/v1/me", &ann["access_token"]).await, 200);
    assert_eq!(keyward.refresh(&ann["refresh_token"]).await.0, 200);
    assert_eq!(keyward.log_in().await.0, 200);
}

#[tokio::test]
async fn it_runs_as_an_ordinary_user() {
    const NOBODY: u32 = 65534;
    let home = home();
    if !rustix::process::geteuid().is_root() {
        // Then every other test here shows it.
        return;
    }
    // The directory it was built in may be closed to others.
    let binary = home.path().join("keyward");
    std::fs::copy(env!("CARGO_BIN_EXE_keyward"), &binary).unwrap();
    std::fs::set_permissions(home.path(), PermissionsExt::from_mode(0o777)).unwrap();
    let keyward = Keyward::start_with(home.path(), |command| {
        let mut ordinary = std::process::Command::new(&binary);
        ordinary
            .current_dir(home.path())
            .env_clear()
            .env("KEYWARD_LISTEN", "127.0.0.1:0");
        ordinary
            .stdout(std::process::Stdio::piped())
            .uid(NOBODY)
            .gid(NOBODY);
        *command = ordinary;
    });
    keyward.sign_up().await;
    assert!(keyward.stop().success());
}

#[tokio::test]
async fn a_second_signal_stops_at_once() {
    let home = home();
    let mut keyward = Keyward::start(home.path());
    let mut stream = TcpStream::connect(keyward.url.trim_start_matches("http://")).unwrap();
    write!(stream, "POST /v1/auth/signup HTTP/1.1\r\nHost: keyward\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{{").unwrap();
    assert_eq!(keyward.log_in().await.0, 401);
    keyward.signal(Signal::TERM);
    while !keyward.log().contains("stopping") {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(200));
    keyward.signal(Signal::TERM);
    assert_eq!(keyward.wait().code(), Some(0), "{}", keyward.log());
    assert!(
        keyward.log().contains("stopping at once"),
        "{}",
        keyward.log()
    );
}

/// What a stopping service answers on a connection, up to its end.
fn last_answer(mut stream: TcpStream) -> String {
    write!(
        stream,
        "GET /health/ready HTTP/1.1\r\nHost: keyward\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test]
async fn it_serves_for_a_while_when_told_to_stop_and_says_so() {
    let home = home();
    let mut keyward = Keyward::start_with(home.path(), |command| {
        command.env("KEYWARD_STOP_DELAY", "10m");
    });
    let connect = || TcpStream::connect(keyward.url.trim_start_matches("http://")).unwrap();
    let mut kept = connect();
    write!(kept, "GET /health/live HTTP/1.1\r\nHost: keyward\r\n\r\n").unwrap();
    let mut answer = [0; 12];
    kept.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    keyward.signal(Signal::TERM);
    let not_ready = async {
        while keyward.get("/health/ready", &Value::from("")).await != 503 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let told = tokio::time::timeout(Duration::from_secs(20), not_ready).await;
    assert!(told.is_ok(), "{}", keyward.log());
    // Also one that was there before, and has been idle.
    for stream in [kept, connect()] {
        let answer = last_answer(stream).to_lowercase();
        assert!(answer.contains("http/1.1 503 "), "{answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    }
    keyward.sign_up().await;
    assert_eq!(keyward.log_in().await.0, 200);
    keyward.signal(Signal::TERM);
    assert_eq!(keyward.wait().code(), Some(0), "{}", keyward.log());
}
