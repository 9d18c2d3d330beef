//! Who kills: in turns, each at a random moment, and then waits until it all works again.

use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::dice::Dice;
use crate::invariants;
use crate::keyward::{Keyward, children, is_gone};
use crate::world::{GRACE, World};

/// Requests that are answered between two kills, at most.
const ANSWERS: u64 = 24;
const PATIENCE: Duration = Duration::from_mins(1);

/// What is killed, by SIGKILL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kill {
    Keyward,
    Postgres,
    /// One process of PostgreSQL: a connection's, or one that writes.
    PartOfPostgres,
    Both,
    /// Keyward, and the next one before it listens.
    Starting,
    /// PostgreSQL, and Keyward while it starts it again.
    Recovering,
}

const TURN: [Kill; 6] = [
    Kill::Keyward,
    Kill::Postgres,
    Kill::PartOfPostgres,
    Kill::Both,
    Kill::Starting,
    Kill::Recovering,
];

pub(crate) struct Killer {
    world: Arc<World>,
    dice: Dice,
    keyward: Keyward,
    turn: Vec<Kill>,
}

impl Killer {
    pub(crate) fn new(world: Arc<World>, keyward: Keyward, seed: u64) -> Self {
        Self {
            world,
            dice: Dice::new(seed),
            keyward,
            turn: Vec::new(),
        }
    }

    /// Kills once more, and finds everything as it should be.
    pub(crate) async fn go_on(&mut self) {
        self.wait().await;
        let kill = self.next();
        let old = processes(&self.keyward);
        let began = tokio::task::block_in_place(|| self.kill(kill));
        self.recovered(&old).await;
        let took = began.elapsed();
        self.world.report.with(|report| report.killed(kill, took));
        self.check().await;
    }

    pub(crate) async fn check(&self) {
        invariants::check(&self.world).await;
    }

    pub(crate) fn stop(self) {
        assert!(
            !self.keyward.log().contains("panicked"),
            "{}",
            self.keyward.log()
        );
        assert!(self.keyward.stop().success());
    }

    /// For so many answers, and then for the middle of something. On a machine that is busy otherwise it takes longer.
    async fn wait(&mut self) {
        let answers = self.dice.below(ANSWERS);
        let enough = self.world.answered() + answers;
        // Everybody may be waiting for a grace to pass.
        let until = Instant::now() + GRACE;
        while self.world.answered() < enough && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(self.dice.moment(50)).await;
    }

    fn next(&mut self) -> Kill {
        if self.turn.is_empty() {
            self.turn = TURN.to_vec();
            self.dice.shuffle(&mut self.turn);
        }
        self.turn.pop().unwrap()
    }

    /// When the last process died.
    fn kill(&mut self, kill: Kill) -> Instant {
        match kill {
            Kill::Keyward => self.start_again(false),
            Kill::Both => self.start_again(true),
            Kill::Postgres => {
                kill_one(self.keyward.postgres());
                Instant::now()
            }
            Kill::PartOfPostgres => self.kill_a_part(),
            Kill::Starting => {
                let with_postgres = self.dice.one_in(2);
                self.end(with_postgres);
                let mut newborn = self.world.newborn();
                sleep(self.dice.moment(600));
                newborn.kill().unwrap();
                newborn.wait().unwrap();
                self.start()
            }
            Kill::Recovering => {
                kill_one(self.keyward.postgres());
                sleep(self.dice.moment(500));
                self.start_again(false)
            }
        }
    }

    /// The others go with it. Where they do not, it had ended by itself, as connections do, and another one is killed.
    fn kill_a_part(&mut self) -> Instant {
        loop {
            let parts = children(self.keyward.postgres());
            kill_one(*self.dice.pick(&parts));
            let began = Instant::now();
            while began.elapsed() < Duration::from_secs(10) {
                if parts.iter().all(|pid| is_gone(*pid)) {
                    return began;
                }
                sleep(Duration::from_millis(5));
            }
        }
    }

    fn start_again(&mut self, with_postgres: bool) -> Instant {
        self.end(with_postgres);
        self.start()
    }

    fn end(&mut self, with_postgres: bool) {
        let postgres = with_postgres.then(|| self.keyward.postgres());
        self.keyward.signal(Signal::KILL);
        postgres.into_iter().for_each(kill_one);
        self.keyward.wait();
    }

    fn start(&mut self) -> Instant {
        let began = Instant::now();
        self.keyward = self.world.start();
        began
    }

    /// Another server runs, with none of the old processes, and the service is ready.
    async fn recovered(&self, old: &[Pid]) {
        let until = Instant::now() + PATIENCE;
        loop {
            let new = processes(&self.keyward);
            let is_new = new.len() > 1 && !new.iter().any(|pid| old.contains(pid));
            if is_new && self.world.is_ready().await {
                return;
            }
            assert!(Instant::now() < until, "not ready:\n{}", self.keyward.log());
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }
}

fn kill_one(pid: Pid) {
    // It may have gone on its own by now.
    let _ = kill_process(pid, Signal::KILL);
}

/// Those of the server, without the first one where it outlives a part of it.
fn processes(keyward: &Keyward) -> Vec<Pid> {
    keyward
        .postgres_if_there()
        .map(children)
        .unwrap_or_default()
}
