//! One PostgreSQL, the replicas on it, and the proxy in front of them.

use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use keyward::crypto::OsEntropy;
use keyward::domain::Entropy;
use keyward::embedded_postgres::{EmbeddedPostgres, Settings};
use rustix::process::Signal;
use serde_json::Value;
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

use crate::keyward::{Keyward, home};
use crate::nginx::{Nginx, PORTS};

pub(crate) const REPLICAS: usize = PORTS.len();
/// For what is to happen.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);

pub(crate) struct World {
    // In the order in which they end.
    nginx: Nginx,
    replicas: Vec<Replica>,
    postgres: EmbeddedPostgres,
    _home: TempDir,
}

/// A place for a replica, and the replica where it runs.
struct Replica {
    settings: Vec<(String, String)>,
    keyward: Option<Keyward>,
    home: TempDir,
}

impl World {
    /// The `nth` of this process, with these settings.
    pub(crate) async fn start(nth: u8, settings: &[(&str, &str)]) -> Self {
        let (home, address) = (home(), own_address(nth));
        let postgres = postgres(home.path());
        let entropy: &dyn Entropy = &OsEntropy;
        let master_key = STANDARD.encode(entropy.bytes::<32>());
        let mut replicas = Vec::new();
        for port in PORTS {
            let listen = format!("{address}:{port}");
            let own = [
                ("DATABASE_URL", postgres.database_url()),
                ("KEYWARD_MASTER_KEY", &master_key),
                ("KEYWARD_LISTEN", &listen),
                ("KEYWARD_TRUSTED_PROXIES", "127.0.0.1"),
                // As in production.
                ("KEYWARD_STOP_DELAY", "5s"),
                // The machine is busy, and everybody comes from one address.
                ("KEYWARD_HASH_QUEUE_TIMEOUT", "10s"),
            ];
            let all = own.iter().chain(settings);
            let mut replica = Replica {
                settings: all
                    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                    .collect(),
                keyward: None,
                home: crate::keyward::home(),
            };
            replica.start().await;
            replicas.push(replica);
        }
        let nginx = Nginx::start(&address);
        Self {
            nginx,
            replicas,
            postgres,
            _home: home,
        }
    }

    /// Of the proxy.
    pub(crate) fn url(&self) -> String {
        self.nginx.url()
    }

    pub(crate) fn replica(&self, nth: usize) -> &Keyward {
        self.replicas[nth].keyward.as_ref().unwrap()
    }

    /// As an operator does: told to stop, waited for, started, and ready.
    pub(crate) async fn restart(&mut self, nth: usize) {
        let keyward = self.replicas[nth].keyward.take().unwrap();
        let stopped = tokio::task::spawn_blocking(|| keyward.stop()).await;
        assert!(stopped.unwrap().success());
        self.start_again(nth).await;
    }

    pub(crate) fn kill(&mut self, nth: usize) {
        let mut keyward = self.replicas[nth].keyward.take().unwrap();
        keyward.signal(Signal::KILL);
        keyward.wait();
    }

    pub(crate) async fn start_again(&mut self, nth: usize) {
        self.replicas[nth].start().await;
    }

    /// The proxy has sent requests to each.
    pub(crate) fn assert_all_have_served(&self) {
        for nth in 0..REPLICAS {
            assert!(
                self.replica(nth).log().contains("/v1/auth/refresh"),
                "not to {nth}"
            );
        }
    }

    pub(crate) async fn count(&self, statement: &'static str) -> i64 {
        let mut database = PgConnection::connect(self.postgres.database_url())
            .await
            .unwrap();
        let counted = sqlx::query_scalar(statement).fetch_one(&mut database).await;
        counted.unwrap()
    }
}

impl Replica {
    /// Returns when it is ready.
    async fn start(&mut self) {
        let keyward = Keyward::start_with(self.home.path(), |command| {
            command.envs(self.settings.iter().cloned());
        });
        let ready = async {
            while keyward.get("/health/ready", &Value::from("")).await != 200 {
                tokio::time::sleep(PAUSE).await;
            }
        };
        let ready = tokio::time::timeout(PATIENCE, ready).await;
        assert!(ready.is_ok(), "{}", keyward.log());
        self.keyward = Some(keyward);
    }
}

fn postgres(home: &Path) -> EmbeddedPostgres {
    let settings = Settings {
        data_dir: home.join("data"),
        data_dir_is_default: false,
        bin_dir: None,
        user: None,
        may_download: true,
        options: Vec::new(),
    };
    let entropy: &dyn Entropy = &OsEntropy;
    let password = || URL_SAFE_NO_PAD.encode(entropy.bytes::<16>());
    EmbeddedPostgres::start(&settings, &password).unwrap()
}

/// So that nobody takes a port while its replica is down: all of 127.0.0.0/8 is this machine.
fn own_address(nth: u8) -> String {
    let [_, a, b, c] = std::process::id().to_be_bytes();
    format!("127.{}.{b}.{c}", 64 * nth + a + 1)
}
