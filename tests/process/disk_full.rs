//! The service while the disk of its data is so full that PostgreSQL cannot even extend its write-ahead log; and after it.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, PgPool};

use crate::database_away::{get, is_unavailable, log_in, post, sign_up, status};
use crate::keyward::{EMAIL, Keyward, PASSWORD, command_by, home};

/// The new cluster has 40 MB, half of them its log.
const SIZE: &str = "size=96m,mode=755";
const MOUNT: &str = r#"mount -t tmpfs -o "$1" keyward "$2" && shift 2 && exec "$@""#;
const PROGRAM: &str = env!("CARGO_BIN_EXE_keyward");

/// A small disk that only one Keyward and its children see. It goes with the last of them.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn start(home: &Path) -> (Keyward, Self) {
        let disk = home.join("disk");
        std::fs::create_dir(&disk).unwrap();
        let keyward = Keyward::start_with(home, |command| {
            *command = command_by("unshare", home);
            command
                .args(namespace())
                .args(["sh", "-c", MOUNT, "sh", SIZE]);
            command.arg(&disk).arg(PROGRAM);
            command.env("KEYWARD_DATA_DIR", disk.join("data"));
        });
        let root = format!("/proc/{}/root", keyward.pid().as_raw_nonzero());
        let seen = Path::new(&root).join(disk.strip_prefix("/").unwrap());
        (keyward, Self(seen))
    }

    fn fill(&self) {
        let mut ballast = File::create(self.0.join("ballast")).unwrap();
        let block = vec![0; 64 * 1024];
        let full = loop {
            if let Err(error) = ballast.write_all(&block) {
                break error;
            }
        };
        assert_eq!(full.kind(), ErrorKind::StorageFull);
    }

    fn free(&self) {
        std::fs::remove_file(self.0.join("ballast")).unwrap();
    }

    fn database(&self) -> PgPool {
        let file = std::fs::read(self.0.join("data/connection.json")).unwrap();
        let connection: Value = serde_json::from_slice(&file).unwrap();
        let url = connection["database_url"].as_str().unwrap();
        let options: PgConnectOptions = url.parse().unwrap();
        let options = options
            .socket(self.0.join("data/run"))
            .disable_statement_logging();
        PgPoolOptions::new().connect_lazy_with(options)
    }
}

/// What `unshare` needs for a mount of one's own.
fn namespace() -> Vec<&'static str> {
    let mut how = vec!["--mount", "--propagation", "private"];
    if !rustix::process::geteuid().is_root() {
        how.extend(["--map-current-user", "--keep-caps"]);
    }
    let made = Command::new("unshare").args(&how).arg("true").status();
    assert!(
        made.is_ok_and(|status| status.success()),
        "a disk for this test is mounted by `unshare` of util-linux: as root with CAP_SYS_ADMIN, or where others may make \
         user namespaces"
    );
    how
}

/// Who was told that they have an account, and who was not.
#[derive(Default)]
struct Told {
    signed_up: Vec<String>,
    refused: Vec<String>,
}

/// Signs people up, while others write as well, until the database does not come back.
async fn sign_up_until_the_end(keyward: &Keyward, database: &PgPool, who: usize) -> Told {
    let mut told = Told::default();
    while lines(keyward, "cannot restart PostgreSQL") == 0 {
        let number = told.signed_up.len() + told.refused.len();
        assert!(number < 500, "it does not end:\n{}", keyward.log());
        let email = format!("p{who}-{number}@example.com");
        match status(sign_up(keyward, &email)).await {
            201 => told.signed_up.push(email),
            503 => told.refused.push(email),
            other => panic!("{other}\n{}", keyward.log()),
        }
        let written = "select pg_logical_emit_message(false, 'others', repeat('x', 200000))";
        let _ = sqlx::raw_sql(written).execute(database).await;
    }
    told
}

fn lines(keyward: &Keyward, with: &str) -> usize {
    let log = keyward.log();
    log.lines().filter(|line| line.contains(with)).count()
}

/// Returns when the log has so many lines with a text.
async fn until_it_says(keyward: &Keyward, text: &str, times: usize) {
    let asked = Instant::now();
    while lines(keyward, text) < times {
        let patience = Duration::from_secs(30);
        assert!(asked.elapsed() < patience, "{text}:\n{}", keyward.log());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A request to each operation that needs the database, as somebody who is signed in.
fn everything(keyward: &Keyward, ann: &Value) -> Vec<RequestBuilder> {
    let token = ann["access_token"].as_str().unwrap();
    let refresh = json!({ "refresh_token": ann["refresh_token"] });
    let password = json!({ "password": PASSWORD });
    let change = json!({ "current_password": PASSWORD, "new_password": "amber kettle window 31" });
    let mine = [
        get(keyward, "/v1/me"),
        get(keyward, "/v1/me/sessions"),
        get(keyward, "/v1/me/security-events"),
        post(keyward, "/v1/me/password", &change),
        post(keyward, "/v1/me/2fa/enable", &password),
        post(keyward, "/v1/me/delete", &password),
        post(keyward, "/v1/auth/logout", &json!({})),
    ];
    let open = [
        log_in(keyward, EMAIL),
        sign_up(keyward, "bob@example.com"),
        post(keyward, "/v1/auth/refresh", &refresh),
        post(keyward, "/v1/auth/logout", &refresh),
        get(keyward, "/health/ready"),
    ];
    let mine = mine.map(|request| request.bearer_auth(token));
    mine.into_iter().chain(open).collect()
}

async fn count(database: &PgPool, statement: &'static str) -> i64 {
    sqlx::query_scalar(statement)
        .fetch_one(database)
        .await
        .unwrap()
}

/// Each has the account they were told of; who was told of none has one that is whole, or can have it now.
async fn are_whole(keyward: &Keyward, database: &PgPool, told: &[Told]) {
    let half = "select count(*) from users where not exists (select from sessions where user_id = users.id)
        or not exists (select from security_events where user_id = users.id and event = 'account_created')";
    assert_eq!(count(database, half).await, 0);
    for email in told.iter().flat_map(|told| &told.signed_up) {
        assert_eq!(status(log_in(keyward, email)).await, 200, "{email}");
    }
    for email in told.iter().flat_map(|told| &told.refused) {
        match status(sign_up(keyward, email)).await {
            201 => {}
            409 => assert_eq!(status(log_in(keyward, email)).await, 200, "{email}"),
            other => panic!("{email}: {other}"),
        }
    }
}

#[tokio::test]
async fn on_a_full_disk_everything_is_unavailable_and_when_there_is_room_nothing_is_lost() {
    let home = home();
    let (keyward, disk) = SmallDisk::start(home.path());
    let (ann, database) = (keyward.sign_up().await, disk.database());
    disk.fill();
    let people = (0..4).map(|who| sign_up_until_the_end(&keyward, &database, who));
    let told = join_all(people).await;
    assert!(told.iter().any(|told| !told.signed_up.is_empty()));
    assert!(told.iter().any(|told| !told.refused.is_empty()));
    join_all(everything(&keyward, &ann).into_iter().map(is_unavailable)).await;
    assert_eq!(status(get(&keyward, "/health/live")).await, 200);
    assert_eq!(status(get(&keyward, "/.well-known/jwks.json")).await, 200);
    assert_eq!(
        lines(&keyward, "is full: "),
        lines(&keyward, "PostgreSQL ended by itself")
            + lines(&keyward, "cannot restart PostgreSQL")
    );
    // The next tries fail as well, and it goes on trying.
    until_it_says(&keyward, "cannot restart PostgreSQL", 4).await;
    disk.free();
    until_it_says(&keyward, "PostgreSQL runs again", 1).await;
    let back = Instant::now();
    assert_eq!(status(get(&keyward, "/health/ready")).await, 200);
    assert_eq!(keyward.get("/v1/me", &ann["access_token"]).await, 200);
    assert_eq!(keyward.refresh(&ann["refresh_token"]).await.0, 200);
    assert_eq!(keyward.log_in().await.0, 200);
    assert!(
        back.elapsed() < Duration::from_secs(2),
        "{:?}",
        back.elapsed()
    );
    are_whole(&keyward, &database, &told).await;
    assert!(keyward.stop().success());
}
