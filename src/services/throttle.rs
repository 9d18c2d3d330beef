//! Reserve, then compare: a guess is counted before it is looked at, so that many at once get no more tries than one
//! after the other. What was right, or never compared, is given back.

use std::net::IpAddr;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::flow::Flows;
use super::{Keys, Result, Seams};
use crate::crypto::throttle_subject;
use crate::domain::{ClientInfo, DeviceId, Flow, Identifier, Limit, Refusal, UserId};
use crate::repositories::{Db, Subject, Tries, Tx};

/// After how long with no try a counter is forgotten. Longer than any wait.
const FORGOTTEN: TimeDelta = TimeDelta::hours(24);
/// Rows that one statement purges.
const BATCH: i64 = 500;

/// Counts guesses, and limits how fast requests come.
pub struct Throttle {
    db: Db,
    keys: Arc<Keys>,
    flows: Flows,
    seams: Seams,
    enabled: bool,
}

/// Who guesses, or at what.
pub(super) enum Guess<'a> {
    /// At an account that exists, from a device its owner is not known on.
    Account(UserId),
    /// At an account that exists, from one of its owner's devices.
    KnownDevice(DeviceId),
    /// At an account that does not.
    NoAccount(&'a Identifier),
    /// From an address.
    Source(IpAddr),
    /// At a password inside a session.
    Prompt(UserId),
    /// At a second factor, from a device its owner is not known on.
    Code(UserId),
    /// At a second factor, from one of its owner's devices.
    CodeOnDevice(DeviceId),
    /// At a second factor inside a session.
    CodePrompt(UserId),
}

impl Guess<'_> {
    fn limit(&self) -> Limit {
        match self {
            Self::Account(_) | Self::KnownDevice(_) | Self::NoAccount(_) => Limit::Account,
            Self::Source(_) => Limit::Source,
            Self::Prompt(_) => Limit::Prompt,
            Self::Code(_) | Self::CodeOnDevice(_) | Self::CodePrompt(_) => Limit::Code,
        }
    }
}

/// Counted tries, to be given back. Dropped, they stay counted.
#[must_use]
pub(super) struct Reservation(Vec<Counted>);

struct Counted {
    subject: Subject,
    limit: Limit,
    /// From where the wait or the window goes on now.
    since: DateTime<Utc>,
    /// From where it went on before.
    before: Option<DateTime<Utc>>,
}

impl Throttle {
    /// `enabled`: whether anything is counted at all.
    pub fn new(db: Db, keys: Arc<Keys>, seams: Seams, enabled: bool) -> Self {
        Self {
            db,
            keys,
            flows: Flows::default(),
            seams,
            enabled,
        }
    }

    /// Lets a request of this kind pass, or refuses it where too many came from its source. It costs nothing, so a use
    /// case asks it first.
    pub(super) fn pass(&self, flow: Flow, client: &ClientInfo) -> Result<()> {
        if !self.enabled {
            return Ok(());
        }
        self.flows.pass(flow, client, self.seams.clock.now())
    }

    /// Counts a try of each, in their order, or refuses. What is refused has counted nothing, and a flood of it writes
    /// nothing.
    pub(super) async fn reserve(&self, guesses: &[&Guess<'_>]) -> Result<Reservation> {
        let mut reserved = Reservation(Vec::new());
        if !self.enabled {
            return Ok(reserved);
        }
        let now = self.seams.clock.now();
        let mut asked = Vec::new();
        for guess in guesses {
            asked.push(self.look(guess, now).await?);
        }
        for (subject, limit, before) in asked {
            let mut conn = self.db.conn().await?;
            if let Some(since) = conn.throttles().count(&subject, limit, now).await? {
                reserved.0.push(Counted {
                    subject,
                    limit,
                    since,
                    before,
                });
                continue;
            }
            let tries = conn.throttles().tries(&subject).await?;
            drop(conn);
            self.give_back(&reserved).await?;
            return Err(refusal(limit, tries, now).into());
        }
        Ok(reserved)
    }

    /// Refuses where no try is left by now. Whether one is left still is decided where it is counted.
    async fn look(
        &self,
        guess: &Guess<'_>,
        now: DateTime<Utc>,
    ) -> Result<(Subject, Limit, Option<DateTime<Utc>>)> {
        let (subject, limit) = (self.subject(guess)?, guess.limit());
        let tries = self.db.conn().await?.throttles().tries(&subject).await?;
        if tries.is_some_and(|tries| !limit.allows(tries.count, tries.since, now)) {
            return Err(refusal(limit, tries, now).into());
        }
        Ok((subject, limit, tries.map(|tries| tries.since)))
    }

    /// Takes the tries back: they were right, or nothing was compared.
    pub(super) async fn give_back(&self, reserved: &Reservation) -> Result<()> {
        for Counted {
            subject,
            limit,
            since,
            before,
        } in &reserved.0
        {
            let mut conn = self.db.conn().await?;
            if limit.is_window() {
                conn.throttles().give_back_window(subject, *since).await?;
            } else {
                conn.throttles()
                    .give_back_wait(subject, *since, *before)
                    .await?;
            }
        }
        Ok(())
    }

    /// Forgets the tries at an account: a login was completed. The caller commits.
    pub(super) async fn clear(&self, tx: &mut Tx, account: &Guess<'_>) -> Result<()> {
        if !self.enabled {
            return Ok(());
        }
        Ok(tx.throttles().clear(&self.subject(account)?).await?)
    }

    /// Forgets the tries inside a session: one of them was right.
    pub(super) async fn clear_prompt(&self, user_id: UserId) -> Result<()> {
        if !self.enabled {
            return Ok(());
        }
        let subject = self.subject(&Guess::Prompt(user_id))?;
        Ok(self.db.conn().await?.throttles().clear(&subject).await?)
    }

    /// Deletes counters that slow nobody down any more, in small batches; how many.
    pub async fn purge(&self) -> Result<u64> {
        let now = self.seams.clock.now();
        let mut purged = 0;
        loop {
            let batch = self
                .db
                .conn()
                .await?
                .throttles()
                .purge(FORGOTTEN, now, BATCH)
                .await?;
            purged += batch;
            if batch == 0 {
                return Ok(purged);
            }
        }
    }

    fn subject(&self, guess: &Guess<'_>) -> Result<Subject> {
        let (kind, whom): (_, Vec<u8>) = match guess {
            Guess::Account(id) => ("account", id.uuid().as_bytes().to_vec()),
            Guess::KnownDevice(id) => ("device", id.uuid().as_bytes().to_vec()),
            Guess::NoAccount(who) => ("no_account", who.canonical().as_bytes().to_vec()),
            Guess::Source(ip) => ("source", network(*ip)),
            Guess::Prompt(id) => ("prompt", id.uuid().as_bytes().to_vec()),
            Guess::Code(id) => ("code", id.uuid().as_bytes().to_vec()),
            Guess::CodeOnDevice(id) => ("code_on_device", id.uuid().as_bytes().to_vec()),
            Guess::CodePrompt(id) => ("code_prompt", id.uuid().as_bytes().to_vec()),
        };
        Ok(throttle_subject(
            kind,
            &whom,
            &self.keys.ring(),
            self.seams.clock.now(),
        )?)
    }
}

fn refusal(limit: Limit, tries: Option<Tries>, now: DateTime<Utc>) -> Refusal {
    let seconds = tries.map_or(1, |tries| limit.retry_after(tries.count, tries.since, now));
    Refusal::too_many_attempts(seconds)
}

/// What one party holds of the address space: an IPv4 address, or the /64 of an IPv6 one.
pub(super) fn network(ip: IpAddr) -> Vec<u8> {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets()[..8].to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // LGN-20
    #[test]
    fn one_party_is_one_source() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
