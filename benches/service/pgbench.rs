//! Keyward's own statements, sent by PostgreSQL's load generator.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use sqlx::{Connection, PgConnection};
use url::Url;

/// As in the load on Keyward.
pub(crate) const CLIENTS: usize = 16;
/// Sessions of each client, which no other one changes.
const EACH: usize = 64;

/// Sessions whose ids are their numbers.
const SESSIONS: &str = "insert into sessions (id, user_id, transport, auth_methods, created_at, last_seen_at,
        rotated_at, absolute_expires_at, current_digest)
    select lpad(to_hex(n), 32, '0')::uuid, id, 'body', '{pwd}', now(), now(), now(), now() + interval '30 days',
        sha256('one')
    from (select id, row_number() over (order by random()) - 1 as n from users) as numbered where n < $1";

/// How the values are written that Keyward hands in, the longer name first. Clients say of themselves the same.
const VALUES: [(&str, &str); 10] = [
    ("$10", "'infinity'"),
    ("$9", "now() - interval '7 days'"),
    (
        "$8",
        "'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'",
    ),
    ("$7", "'192.0.2.7'"),
    ("$6", "now()"),
    ("$5", "sha256('salt')"),
    ("$4", "sha256('NEW')"),
    ("$3", "'body'"),
    ("$2", "sha256('OLD')"),
    ("$1", "lpad(to_hex(:n::bigint), 32, '0')::uuid"),
];

pub(crate) struct Pgbench {
    program: PathBuf,
    url: Url,
    directory: PathBuf,
}

/// What it says of a run.
pub(crate) struct Ran {
    /// Statements.
    pub(crate) count: f64,
    pub(crate) a_second: f64,
    pub(crate) mean: Duration,
}

impl Pgbench {
    /// Where it is installed; its scripts are kept in the directory.
    pub(crate) async fn find(database_url: &str, directory: &Path) -> Result<Option<Self>> {
        let Some(program) = program() else {
            return Ok(None);
        };
        let mut connection = PgConnection::connect(database_url).await?;
        sqlx::query(SESSIONS)
            .bind(i64::try_from(CLIENTS * EACH)?)
            .execute(&mut connection)
            .await?;
        connection.close().await?;
        let any = format!("\\set n random(0, {})", CLIENTS * EACH - 1);
        let own = format!("\\set n random(0, {}) * {CLIENTS} + :client_id", EACH - 1);
        let me = statement(&["select", "where s.id = $1"])?;
        let rotate = statement(&[
            "update sessions",
            "parent_digest = s.current_digest",
            "s.transport = $3",
        ])?;
        let there = rotate.replace("'OLD'", "'one'").replace("'NEW'", "'other'");
        let back = rotate.replace("'OLD'", "'other'").replace("'NEW'", "'one'");
        fs::write(directory.join("me.sql"), format!("{any}\n{me};\n"))?;
        fs::write(
            directory.join("rotate.sql"),
            format!("{own}\n{there};\n{back};\n"),
        )?;
        Ok(Some(Self {
            program,
            url: Url::parse(database_url)?,
            directory: directory.to_owned(),
        }))
    }

    /// Runs a script that has so many statements, for so long.
    pub(crate) fn run(&self, script: &str, statements: f64, time: Duration) -> Result<Ran> {
        let host = self.url.query_pairs().find(|(name, _)| name == "host");
        let (_, host) = host.context("the database has no socket")?;
        let ran = Command::new(&self.program)
            .args(["-n", "-M", "prepared", "-j", "2", "-c"])
            .arg(CLIENTS.to_string())
            .args(["-T", &time.as_secs().to_string(), "-f"])
            .arg(self.directory.join(script))
            .env("PGHOST", &*host)
            .env("PGUSER", self.url.username())
            .env("PGPASSWORD", self.url.password().unwrap_or_default())
            .env("PGDATABASE", self.url.path().trim_start_matches('/'))
            .output()?;
        let said = String::from_utf8_lossy(&ran.stdout);
        ensure!(
            ran.status.success(),
            "pgbench: {}",
            String::from_utf8_lossy(&ran.stderr)
        );
        let number = |name: &str| -> Result<f64> {
            let line = said.lines().find_map(|line| line.strip_prefix(name));
            let word = line.and_then(|rest| {
                rest.split_whitespace()
                    .find(|word| word.starts_with(|first: char| first.is_ascii_digit()))
            });
            let word = word.with_context(|| format!("pgbench does not tell its {name}"))?;
            Ok(word.split('/').next().unwrap_or(word).parse()?)
        };
        Ok(Ran {
            count: number("number of transactions actually processed:")? * statements,
            a_second: number("tps = ")? * statements,
            mean: Duration::from_secs_f64(number("latency average =")? / 1000.0 / statements),
        })
    }
}

/// The newest of the usual places, or that of `PATH`.
fn program() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut usual: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    usual.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = usual.into_iter().rev().chain(std::env::split_paths(&path));
    places
        .map(|place| place.join("pgbench"))
        .find(|program| program.is_file())
}

/// The one statement of Keyward's that has all these parts, with values.
fn statement(parts: &[&str]) -> Result<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(".sqlx");
    for entry in fs::read_dir(folder)? {
        let kept: Value = serde_json::from_slice(&fs::read(entry?.path())?)?;
        let query = kept["query"].as_str().context("a statement")?;
        if query.starts_with(parts[0]) && parts.iter().all(|part| query.contains(part)) {
            let with_values = VALUES
                .iter()
                .fold(query.to_owned(), |query, (name, value)| {
                    query.replace(name, value)
                });
            return Ok(with_values);
        }
    }
    anyhow::bail!("no statement of Keyward's has {parts:?}")
}
