//! Password hashing: Argon2id (RFC 9106) on threads of its own, at most a configured number at a time.
//! Nothing here runs on the threads that serve.

mod threads;
mod turns;

use std::sync::Arc;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use subtle::ConstantTimeEq;

use self::threads::Threads;
use crate::config;
use crate::domain::{Entropy, Network, Password};
use crate::metrics::Metrics;

const SALT: usize = 16;
const OUTPUT: usize = 32;

type Memory = Vec<Block>;

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

/// Hashes and compares passwords. Sources take turns: a flood from one makes only that one wait.
#[derive(Clone)]
pub struct PasswordHasher {
    threads: Threads,
    params: Params,
    /// A hash of nothing, compared with where there is no account, so that this takes as long.
    decoy: Arc<str>,
    /// In whose queue its work waits.
    source: Option<Network>,
}

impl PasswordHasher {
    /// With the parameters and the bound of the configuration.
    pub fn new(
        config: &config::Passwords,
        entropy: &dyn Entropy,
        metrics: Metrics,
    ) -> Result<Self, HashError> {
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
        let threads = Threads::new(config.hash_concurrency, config.hash_queue_timeout, metrics);
        Ok(Self {
            threads,
            params,
            decoy: decoy.into(),
            source: None,
        })
    }

    /// The same, with its work in the queue of this source.
    #[must_use]
    pub fn queued_as(&self, source: Option<Network>) -> Self {
        Self {
            source,
            ..self.clone()
        }
    }

    /// The PHC string of a password.
    pub async fn hash(&self, password: Password, salt: [u8; SALT]) -> Result<String, HashError> {
        let params = self.params.clone();
        self.threads
            .run("password.hash", self.source, move |memory| {
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
        let today = self.params.clone();
        let equal = self
            .threads
            .run("password.hash", self.source, move |memory| {
                compare(&password, &stored, &today, memory)
            })
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

    /// Other work that is as heavy, on the same threads and behind the same bound: the judgement of a password.
    pub async fn labour<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, HashError> {
        self.threads
            .run("password.judge", self.source, |_| work())
            .await
    }
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

fn compare(
    password: &Password,
    stored: &str,
    today: &Params,
    memory: &mut Memory,
) -> Result<bool, HashError> {
    let parsed = PasswordHash::new(stored).map_err(failed)?;
    let params = Params::try_from(&parsed).map_err(failed)?;
    let ours = parsed.algorithm.as_str() == "argon2id" && parsed.version == Some(19);
    let (Some(salt), Some(expected), true) = (parsed.salt, parsed.hash, ours) else {
        return Err(failed("a stored hash is not of Argon2id, version 1.3"));
    };
    let output = argon2id(&params, password.as_bytes(), salt.as_ref(), memory)?;
    if let Some(missing) = missing_work(&params, today) {
        argon2id(&missing, password.as_bytes(), salt.as_ref(), memory)?;
    }
    Ok(output.ct_eq(expected.as_bytes()).into())
}

/// What a hash by cheaper parameters lacks of today's work. Done all the same, or an account that has not logged in since
/// the parameters rose would be told from one that does not exist.
fn missing_work(stored: &Params, today: &Params) -> Option<Params> {
    let blocks = |params: &Params| u64::from(params.m_cost()) * u64::from(params.t_cost());
    let missing = blocks(today).saturating_sub(blocks(stored));
    let passes = u32::try_from(missing / u64::from(today.m_cost()))
        .ok()
        .filter(|passes| *passes > 0)?;
    Params::new(today.m_cost(), passes, today.p_cost(), Some(OUTPUT)).ok()
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
