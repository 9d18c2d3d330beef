//! The composition root: the only place that knows how everything fits together.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use ipnet::{IpNet, Ipv4Net};
use secrecy::ExposeSecret;

use crate::config::{self, Config, Master, MasterKey};
use crate::crypto::{AccessTokenRules, PasswordHasher};
use crate::domain::{Origin, Origins, PasswordPolicy, RefreshRules};
pub use crate::http::CONTRACT;
use crate::http::{CookieRules, Surroundings};
use crate::master_key_file;
use crate::metrics::Metrics;
pub use crate::repositories::PendingMigration;
use crate::repositories::{Db, SchemaState};
use crate::services::{
    self, Accounts, Error, Ground, Health, KeyRules, Keys, Login, Passwords, Refresh, Seams,
    SecurityEvents, Services, SessionLimits, Sessions, Throttle, TwoFactor, Users,
};

/// Everything a server needs.
#[derive(Clone)]
pub struct App {
    /// The use cases.
    pub services: Services,
    /// Time and randomness.
    pub seams: Seams,
    /// What is counted.
    pub metrics: Metrics,
    /// What the HTTP layer needs to know.
    pub surroundings: Surroundings,
    /// How many connections clients may have.
    pub connections: Connections,
    db: Db,
    /// Connections to it, for all threads that serve together.
    pool: usize,
}

/// How many connections clients may have.
#[derive(Debug, Clone)]
pub struct Connections {
    /// All together.
    pub total: usize,
    /// One source.
    pub per_source: usize,
    /// Networks that stand for many clients, and are no source: proxies, and the machine itself.
    pub spared: Vec<IpNet>,
}

/// The database, once it is known where it is.
pub struct Database<'a> {
    /// Its URL.
    pub url: &'a secrecy::SecretString,
    /// Where an embedded one keeps its files; the master key beside them.
    pub data_dir: Option<&'a Path>,
}

impl App {
    /// Connects, migrates where it may, opens the key ring, and wires the services.
    pub async fn build(
        config: &Config,
        database: &Database<'_>,
        seams: Seams,
    ) -> anyhow::Result<Self> {
        let metrics = Metrics::new()?;
        let db = Db::new(database.url.expose_secret())?.measured(metrics.clone());
        prepare(&db, config).await?;
        db.watch()?;
        let rules = key_rules(config, database, &db, &seams).await?;
        let keys = Keys::open(db.clone(), rules, seams.clone()).await;
        Self::assemble(config, db, metrics, keys, seams)
    }

    /// The same for one command, beside a service that runs or without one: it migrates nothing and makes no keys.
    pub async fn attach(
        config: &Config,
        database: &Database<'_>,
        seams: Seams,
    ) -> anyhow::Result<Self> {
        let metrics = Metrics::new()?;
        let db = Db::new(database.url.expose_secret())?.measured(metrics.clone());
        ensure_migrated(&db).await?;
        let rules = key_rules(config, database, &db, &seams).await?;
        let keys = Keys::attach(db.clone(), rules, seams.clone()).await;
        Self::assemble(config, db, metrics, keys, seams)
    }

    fn assemble(
        config: &Config,
        db: Db,
        metrics: Metrics,
        keys: services::Result<Keys>,
        seams: Seams,
    ) -> anyhow::Result<Self> {
        let keys = keys
            .map_err(fault)
            .context("the key ring could not be opened")?;
        let hasher = PasswordHasher::new(&config.passwords, &*seams.entropy, metrics.clone())?;
        let ground = Ground {
            db: db.clone(),
            keys: keys.into(),
            hasher,
            seams: seams.clone(),
            metrics: metrics.clone(),
        };
        let services = wire(config, &ground);
        let surroundings = surroundings(config)?;
        Ok(Self {
            services,
            seams,
            metrics,
            surroundings,
            connections: connections(&config.http),
            db,
            pool: config.database.pool,
        })
    }

    /// How many threads may serve: each needs a connection.
    pub fn threads(&self, cores: usize) -> usize {
        cores.min(self.pool)
    }

    /// Gives the `nth` of so many serving threads, the one that this is called on, its part of the database connections.
    pub fn lend_connections_here(&self, nth: usize, threads: usize) {
        let most = self.pool / threads + usize::from(nth < self.pool % threads);
        if let Err(error) = self.db.lend_here(most) {
            tracing::error!(%error, "a thread serves with fewer connections than it should");
        }
    }

    /// Gives every database connection back.
    pub fn close(&self) {
        self.db.close();
    }
}

/// Brings the schema up to date, and does nothing else: what a database's owner does before somebody with fewer rights
/// serves.
pub async fn migrate(config: &Config, url: &secrecy::SecretString) -> anyhow::Result<()> {
    let db = Db::new(url.expose_secret())?;
    bring_up_to_date(&db, config).await?;
    db.close();
    Ok(())
}

/// What `migrate` would apply, in order.
pub async fn plan(url: &secrecy::SecretString) -> anyhow::Result<Vec<PendingMigration>> {
    let db = Db::new(url.expose_secret())?;
    let pending = db.conn().await?.health().pending().await;
    db.close();
    pending.context("DATABASE_URL: the database cannot be asked")
}

async fn bring_up_to_date(db: &Db, config: &Config) -> anyhow::Result<()> {
    let migrated = db.migrate().await;
    migrated.context("DATABASE_URL: the database cannot be reached or migrated")?;
    let retained = SecurityEvents::retain(db, config.events.retention).await;
    retained
        .map_err(fault)
        .context("the retention of security events could not be set")
}

/// Brings the schema up to date where it may, or makes sure that it is.
async fn prepare(db: &Db, config: &Config) -> anyhow::Result<()> {
    if config.database.migrate_on_start {
        return bring_up_to_date(db, config).await;
    }
    ensure_migrated(db).await?;
    if let Err(error) = SecurityEvents::warn_if_kept_for_ever(db).await {
        tracing::warn!(%error, "whether security events are ever deleted could not be asked");
    }
    Ok(())
}

async fn ensure_migrated(db: &Db) -> anyhow::Result<()> {
    let state = db.conn().await?.health().schema().await?;
    anyhow::ensure!(
        state == SchemaState::Current,
        "the database's schema is older than this release, or missing: run `keyward migrate` as its owner"
    );
    Ok(())
}

async fn master_keys(
    config: &Config,
    database: &Database<'_>,
    db: &Db,
    seams: &Seams,
) -> anyhow::Result<Vec<MasterKey>> {
    match (&config.keys.master, database.data_dir) {
        (Master::Given(keys), _) => Ok(keys.clone()),
        (Master::InDataDir, Some(dir)) => {
            let may_make = Keys::is_ring_empty(db).await.map_err(fault)?;
            master_key_file::read_or_make(dir, may_make, &*seams.entropy)
        }
        (Master::InDataDir | Master::Unread, _) => anyhow::bail!("the key ring needs a master key"),
    }
}

fn wire(config: &Config, ground: &Ground) -> Services {
    let Ground {
        db,
        keys,
        seams,
        metrics,
        ..
    } = ground;
    let (db, keys, seams) = (|| db.clone(), || keys.clone(), || seams.clone());
    let tokens = &config.tokens;
    let (access, refresh, limits) = (access_rules(tokens), refresh_rules(tokens), limits(tokens));
    let sessions = Sessions::new(ground, access, refresh, limits);
    let sessions = Arc::new(sessions);
    let throttle = Throttle::new(db(), keys(), seams(), config.throttle.enabled);
    let throttle = Arc::new(throttle);
    let (door, guard) = (|| sessions.clone(), || throttle.clone());
    let policy = policy(&config.passwords);
    let passwords = Passwords::new(ground, guard(), door(), policy);
    let passwords = Arc::new(passwords);
    let service_name = config.two_factor.service_name.clone();
    let two_factor = TwoFactor::new(ground, guard(), passwords.clone(), door(), service_name);
    let two_factor = Arc::new(two_factor);
    let (proof, retention) = (two_factor.clone(), config.events.retention);
    Services {
        accounts: Accounts::new(ground, proof, guard(), door(), policy).into(),
        login: Login::new(ground, guard(), door()).into(),
        refresh: Refresh::new(ground, door(), guard(), refresh).into(),
        security_events: SecurityEvents::new(db(), retention, seams()).into(),
        health: Health::new(db(), seams(), metrics.clone()).into(),
        users: Users::new(db(), door(), seams()).into(),
        passwords,
        two_factor,
        throttle,
        sessions,
        keys: keys(),
    }
}

fn surroundings(config: &Config) -> anyhow::Result<Surroundings> {
    let url = url::Url::parse(&config.http.public_url)?;
    let own = Origin::of_url(&url).context("KEYWARD_PUBLIC_URL: has no origin")?;
    let browser = &config.browser;
    Ok(Surroundings {
        trusted_proxies: config.http.trusted_proxies.clone(),
        origins: Origins {
            own,
            allowed: browser.allowed_origins.clone(),
        },
        cookies: CookieRules {
            secure: browser.cookie_secure,
            same_site: browser.cookie_same_site.as_str(),
        },
        is_https: url.scheme() == "https",
    })
}

fn connections(http: &config::Http) -> Connections {
    let loopback = [
        Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8).into(),
        IpAddr::from(Ipv6Addr::LOCALHOST).into(),
    ];
    Connections {
        total: http.max_connections,
        per_source: http.max_connections_per_source,
        spared: [&http.trusted_proxies[..], &loopback].concat(),
    }
}

async fn key_rules(
    config: &Config,
    database: &Database<'_>,
    db: &Db,
    seams: &Seams,
) -> anyhow::Result<KeyRules> {
    Ok(KeyRules {
        masters: master_keys(config, database, db, seams).await?,
        algorithm: config.keys.signing_algorithm,
        period: config.keys.signing_key_period,
    })
}

fn access_rules(tokens: &config::Tokens) -> AccessTokenRules {
    AccessTokenRules {
        issuer: tokens.issuer.clone(),
        audience: tokens.audience.clone(),
        ttl: tokens.access_ttl,
    }
}

fn refresh_rules(tokens: &config::Tokens) -> RefreshRules {
    RefreshRules {
        idle: tokens.refresh_idle_ttl,
        grace: tokens.refresh_grace,
        recovery: tokens.refresh_recovery,
    }
}

fn limits(tokens: &config::Tokens) -> SessionLimits {
    SessionLimits {
        absolute_ttl: tokens.refresh_absolute_ttl,
        per_user: tokens.sessions_per_user,
    }
}

fn policy(passwords: &config::Passwords) -> PasswordPolicy {
    PasswordPolicy {
        min_length: passwords.min_length,
        min_strength: passwords.min_strength,
        history: passwords.history,
    }
}

fn fault(error: Error) -> anyhow::Error {
    match error {
        Error::Internal { source, .. } => anyhow::Error::from_boxed(source),
        refused @ Error::Refused(_) => anyhow::anyhow!("{refused}"),
    }
}
