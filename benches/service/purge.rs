//! `GET /v1/me` 50 times a second, without and with a purge beside it that has a lot to delete, in turn. The purge is what
//! the service does every ten minutes, and runs in this program, beside the service as in another replica.

use std::time::Duration;

use anyhow::{Context, Result};
use keyward::app::{App, Database};
use keyward::config::Config;
use keyward::crypto::OsEntropy;
use keyward::domain::SystemClock;
use keyward::services::{Seams, Services};
use secrecy::SecretString;
use sqlx::{Connection, PgConnection};

use crate::database::Server;
use crate::figures::{Figures, median, shown, table};
use crate::keyward::{Keyward, MASTER_KEY};
use crate::limits::paced;
use crate::machine::Processes;
use crate::people::{People, SESSIONS};
use crate::{Extent, FEW};

const OLD: &str = include_str!("old.sql");

struct World {
    connection: PgConnection,
    services: Services,
    people: People,
    keyward: Keyward,
    /// Dropped last.
    server: Server,
}

/// Measures, and prints two tables.
pub(crate) async fn compare(rows: i64, extent: Extent) -> Result<()> {
    eprintln!("Making {FEW} users.");
    let mut world = World::build().await?;
    let (mut calm, mut purging, mut purged) = (Vec::new(), Vec::new(), Vec::new());
    for round in extent.rounds() {
        world.make_old(rows).await?;
        let without = world.ask(extent.step, false).await?;
        let (with, rate) = world.purge_beside(extent.step).await?;
        if round > 0 {
            calm.push(without);
            purging.push(with);
            purged.push(rate);
        }
    }
    let steps = [
        ("`GET /v1/me` 50 times a second", calm.as_slice()),
        ("the same beside a purge", &purging),
    ];
    println!("\n{}", table(steps.into_iter()));
    let ratios = purging
        .iter()
        .zip(&calm)
        .map(|(with, without)| with.p99 / without.p99);
    println!("| median of the rounds | |\n|---|---:|");
    println!(
        "| beside a purge to without: p99 | {} |",
        shown(median(ratios))
    );
    println!(
        "| rows purged a second | {} |",
        shown(median(purged.into_iter()))
    );
    Ok(())
}

impl World {
    async fn build() -> Result<Self> {
        let server = Server::start("128MB")?;
        let url = server.seeded("few", FEW).await?;
        let keyward = Keyward::start(server.home(), &url)?;
        Ok(Self {
            connection: PgConnection::connect(&url).await?,
            services: services(&url).await?,
            people: People::of(&url, SESSIONS).await?,
            keyward,
            server,
        })
    }

    /// As many sessions and events as are missing, all of them over.
    async fn make_old(&mut self, rows: i64) -> Result<()> {
        let missing = (2 * rows - self.old().await?) / 2;
        sqlx::query(OLD)
            .bind(missing)
            .execute(&mut self.connection)
            .await?;
        for command in ["vacuum (analyze)", "checkpoint"] {
            sqlx::query(command).execute(&mut self.connection).await?;
        }
        Ok(())
    }

    async fn old(&mut self) -> Result<i64> {
        let statement = "select (select count(*) from sessions where absolute_expires_at < now())
            + (select count(*) from security_events where created_at < now() - interval '1 year')";
        Ok(sqlx::query_scalar(statement)
            .fetch_one(&mut self.connection)
            .await?)
    }

    async fn ask(&mut self, time: Duration, uses_all: bool) -> Result<Figures> {
        let service = [self.keyward.pid()];
        let processes = Processes {
            service: &service,
            database: self.server.pid()?,
        };
        let load = paced(self.keyward.address);
        let figures = load.measure(&mut self.people.me, time, processes).await?;
        Ok(if uses_all {
            figures.without_cpu()
        } else {
            figures
        })
    }

    /// The same beside a purge, which has more to do than it gets done; and how many rows it deleted a second.
    async fn purge_beside(&mut self, time: Duration) -> Result<(Figures, f64)> {
        let (before, services) = (self.old().await?, self.services.clone());
        let purge = async {
            loop {
                let sessions = services.sessions.purge().await;
                sessions.map_err(|error| failed(&error))?;
                let events = services.security_events.purge().await;
                events.map_err(|error| failed(&error))?;
            }
        };
        let figures = tokio::select! {
            figures = self.ask(time, true) => figures?,
            ended = purge => return ended,
        };
        let purged = u32::try_from(before - self.old().await?)?;
        Ok((figures, f64::from(purged) / time.as_secs_f64()))
    }
}

fn failed(error: &keyward::services::Error) -> anyhow::Error {
    anyhow::anyhow!("{error}")
}

/// The use cases, beside the service that runs.
async fn services(url: &str) -> Result<Services> {
    let variables = [("DATABASE_URL", url), ("KEYWARD_MASTER_KEY", MASTER_KEY)];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let config = Config::read(variables).ok().context("a configuration")?;
    let url = SecretString::from(url.to_owned());
    let database = Database {
        url: &url,
        data_dir: None,
    };
    let seams = Seams {
        clock: std::sync::Arc::new(SystemClock),
        entropy: std::sync::Arc::new(OsEntropy),
    };
    Ok(App::attach(&config, &database, seams).await?.services)
}
