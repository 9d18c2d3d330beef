//! A collector that does not take spans: callers notice nothing, and the log says it once.

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::collector::Collector;
use crate::keyward::{Keyward, home};

const NOT_TAKEN: &str = "spans are not taken by the collector";
const TAKEN_AGAIN: &str = "spans are taken by the collector again";
const LOST: &str = "the last spans were not taken by the collector";

fn start(home: &Path, url: &str, delay: &str) -> Keyward {
    Keyward::start_with(home, |command| {
        command
            .env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", url)
            .env("OTEL_BSP_SCHEDULE_DELAY", delay);
    })
}

/// Waits for a line of the log.
async fn until_logged(keyward: &Keyward, line: &str) {
    while !keyward.log().contains(line) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn one_that_is_away_costs_its_spans_and_one_line() {
    let home = home();
    // Nobody listens there any more.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let url = format!("http://{}/v1/traces", free.unwrap());
    let keyward = start(home.path(), &url, "10");
    keyward.sign_up().await;
    until_logged(&keyward, NOT_TAKEN).await;
    assert_eq!(keyward.log_in().await.0, 200);
    let file = home.path().join("keyward.log");
    assert!(keyward.stop().success());
    let log = std::fs::read_to_string(file).unwrap();
    assert_eq!(log.matches(NOT_TAKEN).count(), 1, "{log}");
}

#[tokio::test]
async fn one_that_does_not_prove_who_it_is_is_sent_nothing() {
    let (home, collector) = (home(), Collector::start(200));
    // It speaks no TLS.
    let url = collector.url.replace("http", "https");
    let keyward = Keyward::start_with(home.path(), |command| {
        command
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", url)
            .env("OTEL_BSP_SCHEDULE_DELAY", "10")
            .env("RUST_LOG", "info,keyward::spans=debug");
    });
    keyward.sign_up().await;
    until_logged(&keyward, NOT_TAKEN).await;
    assert!(keyward.log().contains("no answer of the collector"));
    assert_eq!(collector.asked(), 0);
}

#[tokio::test]
async fn one_that_sends_us_elsewhere_is_told_of_until_it_takes_again() {
    let (home, collector) = (home(), Collector::start(307));
    let url = format!("{}/v1/traces", collector.url);
    let keyward = start(home.path(), &url, "10");
    keyward.sign_up().await;
    until_logged(&keyward, NOT_TAKEN).await;
    // Not taken either, and not told of again.
    let asked = collector.asked();
    assert_eq!(keyward.log_in().await.0, 200);
    while collector.asked() == asked {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    collector.answer(200);
    assert_eq!(keyward.log_in().await.0, 200);
    until_logged(&keyward, TAKEN_AGAIN).await;
    assert!(!collector.everything().contains("elsewhere"));
    assert_eq!(keyward.log().matches(NOT_TAKEN).count(), 1);
}

#[tokio::test]
async fn one_that_hangs_holds_up_neither_callers_nor_the_stop() {
    let (home, collector) = (home(), Collector::start(0));
    let url = format!("{}/v1/traces", collector.url);
    let keyward = start(home.path(), &url, "10");
    keyward.sign_up().await;
    while collector.asked() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // More than the queue holds: 2,048 spans, of which a request has one at least.
    let nobody = serde_json::Value::from("");
    for _ in 0..2_100 {
        assert_eq!(keyward.get("/health/live", &nobody).await, 200);
    }
    let file = home.path().join("keyward.log");
    let asked = Instant::now();
    assert!(keyward.stop().success());
    assert!(
        asked.elapsed() < Duration::from_secs(8),
        "it waited for the collector"
    );
    let log = std::fs::read_to_string(file).unwrap();
    assert!(log.contains(LOST), "{log}");
}
