//! One Keyward with its database, the people who use it, the operator beside it, and who kills it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::account::{Account, Device};
use crate::dice::Dice;
use crate::invariants;
use crate::keyward::{Keyward, command, home};
use crate::killer::Killer;
use crate::operator::rotate_keys;
use crate::person::Person;
use crate::report::{Report, Shared};

pub(crate) const GRACE: Duration = Duration::from_secs(1);

const PEOPLE: u64 = 4;
/// Two ways to hash a password, each as little as is allowed. Every start takes the other one, so that logins rehash.
const ARGON2: [(&str, &str); 2] = [("7168", "5"), ("9216", "4")];

pub(crate) struct World {
    pub(crate) home: PathBuf,
    pub(crate) url: String,
    pub(crate) database_url: String,
    pub(crate) report: Shared,
    http: reqwest::Client,
    starts: AtomicUsize,
    answers: AtomicU64,
    is_over: AtomicBool,
    hashes: Mutex<BTreeMap<String, (i32, String)>>,
}

impl World {
    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    pub(crate) fn note(&self, fact: &'static str, count: u64) {
        self.report.with(|report| report.note(fact, count));
    }

    pub(crate) fn answered(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    pub(crate) fn count_answer(&self) {
        self.answers.fetch_add(1, Ordering::Relaxed);
    }

    /// Starts it, on the same port as always.
    pub(crate) fn start(&self) -> Keyward {
        let number = self.starts.fetch_add(1, Ordering::Relaxed);
        start(&self.home, &self.url, number)
    }

    /// Starts it, and does not wait until it is there.
    pub(crate) fn newborn(&self) -> Child {
        let mut command = command(&self.home);
        configure(&mut command, &self.url, 0);
        command.spawn().unwrap()
    }

    pub(crate) async fn is_ready(&self) -> bool {
        let answer = self
            .http
            .get(format!("{}/health/ready", self.url))
            .send()
            .await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// As another service does: by the key that the token names, of those that are published.
    pub(crate) fn verify(&self, device: &Device, published: &Value) {
        let keys: JwkSet = serde_json::from_value(published.clone()).unwrap();
        let header = decode_header(&device.access_token).unwrap();
        let key = keys.find(&header.kid.unwrap()).expect("a published key");
        let mut rules = Validation::new(header.alg);
        rules.set_audience(&["http://localhost:8080"]);
        let key = DecodingKey::from_jwk(key).unwrap();
        let claims = decode::<Value>(&device.access_token, &key, &rules).unwrap();
        assert_eq!(claims.claims["sid"], device.session.as_str());
        self.note("access tokens verified by published keys", 1);
    }

    /// Counts the passwords that are hashed otherwise than before, and are the same.
    pub(crate) fn rehashed(&self, now: BTreeMap<String, (i32, String)>) {
        let mut before = self.hashes.lock().unwrap();
        let changed = before.iter().filter(|(id, (version, how))| {
            now.get(*id)
                .is_some_and(|(new, now)| new == version && now != how)
        });
        self.note(
            "passwords rehashed",
            u64::try_from(changed.count()).unwrap(),
        );
        *before = now;
    }
}

fn start(home: &Path, url: &str, number: usize) -> Keyward {
    Keyward::start_with(home, |command| configure(command, url, number))
}

fn configure(command: &mut Command, url: &str, number: usize) {
    let (memory, passes) = ARGON2[number % 2];
    command
        .env("KEYWARD_LISTEN", url.trim_start_matches("http://"))
        .env("KEYWARD_TRUSTED_PROXIES", "127.0.0.0/8")
        .env("KEYWARD_REFRESH_GRACE", format!("{}s", GRACE.as_secs()))
        .env("KEYWARD_ACCESS_TOKEN_TTL", "1h")
        .env("KEYWARD_SESSIONS_PER_USER", "100")
        .env("KEYWARD_ARGON2_MEMORY_KIB", memory)
        .env("KEYWARD_ARGON2_ITERATIONS", passes);
}

/// An address of its own, so that nobody takes the port while it is down: all of 127.0.0.0/8 is this machine.
fn own_url(number: u8) -> String {
    let [_, a, b, c] = std::process::id().to_be_bytes();
    format!("http://127.{}.{b}.{c}:{}", a + 1, 8000 + u16::from(number))
}

/// Kills so often, and checks. What was done.
pub(crate) async fn run(number: u8, kills: usize, seed: u64) -> Report {
    let home = home();
    let mut dice = Dice::new(seed);
    let url = own_url(number);
    let keyward = start(home.path(), &url, 0);
    let world = Arc::new(World {
        home: home.path().to_owned(),
        url,
        database_url: keyward.database_url(),
        report: Shared::default(),
        http: reqwest::Client::builder().no_proxy().build().unwrap(),
        starts: AtomicUsize::new(1),
        answers: AtomicU64::new(0),
        is_over: AtomicBool::new(false),
        hashes: Mutex::default(),
    });
    let people = (0..PEOPLE).map(|number| Person::new(world.clone(), number, dice.roll()));
    let people: Vec<_> = people.map(|person| tokio::spawn(person.live())).collect();
    let operator = tokio::spawn(rotate_keys(world.clone(), dice.roll()));
    let mut killer = Killer::new(world.clone(), keyward, dice.roll());
    for _ in 0..kills {
        killer.go_on().await;
        if people.iter().any(JoinHandle::is_finished) || operator.is_finished() {
            break;
        }
    }
    world.is_over.store(true, Ordering::Release);
    let mut accounts = Vec::new();
    for person in people {
        accounts.extend(person.await.expect("what a client found"));
    }
    let keys = operator.await.expect("what the operator found");
    settle(&world, &mut accounts, keys, dice.roll()).await;
    killer.check().await;
    killer.stop();
    world.report.with(std::mem::take)
}

/// Everybody finds what they were told, and no event is there that should not be.
async fn settle(world: &Arc<World>, accounts: &mut [Account], keys: (u32, u32), seed: u64) {
    let mut person = Person::new(world.clone(), PEOPLE, seed);
    for account in &mut *accounts {
        person.settle(account).await;
    }
    let mut events = invariants::events(world).await;
    let none = BTreeMap::new();
    let of_nobody = events.remove("").unwrap_or_default();
    let of_nobody = |event: &str| of_nobody.get(event).copied().unwrap_or(0);
    let there = accounts.iter().filter(|account| !account.is_deleted);
    let misfits = there.flat_map(|one| one.judge(events.get(&one.id).unwrap_or(&none)));
    let misfits: Vec<String> = misfits.collect();
    assert!(misfits.is_empty(), "{}", misfits.join("\n"));
    let deleted = accounts.iter().filter(|account| account.is_deleted).count();
    assert_eq!(events.len(), accounts.len() - deleted, "other accounts");
    assert_eq!(
        of_nobody("account_deleted"),
        u32::try_from(deleted).unwrap()
    );
    let (sure, doubts) = keys;
    assert!((sure..=sure + doubts).contains(&of_nobody("key_added")));
    world.note("accounts", u64::try_from(accounts.len()).unwrap());
    for (event, count) in events.values().flatten() {
        if event == "refresh_retried_late" {
            world.note("refreshes retried after the grace", (*count).into());
        }
    }
}
