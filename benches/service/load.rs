//! Many connections at once, each with its own share of the requests, which it walks in a circle.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures_util::future::try_join_all;
use tokio::time::sleep_until;

use crate::figures::Figures;
use crate::http::Connection;
use crate::machine::Processes;

/// What the client at this address asks after an answer with this body.
pub(crate) type Next = fn(Ipv4Addr, &str) -> Result<Vec<u8>>;

/// A request that is sent again and again.
pub(crate) struct Request {
    pub(crate) bytes: Vec<u8>,
    /// Who asks.
    pub(crate) from: Ipv4Addr,
    /// Where the answer decides what is asked next.
    pub(crate) next: Option<Next>,
}

/// How requests are sent.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) address: SocketAddr,
    pub(crate) connections: usize,
    /// Between two requests of a connection; none: as soon as there is an answer.
    pub(crate) every: Option<Duration>,
}

impl Load {
    /// How long each answer took. A request that is due while another waits is late, and its wait counts.
    pub(crate) async fn run(
        self,
        requests: &mut [Request],
        time: Duration,
    ) -> Result<Vec<Duration>> {
        let share = requests.len() / self.connections;
        let shares = requests
            .chunks_exact_mut(share.max(1))
            .take(self.connections);
        let began = Instant::now();
        let walks = shares.enumerate().map(|(nth, share)| {
            let offset = self
                .every
                .unwrap_or_default()
                .mul_f64(part(nth, self.connections));
            self.walk(share, began + offset, began + time)
        });
        Ok(try_join_all(walks).await?.concat())
    }

    /// The same, with what it cost these processes.
    pub(crate) async fn measure(
        self,
        requests: &mut [Request],
        time: Duration,
        processes: Processes<'_>,
    ) -> Result<Figures> {
        let (before, began) = (processes.used(), Instant::now());
        let took = self.run(requests, time).await?;
        let (elapsed, used) = (began.elapsed(), processes.used().since(before));
        Ok(Figures::of(took, elapsed, used))
    }

    async fn walk(
        self,
        requests: &mut [Request],
        first: Instant,
        until: Instant,
    ) -> Result<Vec<Duration>> {
        let mut connection = Connection::open(self.address).await?;
        let (mut took, mut due, mut at) = (Vec::new(), first, 0);
        while due < until {
            if self.every.is_some() {
                sleep_until(due.into()).await;
            }
            let request = &mut requests[at];
            let answer = connection.ask(&request.bytes).await?;
            took.push(due.elapsed());
            if let Some(next) = request.next {
                request.bytes = next(request.from, answer)?;
            }
            at = (at + 1) % requests.len();
            due = self.every.map_or_else(Instant::now, |every| due + every);
        }
        Ok(took)
    }
}

/// The `nth` of so many parts begins here.
fn part(nth: usize, of: usize) -> f64 {
    let float = |number| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    float(nth) / float(of)
}

/// The value of a member that is a plain string.
pub(crate) fn member<'b>(body: &'b str, name: &str) -> Result<&'b str> {
    let quoted = format!("\"{name}\":\"");
    let (_, after) = body
        .split_once(&quoted)
        .context("an answer lacks a member")?;
    let (value, _) = after.split_once('"').context("an answer is cut off")?;
    Ok(value)
}
