//! What a test has: a Keyward of its own, a web server that is a site of its own, and a browser.

use std::process::Command;
use std::time::Instant;

use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;

use crate::chromium::{Chromium, PATIENCE, PAUSE};
use crate::keyward::{Keyward, home};
use crate::site::Site;

pub(crate) struct World {
    // In the order in which they end.
    pub(crate) browser: Chromium,
    pub(crate) site: Site,
    keyward: Keyward,
    _home: TempDir,
}

/// A request that Keyward has answered, by its log.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) method: String,
    pub(crate) route: String,
    pub(crate) status: u64,
}

impl World {
    /// The site's own origin is listed.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_, _| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&Site, &mut Command)) -> Self {
        let (home, site) = (home(), Site::start());
        let keyward = Keyward::start_with(home.path(), |command| {
            command.env("KEYWARD_ALLOWED_ORIGINS", site.origin());
            command.env("KEYWARD_LOG_FORMAT", "json");
            change(&site, command);
        });
        let world = Self {
            browser: Chromium::start().await,
            site,
            keyward,
            _home: home,
        };
        world.site.set_keyward(&world.keyward_url());
        world
    }

    /// Keyward, by the name that cookies of plain http are kept for.
    pub(crate) fn keyward_url(&self) -> String {
        self.keyward.url.replace("127.0.0.1", "localhost")
    }

    /// Every answer under `/v1/` that Keyward has given. Leave to ask (preflight) is none: browsers remember it.
    pub(crate) fn answered(&self) -> Vec<Answered> {
        let log = self.keyward.log();
        let lines = log
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        let answers = lines.filter(|line: &Value| line["message"] == "answered");
        let answers = answers.map(|line| Answered {
            method: line["span"]["method"].as_str().unwrap().to_owned(),
            route: line["span"]["route"].as_str().unwrap().to_owned(),
            status: line["status"].as_u64().unwrap(),
        });
        let is_leave = |answer: &Answered| answer.method == "OPTIONS" && answer.status == 204;
        answers
            .filter(|answer| answer.route.starts_with("/v1/") && !is_leave(answer))
            .collect()
    }

    /// The access token of somebody who has signed up elsewhere.
    pub(crate) async fn access_token(&self) -> String {
        let tokens = self.keyward.sign_up().await;
        tokens["access_token"].as_str().unwrap().to_owned()
    }

    async fn database(&self) -> PgConnection {
        PgConnection::connect(&self.keyward.database_url())
            .await
            .unwrap()
    }

    pub(crate) async fn count(&self, statement: &'static str) -> i64 {
        let mut database = self.database().await;
        let counted = sqlx::query_scalar(statement).fetch_one(&mut database).await;
        counted.unwrap()
    }

    /// Waits until a statement says so.
    pub(crate) async fn until(&self, statement: &'static str) {
        let mut database = self.database().await;
        let end = Instant::now() + PATIENCE;
        while !sqlx::query_scalar::<_, bool>(statement)
            .fetch_one(&mut database)
            .await
            .unwrap()
        {
            assert!(
                Instant::now() < end,
                "this has not become true: {statement}"
            );
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Every row of every table.
    pub(crate) async fn rows(&self) -> Vec<String> {
        let mut database = self.database().await;
        let tables = "select tablename::text from pg_tables where schemaname = 'public' order by 1";
        let tables: Vec<String> = sqlx::query_scalar(tables)
            .fetch_all(&mut database)
            .await
            .unwrap();
        assert!(tables.len() > 5, "where are they? {tables:?}");
        let mut rows = Vec::new();
        for table in tables {
            let statement = format!("select '{table} ' || t::text from {table} t order by 1");
            let found = sqlx::query_scalar::<_, String>(AssertSqlSafe(statement));
            rows.extend(found.fetch_all(&mut database).await.unwrap());
        }
        rows
    }

    /// Nobody was logged out, nothing was taken for theft: there is one session, and it lives.
    pub(crate) async fn assert_one_session_and_no_failure(&self) {
        let living = "select count(*) from sessions where ended_at is null";
        assert_eq!(self.count(living).await, 1);
        assert_eq!(self.count("select count(*) from sessions").await, 1);
        let failures = "select count(*) from security_events where outcome = 'failure'";
        assert_eq!(self.count(failures).await, 0);
        let reused = "select count(*) from security_events where event = 'refresh_token_reused'";
        assert_eq!(self.count(reused).await, 0);
    }
}
