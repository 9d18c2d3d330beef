//! Threads for work that is heavy: a fixed number, at the lowest priority, each with memory it keeps for the next piece
//! of work and frees when none comes. Whoever would wait too long for a turn is told so.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;

use super::{HashError, Memory, failed};

/// How long a thread keeps its memory with nothing to do.
const IDLE: Duration = Duration::from_secs(10);

type Job = Box<dyn FnOnce(&mut Memory) + Send>;
type Idle = Mutex<Vec<Sender<Task>>>;

/// A job with its turn, and the way back to the thread that does it.
struct Task {
    job: Job,
    turn: OwnedSemaphorePermit,
    thread: Sender<Task>,
}

#[derive(Clone)]
pub(super) struct Threads {
    /// As many as threads.
    turns: Arc<Semaphore>,
    /// Threads with nothing to do, the one used last on top. Holding a turn means that there is one.
    idle: Arc<Idle>,
    wait: Duration,
}

impl Threads {
    /// Starts them. They end when the last clone is gone.
    pub(super) fn start(number: usize, wait: Duration) -> Result<Self, HashError> {
        let idle = Arc::new(Idle::default());
        for index in 0..number {
            let (thread, tasks) = channel();
            let list = Arc::downgrade(&idle);
            std::thread::Builder::new()
                .name(format!("hash-{index}"))
                .spawn(move || serve(&tasks, &list))
                .map_err(failed)?;
            lock(&idle).push(thread);
        }
        Ok(Self {
            turns: Arc::new(Semaphore::new(number)),
            idle,
            wait,
        })
    }

    /// Runs one piece of work, in its turn.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<T, HashError> {
        let turn = timeout(self.wait, Arc::clone(&self.turns).acquire_owned());
        let turn = turn
            .await
            .map_err(|_| HashError::Overloaded)?
            .map_err(failed)?;
        let thread = lock(&self.idle)
            .pop()
            .ok_or_else(|| failed("no thread is idle"))?;
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |memory| {
            // The caller may have gone away meanwhile.
            let _ = answer.send(work(memory));
        });
        let task = Task {
            job,
            turn,
            thread: thread.clone(),
        };
        thread
            .send(task)
            .map_err(|_| failed("a thread has ended"))?;
        answered.await.map_err(failed)
    }
}

fn serve(tasks: &Receiver<Task>, idle: &Weak<Idle>) {
    yield_to_others();
    let mut memory = Memory::new();
    loop {
        match tasks.recv_timeout(IDLE) {
            Ok(Task { job, turn, thread }) => {
                // A fault in one job must not leave a thread fewer; its caller sees the answer's channel close.
                let _ = catch_unwind(AssertUnwindSafe(|| job(&mut memory)));
                if let Some(idle) = idle.upgrade() {
                    lock(&idle).push(thread);
                }
                drop(turn);
            }
            Err(RecvTimeoutError::Timeout) => memory = Memory::new(),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn lock(idle: &Idle) -> MutexGuard<'_, Vec<Sender<Task>>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The lowest priority: a storm of logins then costs the other requests little. On Linux it is per thread.
fn yield_to_others() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, 19);
}
