//! Keyward beside what limits it. Each round takes every step, one after the other, so that what disturbs one disturbs
//! all alike; ratios are made within a round.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Result;
use futures_util::future::try_join;

use crate::bare::Bare;
use crate::database::Server;
use crate::figures::{Figures, median, shown, table};
use crate::keyward::Keyward;
use crate::load::{Load, Request};
use crate::machine::{Processes, Used};
use crate::people::{People, SESSIONS, asked_with};
use crate::pgbench::{CLIENTS, Pgbench};
use crate::shares::{OfTokens, Shares};
use crate::{Extent, FEW, hashing, shares};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Static,
    Checked,
    Me,
    MeSql,
    MeAlone,
    Refresh,
    RefreshSql,
    RefreshAlone,
    Login,
    Hash,
    Calm,
    Storm,
}

const STEPS: [(Step, &str); 12] = [
    (Step::Static, "a bare handler"),
    (Step::Checked, "a bare handler that verifies a token"),
    (Step::Me, "`GET /v1/me`"),
    (Step::MeSql, "its SQL by pgbench"),
    (Step::MeAlone, "`GET /v1/me`, one connection"),
    (Step::Refresh, "refresh"),
    (Step::RefreshSql, "its SQL by pgbench"),
    (Step::RefreshAlone, "refresh, one connection"),
    (Step::Login, "login"),
    (Step::Hash, "its password hash by itself"),
    (Step::Calm, "`GET /v1/me` 50 times a second"),
    (Step::Storm, "the same beside 32 connections that log in"),
];

const PACED_LONGER: u32 = 4;

/// One figure of one step to that of another.
type Ratio = (&'static str, Step, Step, fn(&Figures) -> f64);

const RATIOS: [Ratio; 8] = [
    (
        "`GET /v1/me` to the bare handler that verifies: a second",
        Step::Me,
        Step::Checked,
        |f| f.a_second,
    ),
    (
        "the same: CPU of the service",
        Step::Me,
        Step::Checked,
        |f| f.service,
    ),
    (
        "`GET /v1/me` to its SQL by pgbench: CPU of PostgreSQL",
        Step::Me,
        Step::MeSql,
        |f| f.database,
    ),
    (
        "refresh to its SQL by pgbench: a second",
        Step::Refresh,
        Step::RefreshSql,
        |f| f.a_second,
    ),
    (
        "the same: CPU of PostgreSQL",
        Step::Refresh,
        Step::RefreshSql,
        |f| f.database,
    ),
    (
        "login to its password hash: a second",
        Step::Login,
        Step::Hash,
        |f| f.a_second,
    ),
    (
        "the same: CPU of the service",
        Step::Login,
        Step::Hash,
        |f| f.service,
    ),
    (
        "`GET /v1/me` beside logins to without: p99",
        Step::Storm,
        Step::Calm,
        |f| f.p99,
    ),
];

/// What was measured of each step, round by round.
type Measured = [(Step, &'static str, Vec<Figures>); STEPS.len()];

struct World {
    database: u32,
    keyward: Keyward,
    bare: Bare,
    bare_requests: [Vec<Request>; 2],
    people: People,
    /// Logins a second while others ask who they are, round by round.
    logins_beside: Vec<f64>,
    pgbench: Option<Pgbench>,
    /// Dropped last.
    _server: Server,
}

/// Measures, and prints two tables.
pub(crate) async fn compare(extent: Extent) -> Result<()> {
    eprintln!("Making {FEW} users.");
    let mut world = World::build().await?;
    let mut of_tokens = Vec::new();
    let mut measured: Measured = STEPS.map(|(step, name)| (step, name, Vec::new()));
    for round in extent.rounds() {
        of_tokens.push(OfTokens::measure()?);
        for (step, _, rounds) in &mut measured {
            if let Some(figures) = world.measure(*step, extent.step).await?
                && round > 0
            {
                rounds.push(figures);
            }
        }
    }
    print(&measured);
    let logins = median(world.logins_beside.iter().skip(1).copied());
    println!("| logins a second meanwhile | {} |", shown(logins));
    print_shares(&measured, &of_tokens);
    Ok(())
}

fn print(measured: &Measured) {
    let steps = measured.iter();
    println!(
        "\n{}",
        table(steps.map(|(_, name, rounds)| (*name, rounds.as_slice())))
    );
    println!("| median of the rounds' ratios | |\n|---|---:|");
    for (name, one, other, value) in RATIOS {
        let each = rounds_of(measured, one)
            .iter()
            .zip(rounds_of(measured, other));
        let ratio = median(each.map(|(one, other)| value(one) / value(other)));
        println!("| {name} | {} |", shown(ratio));
    }
}

fn print_shares(measured: &Measured, of_tokens: &[OfTokens]) {
    let cost =
        |step, value: fn(&Figures) -> f64| median(rounds_of(measured, step).iter().map(value));
    let tokens = |value: fn(&OfTokens) -> f64| median(of_tokens.iter().map(value));
    let shares = |step, tokens, hash| Shares {
        http: cost(Step::Static, |f| f.service),
        tokens,
        hash,
        service: cost(step, |f| f.service),
        database: cost(step, |f| f.database),
    };
    let hash = cost(Step::Hash, |f| f.service);
    let requests = [
        ("`GET /v1/me`", shares(Step::Me, tokens(|t| t.me), 0.0)),
        ("refresh", shares(Step::Refresh, tokens(|t| t.refresh), 0.0)),
        ("login", shares(Step::Login, tokens(|t| t.login), hash)),
    ];
    println!("\n{}", shares::table(&requests));
}

fn rounds_of(measured: &Measured, wanted: Step) -> &[Figures] {
    let found = measured.iter().find(|(step, ..)| *step == wanted);
    found.map_or(&[], |(.., rounds)| rounds)
}

impl World {
    async fn build() -> Result<Self> {
        let server = Server::start("128MB")?;
        let url = server.seeded("few", FEW).await?;
        let keyward = Keyward::start(server.home(), &url)?;
        let people = People::of(&url, SESSIONS).await?;
        Ok(Self {
            database: server.pid()?,
            bare: Bare::start(&people.key)?,
            bare_requests: ["/static", "/checked"].map(|path| asked_with(path, &people.tokens)),
            pgbench: Pgbench::find(&url, server.home()).await?,
            keyward,
            people,
            logins_beside: Vec::new(),
            _server: server,
        })
    }

    /// One step of a round; none where pgbench is not installed.
    async fn measure(&mut self, step: Step, time: Duration) -> Result<Option<Figures>> {
        // Few requests a second need longer to have a slowest hundredth.
        let time = match step {
            Step::Calm | Step::Storm => PACED_LONGER * time,
            _ => time,
        };
        let (bare, keyward) = (self.bare.address, self.keyward.address);
        let (of_bare, of_keyward) = ([self.bare.pid()], [self.keyward.pid()]);
        let (service, load): (&[u32], _) = match step {
            Step::Static | Step::Checked => (&of_bare, closed(bare, CLIENTS)),
            Step::MeAlone | Step::RefreshAlone => (&of_keyward, closed(keyward, 1)),
            Step::Login => (&of_keyward, closed(keyward, 8)),
            Step::Hash | Step::MeSql | Step::RefreshSql => (&[], closed(keyward, 0)),
            _ => (&of_keyward, closed(keyward, CLIENTS)),
        };
        let processes = Processes {
            service,
            database: self.database,
        };
        let (before, began) = (processes.used(), Instant::now());
        let used = || processes.used().since(before);
        let took = match step {
            Step::MeSql | Step::RefreshSql => return self.sql(step, time, used),
            Step::Hash => {
                let took = hashing::run(time)?;
                let used = used().as_service();
                return Ok(Some(Figures::of(took, began.elapsed(), used)));
            }
            Step::Static => load.run(&mut self.bare_requests[0], time).await?,
            Step::Checked => load.run(&mut self.bare_requests[1], time).await?,
            Step::Me | Step::MeAlone => load.run(&mut self.people.me, time).await?,
            Step::Refresh | Step::RefreshAlone => load.run(&mut self.people.refresh, time).await?,
            Step::Login => load.run(&mut self.people.login, time).await?,
            Step::Calm => paced(keyward).run(&mut self.people.me, time).await?,
            Step::Storm => {
                let took = self.storm(time).await?;
                return Ok(Some(Figures::of(took, time, used()).without_cpu()));
            }
        };
        Ok(Some(Figures::of(took, began.elapsed(), used())))
    }

    fn sql(&self, step: Step, time: Duration, used: impl Fn() -> Used) -> Result<Option<Figures>> {
        let Some(pgbench) = &self.pgbench else {
            return Ok(None);
        };
        let (script, statements) = match step {
            Step::MeSql => ("me.sql", 1.0),
            _ => ("rotate.sql", 2.0),
        };
        let ran = pgbench.run(script, statements, time)?;
        let used = used();
        Ok(Some(Figures {
            a_second: ran.a_second,
            p50: ran.mean.as_secs_f64() * 1e3,
            p99: f64::NAN,
            service: f64::NAN,
            database: used.database / ran.count * 1e6,
            asking: used.own() / time.as_secs_f64(),
            others: used.others(),
        }))
    }

    async fn storm(&mut self, time: Duration) -> Result<Vec<Duration>> {
        let address = self.keyward.address;
        let logins = closed(address, 32);
        let me = paced(address);
        let logins = logins.run(&mut self.people.login, time);
        let (logins, took) = try_join(logins, me.run(&mut self.people.me, time)).await?;
        let count = u32::try_from(logins.len())?;
        self.logins_beside
            .push(f64::from(count) / time.as_secs_f64());
        Ok(took)
    }
}

fn closed(address: SocketAddr, connections: usize) -> Load {
    Load {
        address,
        connections,
        every: None,
    }
}

/// 50 requests a second by ten connections.
pub(crate) fn paced(address: SocketAddr) -> Load {
    Load {
        address,
        connections: 10,
        every: Some(Duration::from_millis(200)),
    }
}
