//! The service while its PostgreSQL is stopped, restarted, or has no disk left; and after it.

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use reqwest::{Client, RequestBuilder};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use crate::keyward::{EMAIL, Keyward, PASSWORD, children, home};

/// The processes of a PostgreSQL, held still until this is dropped.
pub(crate) struct HeldStill(Vec<Pid>);

impl HeldStill {
    pub(crate) fn of(keyward: &Keyward) -> Self {
        let postmaster = keyward.postgres();
        kill_process(postmaster, Signal::STOP).unwrap();
        // From now on there are no new ones.
        let pids = [postmaster].into_iter().chain(children(postmaster));
        let held = Self(pids.collect());
        for pid in &held.0 {
            // One may just have ended.
            let _ = kill_process(*pid, Signal::STOP);
        }
        assert!(held.0.len() > 3, "where are they?");
        held
    }
}

impl Drop for HeldStill {
    fn drop(&mut self) {
        for pid in self.0.iter().rev() {
            let _ = kill_process(*pid, Signal::CONT);
        }
    }
}

pub(super) fn get(keyward: &Keyward, path: &str) -> RequestBuilder {
    client().get(format!("{}{path}", keyward.url))
}

pub(super) fn post(keyward: &Keyward, path: &str, body: &Value) -> RequestBuilder {
    client().post(format!("{}{path}", keyward.url)).json(body)
}

fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

pub(super) async fn status(request: RequestBuilder) -> u16 {
    request.send().await.unwrap().status().as_u16()
}

/// Refused with the code, when to come back, and nothing else, within three seconds.
pub(super) async fn is_unavailable(request: RequestBuilder) {
    let asked = Instant::now();
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 503, "{}", answer.url());
    assert_eq!(answer.headers()["retry-after"], "1");
    let body: Value = answer.json().await.unwrap();
    assert!(
        asked.elapsed() < Duration::from_secs(3),
        "{:?}",
        asked.elapsed()
    );
    assert_eq!(body["code"], "unavailable");
    assert_eq!(body.as_object().unwrap().len(), 6, "{body}");
}

pub(super) fn log_in(keyward: &Keyward, email: &str) -> RequestBuilder {
    let body = json!({ "email": email, "password": PASSWORD });
    post(keyward, "/v1/auth/login", &body)
}

pub(super) fn sign_up(keyward: &Keyward, email: &str) -> RequestBuilder {
    let body = json!({ "email": email, "password": PASSWORD });
    post(keyward, "/v1/auth/signup", &body)
}

#[tokio::test]
async fn while_its_processes_are_stopped_everything_is_unavailable_and_two_seconds_later_nothing() {
    let home = home();
    let keyward = Keyward::start(home.path());
    let ann = keyward.sign_up().await;
    let token = ann["access_token"].as_str().unwrap();
    let held = HeldStill::of(&keyward);
    tokio::join!(
        is_unavailable(log_in(&keyward, EMAIL)),
        is_unavailable(sign_up(&keyward, "bob@example.com")),
        is_unavailable(get(&keyward, "/v1/me").bearer_auth(token)),
        is_unavailable(get(&keyward, "/v1/me/sessions").bearer_auth(token)),
        is_unavailable(get(&keyward, "/health/ready")),
    );
    assert_eq!(status(get(&keyward, "/health/live")).await, 200);
    assert_eq!(status(get(&keyward, "/.well-known/jwks.json")).await, 200);
    drop(held);
    let back = Instant::now();
    assert_eq!(status(get(&keyward, "/health/ready")).await, 200);
    assert_eq!(keyward.log_in().await.0, 200);
    assert_eq!(keyward.get("/v1/me", &ann["access_token"]).await, 200);
    assert_eq!(keyward.refresh(&ann["refresh_token"]).await.0, 200);
    assert!(
        back.elapsed() < Duration::from_secs(2),
        "{:?}",
        back.elapsed()
    );
    assert!(keyward.stop().success());
}

#[tokio::test]
async fn restarted_under_load_it_loses_nothing_that_was_acknowledged() {
    let home = home();
    let keyward = Keyward::start(home.path());
    let ann = keyward.sign_up().await;
    let first = keyward.postgres();
    let mut acknowledged = Vec::new();
    for number in 0_u16.. {
        if number == 5 {
            // A fast shutdown, as of an operator; the service starts it again.
            kill_process(first, Signal::INT).unwrap();
        }
        assert!(number < 500, "it does not come back:\n{}", keyward.log());
        let new = keyward.postgres_if_there().is_some_and(|pid| pid != first);
        let email = format!("p{number}@example.com");
        match status(sign_up(&keyward, &email)).await {
            201 => acknowledged.push(email),
            503 => continue,
            other => panic!("{other}\n{}", keyward.log()),
        }
        if new {
            break;
        }
    }
    assert!(acknowledged.len() > 5);
    let back = Instant::now();
    assert_eq!(status(get(&keyward, "/health/ready")).await, 200);
    assert_eq!(keyward.get("/v1/me", &ann["access_token"]).await, 200);
    assert_eq!(keyward.refresh(&ann["refresh_token"]).await.0, 200);
    assert!(
        back.elapsed() < Duration::from_secs(2),
        "{:?}",
        back.elapsed()
    );
    for email in acknowledged {
        assert_eq!(status(log_in(&keyward, &email)).await, 200, "{email}");
    }
    assert!(keyward.stop().success());
}

/// The file of a table, on a disk that is full until this is dropped.
struct FullDisk {
    file: PathBuf,
    aside: PathBuf,
}

impl FullDisk {
    /// The table is empty: nothing of it may be in memory.
    async fn under(keyward: &Keyward, home: &std::path::Path, database: &mut PgConnection) -> Self {
        let path: String = sqlx::query_scalar("select pg_relation_filepath('security_events')")
            .fetch_one(&mut *database)
            .await
            .unwrap();
        let file = home.join(".keyward/postgres").join(path);
        let aside = file.with_extension("aside");
        sqlx::raw_sql("checkpoint").execute(database).await.unwrap();
        std::fs::rename(&file, &aside).unwrap();
        symlink("/dev/full", &file).unwrap();
        reopen(keyward).await;
        Self { file, aside }
    }
}

impl Drop for FullDisk {
    fn drop(&mut self) {
        std::fs::rename(&self.aside, &self.file).unwrap();
    }
}

/// Ends the service's connections: each opens its files itself.
async fn reopen(keyward: &Keyward) {
    let mut database = PgConnection::connect(&keyward.database_url())
        .await
        .unwrap();
    sqlx::raw_sql(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name like 'keyward%'",
    )
    .execute(&mut database)
    .await
    .unwrap();
}

#[tokio::test]
async fn without_disk_for_events_nothing_is_acknowledged_and_nothing_is_kept() {
    let home = home();
    let keyward = Keyward::start(home.path());
    let ann = keyward.sign_up().await;
    let mut database = PgConnection::connect(&keyward.database_url())
        .await
        .unwrap();
    sqlx::raw_sql("truncate security_events")
        .execute(&mut database)
        .await
        .unwrap();
    let full = FullDisk::under(&keyward, home.path(), &mut database).await;
    let log_out = json!({ "refresh_token": ann["refresh_token"] });
    is_unavailable(log_in(&keyward, EMAIL)).await;
    is_unavailable(sign_up(&keyward, "bob@example.com")).await;
    is_unavailable(post(&keyward, "/v1/auth/logout", &log_out)).await;
    let said = keyward.log();
    assert!(said.contains("No space left on device"), "{said}");
    // These write no event.
    assert_eq!(keyward.get("/v1/me", &ann["access_token"]).await, 200);
    let (refreshed, new) = keyward.refresh(&ann["refresh_token"]).await;
    assert_eq!(refreshed, 200);
    assert_eq!(status(get(&keyward, "/health/live")).await, 200);
    drop(full);
    reopen(&keyward).await;
    let back = Instant::now();
    assert_eq!(keyward.log_in().await.0, 200);
    assert_eq!(keyward.refresh(&new["refresh_token"]).await.0, 200);
    // Of the first try nothing was kept.
    assert_eq!(status(sign_up(&keyward, "bob@example.com")).await, 201);
    assert!(back.elapsed() < Duration::from_secs(2));
    assert!(keyward.stop().success());
}
