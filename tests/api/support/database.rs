//! A database for each test, cloned from one that is migrated once. The server is an embedded one, started once a run
//! and not durable, or that of `KEYWARD_TEST_DATABASE_URL`.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyward::crypto::OsEntropy;
use keyward::domain::Entropy;
use keyward::embedded_postgres::{EmbeddedPostgres, Settings};
use keyward::repositories::Db;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};
use url::Url;

use super::Network;

/// One test's database. It goes when this does.
pub(crate) struct TestDatabase {
    name: String,
    /// Where the service finds it.
    pub(crate) url: String,
}

impl TestDatabase {
    pub(crate) async fn create() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("keyward_test_{}_{number}", std::process::id());
        let template = template();
        admin(&format!("create database {name} template {template}")).await;
        let url = server_url(&name);
        Self { name, url }
    }

    /// A new one, which the service reaches over a network that can fail. The test's own questions do not pass it.
    pub(crate) async fn behind_a_network() -> (Self, Network) {
        let mut database = Self::create().await;
        let (network, url) = Network::to(&database.url);
        database.url = url;
        (database, network)
    }

    /// For the test's own questions.
    pub(crate) fn pool(&self) -> PgPool {
        let options: PgConnectOptions = server_url(&self.name).parse().unwrap();
        PgPoolOptions::new()
            .max_connections(2)
            .connect_lazy_with(options)
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        drop_now(&format!("database if exists {} with (force)", self.name));
    }
}

/// A role that may serve a database, and has to be dropped after it: roles belong to the whole server.
pub(crate) struct ServingRole {
    pub(crate) name: String,
}

impl ServingRole {
    /// Made as the documentation says; the service finds the database as this role from now on.
    pub(crate) async fn of(database: &mut TestDatabase) -> Self {
        const DOCUMENTED: &str = include_str!("../../../docs/serving-role.sql");
        let name = format!("serving_{}", database.name);
        let owner = &mut PgConnection::connect(&database.url).await.unwrap();
        execute(owner, &DOCUMENTED.replace("keyward_serving", &name)).await;
        execute(owner, &format!("alter role {name} password '{name}'")).await;
        let mut url = Url::parse(&database.url).unwrap();
        url.set_username(&name).unwrap();
        url.set_password(Some(&name)).unwrap();
        database.url = url.into();
        Self { name }
    }
}

impl Drop for ServingRole {
    fn drop(&mut self) {
        drop_now(&format!("role if exists {}", self.name));
    }
}

fn drop_now(what: &str) {
    let command = format!("drop {what}");
    let dropped = std::thread::spawn(move || block_on(admin(&command))).join();
    let dropped = dropped.is_ok() || std::thread::panicking();
    assert!(dropped, "was not dropped: {what}");
}

/// The one server of this run.
fn server() -> &'static str {
    static SERVER: OnceLock<(String, Option<EmbeddedPostgres>)> = OnceLock::new();
    let (url, _) = SERVER.get_or_init(|| {
        if let Ok(url) = std::env::var("KEYWARD_TEST_DATABASE_URL") {
            return (url, None);
        }
        let server = embedded();
        (server.database_url().to_owned(), Some(server))
    });
    url
}

fn embedded() -> EmbeddedPostgres {
    let directory = scratch_directory();
    let quick = ["fsync", "full_page_writes", "synchronous_commit"];
    let options = quick.map(|name| (name.to_owned(), "off".to_owned()));
    let settings = Settings {
        data_dir: directory,
        data_dir_is_default: false,
        bin_dir: None,
        user: None,
        may_download: true,
        options: options.to_vec(),
    };
    let entropy: &dyn Entropy = &OsEntropy;
    EmbeddedPostgres::start(&settings, &|| URL_SAFE_NO_PAD.encode(entropy.bytes::<16>())).unwrap()
}

/// A directory of this process, with those of processes that are gone swept away.
fn scratch_directory() -> PathBuf {
    const PREFIX: &str = "keyward-test-";
    let parent = std::env::temp_dir();
    for entry in std::fs::read_dir(&parent).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        let owner = name.strip_prefix(PREFIX);
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    parent.join(format!("{PREFIX}{}", std::process::id()))
}

fn server_url(database: &str) -> String {
    let mut url = Url::parse(server()).unwrap();
    url.set_path(database);
    url.into()
}

/// The migrated database the others are cloned from, named after its schema.
fn template() -> &'static str {
    static TEMPLATE: OnceLock<String> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let made = std::thread::spawn(|| block_on(make_template()));
        made.join().unwrap()
    })
}

async fn make_template() -> String {
    let name = format!("keyward_template_{}", Db::schema_identity());
    let mut connection = PgConnection::connect(server()).await.unwrap();
    let connection = &mut connection;
    // Other runs may share the server.
    execute(connection, "select pg_advisory_lock(7165)").await;
    let exists = format!("select from pg_database where datname = '{name}' and datistemplate");
    let found = sqlx::query(AssertSqlSafe(exists))
        .fetch_optional(&mut *connection)
        .await
        .unwrap();
    if found.is_none() {
        execute(connection, &format!("drop database if exists {name}")).await;
        execute(connection, &format!("create database {name}")).await;
        let db = Db::new(&server_url(&name)).unwrap();
        db.migrate().await.unwrap();
        db.close();
        execute(
            connection,
            &format!("alter database {name} with is_template true"),
        )
        .await;
    }
    name
}

async fn admin(command: &str) {
    let mut connection = PgConnection::connect(server()).await.unwrap();
    execute(&mut connection, command).await;
    connection.close().await.unwrap();
}

async fn execute(connection: &mut PgConnection, command: &str) {
    sqlx::raw_sql(AssertSqlSafe(command.to_owned()))
        .execute(connection)
        .await
        .expect(command);
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(work)
}
