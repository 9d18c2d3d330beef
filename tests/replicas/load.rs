//! Many people at once, who go on until they are stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::person::{Habit, Person};

const PEOPLE: usize = 8;
const PAUSE: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Load {
    people: Vec<(JoinHandle<Vec<String>>, Arc<AtomicU64>)>,
    is_over: Arc<AtomicBool>,
}

impl Load {
    /// They ask this URL.
    pub(crate) fn start(url: &str, habit: Habit) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let people = (0..PEOPLE).map(|number| {
            let (person, rounds) = (Person::new(url, number, habit), Arc::new(AtomicU64::new(0)));
            let living = live(person, rounds.clone(), is_over.clone());
            (tokio::spawn(living), rounds)
        });
        Self {
            people: people.collect(),
            is_over,
        }
    }

    /// Waits until each has done everything once more.
    pub(crate) async fn everybody_goes_round(&self) {
        let gone_round = async {
            for (task, rounds) in &self.people {
                let enough = rounds.load(Ordering::Relaxed) + 2;
                while rounds.load(Ordering::Relaxed) < enough && !task.is_finished() {
                    tokio::time::sleep(PAUSE).await;
                }
            }
        };
        let gone_round = tokio::time::timeout(PATIENCE, gone_round).await;
        assert!(gone_round.is_ok(), "somebody waits for an answer");
    }

    /// Fails when any request was not answered as it should be.
    pub(crate) async fn stop(self) {
        self.is_over.store(true, Ordering::Relaxed);
        let mut failures = Vec::new();
        for (task, _) in self.people {
            failures.extend(task.await.unwrap());
        }
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    }
}

/// What went wrong.
async fn live(mut person: Person, rounds: Arc<AtomicU64>, is_over: Arc<AtomicBool>) -> Vec<String> {
    let mut failures = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        if let Err(failure) = person.go_round().await {
            failures.push(failure);
            person.leave();
        }
        rounds.fetch_add(1, Ordering::Relaxed);
    }
    failures
}
