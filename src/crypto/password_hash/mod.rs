//! Password hashing: Argon2id (RFC 9106) on threads of its own, as many at a time as there are threads, with their
//! memory kept. Whoever would wait too long for a turn is told so. Nothing here runs on the threads that serve.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use subtle::ConstantTimeEq;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

use crate::config;
use crate::domain::{Entropy, Password};

const SALT: usize = 16;
const OUTPUT: usize = 32;

type Memory = Vec<Block>;
type Job = Box<dyn FnOnce(&mut Memory) + Send>;

/// Why there is no hash.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// The wait for a turn was longer than allowed.
    #[error("too many passwords are waiting to be hashed")]
    Overloaded,
    /// The stored hash or the parameters are not usable.
    #[error("a password could not be hashed: {0}")]
    Failed(String),
}

/// Hashes and compares passwords.
#[derive(Clone)]
pub struct PasswordHasher {
    jobs: Sender<Job>,
    turns: Arc<Semaphore>,
    wait: Duration,
    params: Params,
    /// A hash of nothing, compared with where there is no account, so that this takes as long.
    decoy: Arc<str>,
}

impl PasswordHasher {
    /// Starts the threads. They end when the last clone is gone.
    pub fn start(config: &config::Passwords, entropy: &dyn Entropy) -> Result<Self, HashError> {
        let argon2 = &config.argon2;
        let params = Params::new(
            argon2.memory_kib,
            argon2.iterations,
            argon2.parallelism,
            Some(OUTPUT),
        )
        .map_err(failed)?;
        let decoy = encode(
            &params,
            &entropy.bytes::<SALT>(),
            &entropy.bytes::<OUTPUT>(),
        )?;
        let (jobs, queue) = channel();
        let queue = Arc::new(Mutex::new(queue));
        for number in 0..config.hash_concurrency {
            let queue = Arc::clone(&queue);
            std::thread::Builder::new()
                .name(format!("hash-{number}"))
                .spawn(move || work(&queue))
                .map_err(failed)?;
        }
        let turns = Arc::new(Semaphore::new(config.hash_concurrency));
        Ok(Self {
            jobs,
            turns,
            wait: config.hash_queue_timeout,
            params,
            decoy: decoy.into(),
        })
    }

    /// The PHC string of a password.
    pub async fn hash(&self, password: Password, salt: [u8; SALT]) -> Result<String, HashError> {
        let params = self.params.clone();
        self.run(move |memory| {
            let output = argon2id(&params, password.as_bytes(), &salt, memory)?;
            encode(&params, &salt, &output)
        })
        .await?
    }

    /// Whether it is the password of a stored hash. With none, the same work is done, and the answer is no.
    pub async fn verify(
        &self,
        password: Password,
        stored: Option<&str>,
    ) -> Result<bool, HashError> {
        let known = stored.is_some();
        let stored = stored.unwrap_or(&self.decoy).to_owned();
        let equal = self
            .run(move |memory| compare(&password, &stored, memory))
            .await??;
        Ok(equal && known)
    }

    /// Whether a stored hash was made with other parameters than today's.
    pub fn is_outdated(&self, stored: &str) -> bool {
        let parsed = PasswordHash::new(stored).ok();
        let params = parsed.as_ref().and_then(|hash| Params::try_from(hash).ok());
        let costs = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
        params.is_none_or(|params| costs(&params) != costs(&self.params))
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<T, HashError> {
        let turn = timeout(self.wait, Arc::clone(&self.turns).acquire_owned());
        let turn = turn
            .await
            .map_err(|_| HashError::Overloaded)?
            .map_err(failed)?;
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |memory| {
            let result = work(memory);
            // The turn ends with the work, also where the caller has gone away meanwhile.
            drop(turn);
            let _ = answer.send(result);
        });
        self.jobs.send(job).map_err(failed)?;
        answered.await.map_err(failed)
    }
}

fn work(queue: &Mutex<Receiver<Job>>) {
    yield_to_others();
    let mut memory = Memory::new();
    loop {
        let Ok(Ok(job)) = queue.lock().map(|queue| queue.recv()) else {
            return;
        };
        // A fault in one hash must not leave a thread fewer; its caller sees the answer's channel close.
        let _ = catch_unwind(AssertUnwindSafe(|| job(&mut memory)));
    }
}

/// The lowest priority: a storm of logins then costs the other requests little. On Linux it is per thread.
fn yield_to_others() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, 19);
}

fn argon2id(
    params: &Params,
    password: &[u8],
    salt: &[u8],
    memory: &mut Memory,
) -> Result<[u8; OUTPUT], HashError> {
    if memory.len() < params.block_count() {
        memory.resize(params.block_count(), Block::default());
    }
    let mut output = [0; OUTPUT];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone())
        .hash_password_into_with_memory(
            password,
            salt,
            &mut output,
            &mut memory[..params.block_count()],
        )
        .map_err(failed)?;
    Ok(output)
}

fn compare(password: &Password, stored: &str, memory: &mut Memory) -> Result<bool, HashError> {
    let parsed = PasswordHash::new(stored).map_err(failed)?;
    let params = Params::try_from(&parsed).map_err(failed)?;
    let ours = parsed.algorithm.as_str() == "argon2id" && parsed.version == Some(19);
    let (Some(salt), Some(expected), true) = (parsed.salt, parsed.hash, ours) else {
        return Err(failed("a stored hash is not of Argon2id, version 1.3"));
    };
    let output = argon2id(&params, password.as_bytes(), salt.as_ref(), memory)?;
    Ok(output.ct_eq(expected.as_bytes()).into())
}

fn encode(params: &Params, salt: &[u8], output: &[u8]) -> Result<String, HashError> {
    let mut written = ParamsString::new();
    for (name, value) in [
        ("m", params.m_cost()),
        ("t", params.t_cost()),
        ("p", params.p_cost()),
    ] {
        written.add_decimal(name, value).map_err(failed)?;
    }
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: written,
        salt: Some(Salt::new(salt).map_err(failed)?),
        hash: Some(Output::new(output).map_err(failed)?),
    };
    Ok(hash.to_string())
}

#[expect(clippy::needless_pass_by_value, reason = "the form map_err asks for")]
fn failed(error: impl ToString) -> HashError {
    HashError::Failed(error.to_string())
}

#[cfg(test)]
mod tests;
