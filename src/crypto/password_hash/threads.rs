//! Threads for work that is heavy: at most a fixed number, at the lowest priority. Each keeps its memory for the next
//! piece of work, and ends with it when none comes. Whoever would wait too long for a turn is told so.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::oneshot;

use super::turns::{Turn, Turns};
use super::{HashError, Memory, failed};
use crate::domain::Network;
use crate::metrics::Metrics;
use crate::spans;

/// How long a thread waits with nothing to do.
const IDLE: Duration = Duration::from_secs(10);

type Job = Box<dyn FnOnce(&mut Memory) -> Answer + Send>;
/// Tells the caller. Whoever hears it finds the turn given back.
type Answer = Box<dyn FnOnce() + Send>;
type Idle = Mutex<Vec<Thread>>;

/// The way to a thread.
#[derive(Clone)]
struct Thread {
    number: u64,
    tasks: Sender<Task>,
}

/// A job with its turn, and the way back to the thread that does it.
struct Task {
    job: Job,
    turn: Turn,
    thread: Thread,
}

#[derive(Clone)]
pub(super) struct Threads {
    /// As many as there may be threads.
    turns: Turns,
    /// Threads with nothing to do, the one used last on top.
    idle: Arc<Idle>,
    started: Arc<AtomicU64>,
    metrics: Metrics,
}

impl Threads {
    /// None is started before it is needed. Those that are there end when the last clone is gone.
    pub(super) fn new(number: u32, wait: Duration, metrics: Metrics) -> Self {
        Self {
            turns: Turns::new(number, wait),
            idle: Arc::default(),
            started: Arc::default(),
            metrics,
        }
    }

    /// Runs one piece of work, in its source's turn. The name is for those who trace.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        name: &'static str,
        source: Option<Network>,
        work: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<T, HashError> {
        let waiting = self.metrics.wait_to_hash();
        let turn = spans::part("password.turn", self.turns.take(source)).await?;
        drop(waiting);
        let thread = self.thread()?;
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |memory| {
            let done = work(memory);
            Box::new(move || {
                // The caller may have gone away meanwhile.
                let _ = answer.send(done);
            })
        });
        let tasks = thread.tasks.clone();
        tasks
            .send(Task { job, turn, thread })
            .map_err(|_| failed("a thread has ended"))?;
        spans::part(name, answered).await.map_err(failed)
    }

    /// An idle thread, or a new one. Whoever holds a turn may have one.
    fn thread(&self) -> Result<Thread, HashError> {
        if let Some(thread) = lock(&self.idle).pop() {
            return Ok(thread);
        }
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let (tasks, queue) = channel();
        let idle = Arc::downgrade(&self.idle);
        std::thread::Builder::new()
            .name(format!("hash-{number}"))
            .spawn(move || serve(number, &queue, &idle))
            .map_err(failed)?;
        Ok(Thread { number, tasks })
    }
}

fn serve(number: u64, queue: &Receiver<Task>, idle: &Weak<Idle>) {
    yield_to_others();
    let mut memory = Memory::new();
    loop {
        match queue.recv_timeout(IDLE) {
            Ok(Task { job, turn, thread }) => {
                // A fault in one job must not end the thread; its caller sees the answer's channel close.
                let answer = catch_unwind(AssertUnwindSafe(|| job(&mut memory)));
                if let Some(idle) = idle.upgrade() {
                    lock(&idle).push(thread);
                }
                drop(turn);
                if let Ok(answer) = answer {
                    answer();
                }
            }
            // The allocator gives the memory back only with the thread.
            Err(RecvTimeoutError::Timeout) if retires(number, idle) => return,
            // A task is on its way.
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Takes the thread out of the idle ones; whether it was among them.
fn retires(number: u64, idle: &Weak<Idle>) -> bool {
    let Some(idle) = idle.upgrade() else {
        return true;
    };
    let mut idle = lock(&idle);
    let among = idle.iter().position(|thread| thread.number == number);
    among.map(|position| idle.remove(position)).is_some()
}

fn lock(idle: &Idle) -> MutexGuard<'_, Vec<Thread>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The lowest priority: a storm of logins then costs the other requests little. On Linux it is per thread.
fn yield_to_others() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, 19);
}
