//! Turns at heavy work: at most a fixed number at once. Each source waits in a queue of its own, and the queues are served
//! in rotation, so that whoever floods makes only himself wait. Who would wait for too long is told so at once.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::HashError;
use crate::domain::Network;

/// How much the last piece of work counts for what the next one is expected to take.
const WEIGHT: u32 = 8;

/// Clones share the turns.
#[derive(Clone)]
pub(super) struct Turns(Arc<Shared>);

struct Shared {
    /// How many there are.
    number: u32,
    /// Longest wait for one.
    wait: Duration,
    state: Mutex<State>,
}

struct State {
    free: u32,
    /// The one to be served next comes first.
    queues: VecDeque<Queue>,
    /// What a piece of work takes, on average.
    takes: Duration,
}

struct Queue {
    source: Option<Network>,
    waiting: VecDeque<oneshot::Sender<Turn>>,
}

/// A turn, until it is dropped. Dropped by whoever has stopped waiting for it, it goes to the next one.
pub(super) struct Turn {
    of: Arc<Shared>,
    began: Instant,
}

impl Turns {
    pub(super) fn new(number: u32, wait: Duration) -> Self {
        let state = State {
            free: number,
            queues: VecDeque::new(),
            takes: Duration::ZERO,
        };
        Self(Arc::new(Shared {
            number,
            wait,
            state: Mutex::new(state),
        }))
    }

    /// Waits for a turn, in the queue of this source.
    pub(super) async fn take(&self, source: Option<Network>) -> Result<Turn, HashError> {
        let coming = {
            let mut state = self.0.lock();
            if state.free > 0 {
                state.free -= 1;
                return Ok(Turn::at(&self.0));
            }
            if state.wait_of(source) / self.0.number > self.0.wait {
                return Err(HashError::Overloaded);
            }
            state.enqueue(source)
        };
        let turn = timeout(self.0.wait, coming).await;
        turn.ok().and_then(Result::ok).ok_or(HashError::Overloaded)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The work of all that comes before one more of this source: of each other queue as many as of its own.
    fn wait_of(&self, source: Option<Network>) -> Duration {
        let own = self.queues.iter().find(|queue| queue.source == source);
        let own = own.map_or(0, |queue| queue.waiting.len());
        let others = self.queues.iter().filter(|queue| queue.source != source);
        let others: usize = others.map(|queue| queue.waiting.len().min(own + 1)).sum();
        let ahead = u32::try_from(own + others + 1).unwrap_or(u32::MAX);
        self.takes.saturating_mul(ahead)
    }

    fn enqueue(&mut self, source: Option<Network>) -> oneshot::Receiver<Turn> {
        let (give, coming) = oneshot::channel();
        match self.queues.iter_mut().find(|queue| queue.source == source) {
            Some(queue) => queue.waiting.push_back(give),
            None => self.queues.push_back(Queue {
                source,
                waiting: VecDeque::from([give]),
            }),
        }
        coming
    }

    /// Who is served next and still waits; their queue goes to the end.
    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        loop {
            let mut queue = self.queues.pop_front()?;
            let next = queue.waiting.pop_front();
            if !queue.waiting.is_empty() {
                self.queues.push_back(queue);
            }
            if let Some(next) = next.filter(|next| !next.is_closed()) {
                return Some(next);
            }
        }
    }
}

impl Turn {
    fn at(of: &Arc<Shared>) -> Self {
        Self {
            of: of.clone(),
            began: Instant::now(),
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let next = {
            let mut state = self.of.lock();
            state.takes = (state.takes * (WEIGHT - 1) + self.began.elapsed()) / WEIGHT;
            let next = state.next();
            state.free += u32::from(next.is_none());
            next
        };
        if let Some(next) = next {
            // Whoever has gone meanwhile drops it, and it goes on from there.
            let _ = next.send(Turn::at(&self.of));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::{FutureExt, join_all};

    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    fn source(last: u8) -> Network {
        Network::V4([192, 0, 2, last])
    }

    /// Takes a turn, and notes whose it was.
    async fn work(turns: &Turns, whose: u8, done: &Mutex<Vec<u8>>) {
        let turn = turns.take(Some(source(whose))).await.unwrap();
        done.lock().unwrap().push(whose);
        tokio::task::yield_now().await;
        drop(turn);
    }

    // OPS-09
    #[tokio::test]
    async fn a_flood_from_one_source_makes_only_that_one_wait() {
        let turns = Turns::new(1, LONG);
        let (held, done) = (turns.take(None).await.unwrap(), Mutex::default());
        let mut flood = pin!(join_all((0..50).map(|_| work(&turns, 1, &done))));
        assert!((&mut flood).now_or_never().is_none());
        let mut others = pin!(join_all([2, 3, 3].map(|whose| work(&turns, whose, &done))));
        assert!((&mut others).now_or_never().is_none());
        drop(held);
        tokio::join!(flood, others);
        let done = done.lock().unwrap();
        assert_eq!(done[..6], [1, 2, 3, 1, 3, 1]);
        assert_eq!(done.len(), 53);
    }

    #[tokio::test]
    async fn no_more_have_turns_at_once_than_there_are() {
        let turns = Turns::new(3, LONG);
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let each = (0..60).map(async |number: u8| {
            let turn = turns.take(Some(source(number % 7))).await.unwrap();
            most.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            now.fetch_sub(1, Ordering::Relaxed);
            drop(turn);
        });
        join_all(each).await;
        assert_eq!(most.into_inner(), 3);
    }

    #[tokio::test]
    async fn whoever_would_wait_too_long_is_told_at_once_and_others_are_let_in() {
        let turns = Turns::new(1, Duration::from_millis(100));
        turns.0.lock().takes = Duration::from_millis(40);
        let held = turns.take(None).await.unwrap();
        let comes = async |whose| turns.take(Some(source(whose))).await.is_ok();
        let mut flood = pin!(join_all((0..9).map(|_| comes(1))));
        assert!((&mut flood).now_or_never().is_none());
        let mut other = pin!(comes(2));
        assert!((&mut other).now_or_never().is_none());
        drop(held);
        let (flood, other) = tokio::join!(flood, other);
        // A third would be 120 ms away.
        assert_eq!(flood.iter().filter(|comes| **comes).count(), 2);
        assert!(other);
    }

    #[tokio::test]
    async fn a_turn_given_to_nobody_goes_to_the_next() {
        let turns = Turns::new(1, LONG);
        let held = turns.take(None).await.unwrap();
        {
            let mut gone = pin!(turns.take(Some(source(1))));
            assert!((&mut gone).now_or_never().is_none());
            // It is given, and then not looked at.
            drop(held);
        }
        let held = turns.take(Some(source(2))).now_or_never().unwrap().unwrap();
        {
            let mut gone = pin!(turns.take(Some(source(1))));
            assert!((&mut gone).now_or_never().is_none());
        }
        drop(held);
        assert!(turns.take(Some(source(3))).now_or_never().unwrap().is_ok());
    }

    #[tokio::test]
    async fn a_turn_that_does_not_come_in_time_is_refused() {
        let turns = Turns::new(1, Duration::from_millis(20));
        let held = turns.take(None).await.unwrap();
        assert!(matches!(turns.take(None).await, Err(HashError::Overloaded)));
        drop(held);
        assert!(turns.take(None).await.is_ok());
    }
}
