//! The service under test, through the same `App::build` and `server::run` as the binary.

use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use chrono::TimeDelta;
use keyward::app::{App, Database};
use keyward::config::{Argon2, Config, Master, MasterKey};
use keyward::crypto::{OsEntropy, install_provider};
use keyward::domain::{Clock, Origin};
use keyward::server;
use keyward::services::Seams;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use sqlx::PgPool;

use super::clock::TestClock;
use super::contract::{self, Seen};
use super::database::TestDatabase;
use super::{Answer, PAGE, PASSWORD, Person, log};

/// 32 different bytes.
pub(crate) const MASTER_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// Two master keys, by their names.
const MASTER_KEYS: [(&str, &str); 2] = [
    ("a", MASTER_KEY),
    ("b", "IB8eHRwbGhkYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgE="),
];

/// Master keys in this order: of `a`, with which the ring of a test is sealed, and `b`.
pub(crate) fn masters(names: &[&str]) -> Master {
    let key = |name: &&str| MASTER_KEYS.iter().find(|(known, _)| known == name);
    let keys = names.iter().map(|name| key(name).unwrap());
    let list: Vec<String> = keys.map(|(name, key)| format!("{name}:{key}")).collect();
    Master::Given(MasterKey::parse_list(&list.join(",")).unwrap())
}

/// The same without names, as most people give them.
pub(crate) fn unnamed_masters(names: &[&str]) -> Master {
    let key = |name: &&str| MASTER_KEYS.iter().find(|(known, _)| known == name);
    let list: Vec<&str> = names.iter().map(|name| key(name).unwrap().1).collect();
    Master::Given(MasterKey::parse_list(&list.join(",")).unwrap())
}

/// One running replica. What it shares with others is behind `Rc`.
pub(crate) struct TestApp {
    pub(crate) address: SocketAddr,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) config: Config,
    pub(crate) sql: PgPool,
    pub(crate) app: App,
    http: Client,
    handle: ServerHandle,
    database: Rc<TestDatabase>,
}

impl TestApp {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// Starts with guesses counted, which most tests have too many of.
    pub(crate) async fn guarded() -> Self {
        Self::with(|config| config.throttle.enabled = true).await
    }

    /// Starts with pages of `PAGE` allowed.
    pub(crate) async fn with_pages() -> Self {
        Self::with(allow_pages).await
    }

    /// Starts with a changed configuration.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let database = Rc::new(TestDatabase::create().await);
        Self::on(database, Arc::new(TestClock::stopped()), change).await
    }

    /// Another replica on the same database and clock.
    pub(crate) async fn replica(&self) -> Self {
        self.replica_with(|_| {}).await
    }

    /// Another replica, or this one as it would be after a restart with another configuration.
    pub(crate) async fn replica_with(&self, change: impl FnOnce(&mut Config)) -> Self {
        Self::on(self.database.clone(), self.clock.clone(), change).await
    }

    pub(crate) async fn on(
        database: Rc<TestDatabase>,
        clock: Arc<TestClock>,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let mut config = config(&database.url);
        change(&mut config);
        let app = Self::build(&config, &database, clock.clone())
            .await
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = server::run(&app, listener, 1).unwrap();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        let sql = database.pool();
        let http = Client::builder().no_proxy().build().unwrap();
        Self {
            address,
            clock,
            config,
            sql,
            app,
            http,
            handle,
            database,
        }
    }

    pub(crate) async fn build(
        config: &Config,
        database: &TestDatabase,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<App> {
        install_provider();
        log::start();
        let seams = Seams {
            clock,
            entropy: Arc::new(OsEntropy),
        };
        let url = database.url.clone().into();
        App::build(
            config,
            &Database {
                url: &url,
                data_dir: None,
            },
            seams,
        )
        .await
    }

    pub(crate) fn database_url(&self) -> &str {
        &self.database.url
    }

    pub(crate) fn advance(&self, by: TimeDelta) {
        self.clock.advance(by);
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("http://{}{path}", self.address))
    }

    /// Sends a request, and holds its answer to the contract.
    #[track_caller]
    pub(crate) fn send(&self, request: RequestBuilder) -> impl Future<Output = Answer> {
        let http = self.http.clone();
        let request = request.build().unwrap();
        async move {
            let method = request.method().to_string();
            let path = request.url().path().to_owned();
            let sent = request
                .body()
                .and_then(|body| body.as_bytes())
                .map(<[u8]>::to_vec);
            log::learn_request(request.url(), sent.as_deref());
            let answer = http.execute(request).await.unwrap();
            let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
            let body = answer.bytes().await.unwrap().to_vec();
            log::learn_answer(&headers, &body);
            let (request_body, body) = (sent.as_deref(), body);
            contract::check(&Seen {
                method: &method,
                path: &path,
                request_body,
                status,
                headers: &headers,
                body: &body,
            });
            Answer {
                status,
                headers,
                body,
            }
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::POST, path).json(&body))
            .await
    }

    /// A body as it is, with a content type.
    pub(crate) async fn post_raw(
        &self,
        path: &str,
        media_type: &str,
        body: impl Into<Vec<u8>>,
    ) -> Answer {
        let request = self
            .request(Method::POST, path)
            .header("content-type", media_type);
        self.send(request.body(body.into())).await
    }

    /// Signs somebody up, with the usual password.
    pub(crate) async fn sign_up(&self, email: &str) -> Person<'_> {
        let body = json!({ "email": email, "password": PASSWORD });
        Person::new(self, &self.post("/v1/auth/signup", body).await.is(201))
    }

    pub(crate) async fn log_in(&self, email: &str, password: &str) -> Answer {
        self.post(
            "/v1/auth/login",
            json!({ "email": email, "password": password }),
        )
        .await
    }

    pub(crate) async fn refresh(&self, refresh_token: &str) -> Answer {
        self.post(
            "/v1/auth/refresh",
            json!({ "refresh_token": refresh_token }),
        )
        .await
    }

    /// Answers a challenge with a code of the authenticator.
    pub(crate) async fn complete(&self, challenge: &str, code: &str) -> Answer {
        let body = json!({ "challenge_token": challenge, "code": code });
        self.post("/v1/auth/login/2fa", body).await
    }

    /// Answers a challenge with a backup code.
    pub(crate) async fn complete_with_backup(&self, challenge: &str, code: &str) -> Answer {
        let body = json!({ "challenge_token": challenge, "backup_code": code });
        self.post("/v1/auth/login/2fa", body).await
    }

    /// The kinds of the security events so far, oldest first.
    pub(crate) async fn events(&self) -> Vec<String> {
        let statement = "select event from security_events order by created_at, ctid";
        sqlx::query_scalar(statement)
            .fetch_all(&self.sql)
            .await
            .unwrap()
    }

    /// How many security events of a kind there are so far.
    pub(crate) async fn events_of(&self, kind: &str) -> usize {
        let events = self.events().await;
        events.iter().filter(|event| *event == kind).count()
    }

    /// Returns when a statement of somebody waits for a lock.
    pub(crate) async fn somebody_waits(&self) {
        self.so_many_wait(1).await;
    }

    /// Returns when that many statements wait for a lock.
    pub(crate) async fn so_many_wait(&self, most: i64) {
        let waiting = "select count(*) from pg_stat_activity
                       where datname = current_database() and wait_event_type = 'Lock'";
        let waited = async { while self.count(waiting).await < most {} };
        let patience = Duration::from_secs(20);
        let waited = tokio::time::timeout(patience, waited).await;
        assert!(waited.is_ok(), "nobody waits");
    }

    /// Runs a statement that changes what no caller can.
    pub(crate) async fn tamper(&self, statement: &'static str) {
        sqlx::raw_sql(statement).execute(&self.sql).await.unwrap();
    }

    /// The one value of a statement that makes JSON of what is in the database, cast to text.
    pub(crate) async fn json(&self, statement: &'static str) -> Value {
        let text: String = sqlx::query_scalar(statement)
            .fetch_one(&self.sql)
            .await
            .unwrap();
        serde_json::from_str(&text).unwrap()
    }

    pub(crate) async fn count(&self, statement: &'static str) -> i64 {
        sqlx::query_scalar(statement)
            .fetch_one(&self.sql)
            .await
            .unwrap()
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        // The command is given at once; only its answer would have to be awaited.
        drop(self.handle.stop(false));
        if !std::thread::panicking() {
            log::assert_clean();
        }
    }
}

/// Lists `PAGE`.
pub(crate) fn allow_pages(config: &mut Config) {
    config.browser.allowed_origins = vec![Origin::parse(PAGE).unwrap()];
}

/// The defaults, with hashes that cost nothing.
pub(crate) fn config(database_url: &str) -> Config {
    let variables = [
        ("DATABASE_URL", database_url),
        ("KEYWARD_MASTER_KEY", &format!("a:{MASTER_KEY}")),
        ("KEYWARD_DATABASE_POOL", "8"),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut config = Config::read(variables).unwrap();
    // Debug builds hash slowly, and some tests start many at once.
    config.passwords.hash_queue_timeout = Duration::from_secs(30);
    config.throttle.enabled = false;
    config.passwords.argon2 = Argon2 {
        memory_kib: 8,
        iterations: 1,
        parallelism: 1,
    };
    config
}
