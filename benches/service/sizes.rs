//! Keyward beside itself: the same requests to a small database and to a large one, in turn.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::database::Server;
use crate::figures::{Figures, median, shown, table};
use crate::keyward::Keyward;
use crate::load::Load;
use crate::machine::Processes;
use crate::people::{People, REQUESTS};
use crate::pgbench::CLIENTS;
use crate::rows::SESSIONS_EACH;
use crate::{Extent, FEW};

/// A first round is so much longer, until all sessions were asked for.
const WARM_UP: u32 = 5;
/// For less than the whole of a large database.
const SHARED_BUFFERS: &str = "2GB";

/// One database with its Keyward.
struct Size {
    users: i64,
    keyward: Keyward,
    people: People,
    /// Of each request, round by round.
    measured: [Vec<Figures>; 3],
}

/// Measures, and prints two tables.
pub(crate) async fn compare(users: i64, sessions: i64, extent: Extent) -> Result<()> {
    let server = Server::start(SHARED_BUFFERS)?;
    let mut sizes = [
        Size::make(&server, "few", FEW, sessions).await?,
        Size::make(&server, "many", users, sessions).await?,
    ];
    for round in extent.rounds() {
        // What the one leaves to be written falls to the other.
        let order = if round % 2 == 0 { [0, 1] } else { [1, 0] };
        let step = if round == 0 {
            WARM_UP * extent.step
        } else {
            extent.step
        };
        for request in 0..REQUESTS.len() {
            for size in order {
                let size = &mut sizes[size];
                let figures = size.measure(request, step, server.pid()?).await?;
                if round > 0 {
                    size.measured[request].push(figures);
                }
            }
        }
    }
    print(&sizes);
    Ok(())
}

impl Size {
    async fn make(server: &Server, name: &'static str, users: i64, sessions: i64) -> Result<Self> {
        let began = Instant::now();
        let url = server.seeded(name, users).await?;
        let (made, took) = (users * SESSIONS_EACH, began.elapsed().as_secs_f64());
        eprintln!("Made {users} users and {made} sessions in {took:.1} s.");
        let keyward = Keyward::start(server.home(), &url)?;
        Ok(Self {
            users,
            people: People::of(&url, sessions).await?,
            keyward,
            measured: Default::default(),
        })
    }

    async fn measure(&mut self, request: usize, time: Duration, database: u32) -> Result<Figures> {
        let load = Load {
            address: self.keyward.address,
            connections: CLIENTS,
            every: None,
        };
        let service = [self.keyward.pid()];
        let processes = Processes {
            service: &service,
            database,
        };
        let requests = self.people.requests(REQUESTS[request]);
        load.measure(requests, time, processes).await
    }
}

fn print(sizes: &[Size; 2]) {
    let [few, many] = sizes;
    let names = REQUESTS.map(|request| {
        sizes
            .each_ref()
            .map(|size| format!("{request}, {} users", size.users))
    });
    let steps = names.iter().enumerate().flat_map(|(at, names)| {
        let rows = names.iter().zip(sizes);
        rows.map(move |(name, size)| (name.as_str(), size.measured[at].as_slice()))
    });
    println!("\n{}", table(steps));
    println!(
        "| at {} users to at {} | CPU | p50 |\n|---|---:|---:|",
        many.users, few.users
    );
    for (at, request) in REQUESTS.iter().enumerate() {
        let ratio = |value: fn(&Figures) -> f64| {
            let each = many.measured[at].iter().zip(&few.measured[at]);
            shown(median(each.map(|(many, few)| value(many) / value(few))))
        };
        println!(
            "| {request} | {} | {} |",
            ratio(|f| f.service + f.database),
            ratio(|f| f.p50)
        );
    }
}
