//! The service while its PostgreSQL is stopped, restarted, or has no disk left; and after it.

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use reqwest::{Client, RequestBuilder};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use crate::keyward::{EMAIL, Keyward, PASSWORD, home};

/// The processes of a PostgreSQL, held still until this is dropped.
struct HeldStill(Vec<Pid>);

impl HeldStill {
    fn of(keyward: &Keyward) -> Self {
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

fn children(parent: Pid) -> Vec<Pid> {
    let of = format!(" {} ", parent.as_raw_nonzero());
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        // "pid (name) state parent …"
        let after = &stat[stat.rfind(')')? + 3..];
        after.starts_with(of.as_str()).then(|| Pid::from_raw(pid))?
    });
    pids.collect()
}

fn request(keyward: &Keyward, path: &str, body: Option<Value>) -> RequestBuilder {
    let http = Client::builder().no_proxy().build().unwrap();
    let url = format!("{}{path}", keyward.url);
    match body {
        Some(body) => http.post(url).json(&body),
        None => http.get(url),
    }
}

async fn status(request: RequestBuilder) -> u16 {
    request.send().await.unwrap().status().as_u16()
}

/// Refused with the code, when to come back, and nothing else, within three seconds.
async fn is_unavailable(request: RequestBuilder) {
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

fn log_in() -> Option<Value> {
    Some(json!({ "email": EMAIL, "password": PASSWORD }))
}

fn sign_up(email: &str) -> Option<Value> {
    Some(json!({ "email": email, "password": PASSWORD }))
}

#[tokio::test]
async fn while_its_processes_are_stopped_everything_is_unavailable_and_two_seconds_later_nothing() {
    let home = home();
    let keyward = Keyward::start(home.path());
    let ann = keyward.sign_up().await;
    let token = ann["access_token"].as_str().unwrap();
    let held = HeldStill::of(&keyward);
    tokio::join!(
        is_unavailable(request(&keyward, "/v1/auth/login", log_in())),
        is_unavailable(request(
            &keyward,
            "/v1/auth/signup",
            sign_up("bob@example.com")
        )),
        is_unavailable(request(&keyward, "/v1/me", None).bearer_auth(token)),
        is_unavailable(request(&keyward, "/v1/me/sessions", None).bearer_auth(token)),
        is_unavailable(request(&keyward, "/health/ready", None)),
    );
    assert_eq!(status(request(&keyward, "/health/live", None)).await, 200);
    assert_eq!(
        status(request(&keyward, "/.well-known/jwks.json", None)).await,
        200
    );
    drop(held);
    let back = Instant::now();
    assert_eq!(status(request(&keyward, "/health/ready", None)).await, 200);
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
        match status(request(&keyward, "/v1/auth/signup", sign_up(&email))).await {
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
    assert_eq!(status(request(&keyward, "/health/ready", None)).await, 200);
    assert_eq!(keyward.get("/v1/me", &ann["access_token"]).await, 200);
    assert_eq!(keyward.refresh(&ann["refresh_token"]).await.0, 200);
    assert!(
        back.elapsed() < Duration::from_secs(2),
        "{:?}",
        back.elapsed()
    );
    for email in acknowledged {
        assert_eq!(
            status(request(&keyward, "/v1/auth/login", sign_up(&email))).await,
            200,
            "{email}"
        );
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
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = 'keyward'",
    )
    .execute(&mut database)
    .await
    .unwrap();
}

#[tokio::test]
async fn without_disk_for_events_nothing_is_acknowledged_that_needs_one_and_nothing_is_kept_of_it()
{
    let home = home();
    let keyward = Keyward::start(home.path());
    let ann = keyward.sign_up().await;
    let token = ann["access_token"].as_str().unwrap();
    let mut database = PgConnection::connect(&keyward.database_url())
        .await
        .unwrap();
    sqlx::raw_sql("truncate security_events")
        .execute(&mut database)
        .await
        .unwrap();
    let full = FullDisk::under(&keyward, home.path(), &mut database).await;
    is_unavailable(request(&keyward, "/v1/auth/login", log_in())).await;
    is_unavailable(request(
        &keyward,
        "/v1/auth/signup",
        sign_up("bob@example.com"),
    ))
    .await;
    let log_out = request(
        &keyward,
        "/v1/auth/logout",
        Some(json!({ "refresh_token": ann["refresh_token"] })),
    );
    is_unavailable(log_out).await;
    assert_eq!(
        status(request(&keyward, "/v1/me", None).bearer_auth(token)).await,
        200
    );
    let (answered, refreshed) = keyward.refresh(&ann["refresh_token"]).await;
    assert_eq!(answered, 200, "it writes no event");
    assert_eq!(status(request(&keyward, "/health/live", None)).await, 200);
    assert!(
        keyward.log().contains("No space left on device"),
        "{}",
        keyward.log()
    );
    drop(full);
    reopen(&keyward).await;
    let back = Instant::now();
    assert_eq!(keyward.log_in().await.0, 200);
    assert_eq!(keyward.refresh(&refreshed["refresh_token"]).await.0, 200);
    let bob = request(&keyward, "/v1/auth/signup", sign_up("bob@example.com"));
    assert_eq!(status(bob).await, 201, "nothing was kept of the first try");
    assert!(
        back.elapsed() < Duration::from_secs(2),
        "{:?}",
        back.elapsed()
    );
    assert!(keyward.stop().success());
}
