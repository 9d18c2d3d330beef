//! Two replicas beside one, and two that have half of the cores each: the same requests through the same proxy to the same database, in turn.

use std::net::SocketAddr;
use std::path::Path;
use std::thread::available_parallelism;
use std::time::Duration;

use anyhow::Result;

use crate::database::Server;
use crate::figures::{Figures, median, shown, table};
use crate::keyward::Keyward;
use crate::load::Load;
use crate::machine::Processes;
use crate::nginx::Nginx;
use crate::people::{People, REQUESTS, SESSIONS};
use crate::pgbench::CLIENTS;
use crate::{Extent, FEW};

const SETS: [&str; 3] = ["one replica", "two", "two, half the cores each"];

/// Replicas, and where the proxy has them reached.
struct Set {
    address: SocketAddr,
    /// Of the replicas, and of the proxy.
    pids: Vec<u32>,
    /// Of each request, round by round.
    measured: [Vec<Figures>; 3],
    /// They end with it.
    _replicas: Vec<Keyward>,
}

/// Measures, and prints two tables.
pub(crate) async fn compare(extent: Extent) -> Result<()> {
    let server = Server::start("128MB")?;
    let url = server.seeded("few", FEW).await?;
    let replicas = start(server.home(), &url)?;
    let addresses = replicas
        .each_ref()
        .map(|set| set.iter().map(|one| one.address).collect());
    let Some((nginx, addresses)) = Nginx::start(&addresses).await? else {
        println!("Not measured: there is no nginx, which would be in front of the replicas.");
        return Ok(());
    };
    let sets = replicas.into_iter().zip(addresses);
    let mut sets: Vec<Set> = sets
        .map(|(replicas, address)| Set::of(replicas, address, &nginx))
        .collect();
    let mut people = People::of(&url, SESSIONS).await?;
    for round in extent.rounds() {
        for request in 0..REQUESTS.len() {
            for set in &mut sets {
                let figures = set
                    .measure(&mut people, request, extent.step, server.pid()?)
                    .await?;
                if round > 0 {
                    set.measured[request].push(figures);
                }
            }
        }
    }
    print(&sets);
    Ok(())
}

/// Those of each set.
fn start(home: &Path, url: &str) -> Result<[Vec<Keyward>; 3]> {
    let cores = available_parallelism().map_or(2, usize::from).max(2);
    let halves = [
        format!("0-{}", cores / 2 - 1),
        format!("{}-{}", cores / 2, cores - 1),
    ];
    let shared = || Keyward::start(home, url);
    let [lower, upper] = halves.map(|half| Keyward::start_on(&half, home, url));
    Ok([
        vec![shared()?],
        vec![shared()?, shared()?],
        vec![lower?, upper?],
    ])
}

impl Set {
    fn of(replicas: Vec<Keyward>, address: SocketAddr, proxy: &Nginx) -> Self {
        let pids = replicas.iter().map(Keyward::pid).chain([proxy.pid()]);
        Self {
            address,
            pids: pids.collect(),
            measured: Default::default(),
            _replicas: replicas,
        }
    }

    /// Fails when a request does.
    async fn measure(
        &self,
        people: &mut People,
        request: usize,
        time: Duration,
        database: u32,
    ) -> Result<Figures> {
        let load = Load {
            address: self.address,
            connections: CLIENTS,
            every: None,
        };
        let processes = Processes {
            service: &self.pids,
            database,
        };
        let requests = people.requests(REQUESTS[request]);
        load.measure(requests, time, processes).await
    }
}

fn print(sets: &[Set]) {
    let names = REQUESTS.map(|request| SETS.map(|set| format!("{request}, {set}")));
    let steps = names.iter().enumerate().flat_map(|(at, names)| {
        let rows = names.iter().zip(sets);
        rows.map(move |(name, set)| (name.as_str(), set.measured[at].as_slice()))
    });
    println!("\n{}", table(steps));
    println!("| to one replica | a second | p50 | CPU |\n|---|---:|---:|---:|");
    let [one, others @ ..] = sets else { return };
    for (at, names) in names.iter().enumerate() {
        for (name, set) in names[1..].iter().zip(others) {
            let ratio = |value: fn(&Figures) -> f64| {
                let each = set.measured[at].iter().zip(&one.measured[at]);
                shown(median(each.map(|(set, one)| value(set) / value(one))))
            };
            let ratios = [
                ratio(|f| f.a_second),
                ratio(|f| f.p50),
                ratio(|f| f.service + f.database),
            ];
            println!("| {name} | {} |", ratios.join(" | "));
        }
    }
}
