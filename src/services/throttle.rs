//! Reserve, then compare: a guess is counted before it is looked at, so that many at once get no more tries than one
//! after the other. What was right, or never compared, is given back.

use std::net::IpAddr;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::flow::Flows;
use super::{Keys, Result, Seams, in_batches};
use crate::crypto::throttle_subject;
use crate::domain::{ClientInfo, DeviceId, Flow, Identifier, Limit, Refusal, UserId};
use crate::repositories::{Db, Subject, Tries, Tx};

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
    /// At a second factor.
    Code(CodeFrom),
    /// The same, for as long as none was right.
    CodesInARow(CodeFrom),
}

/// From where codes are shown.
#[derive(Clone, Copy)]
pub(super) enum CodeFrom {
    /// At login, from a device that the owner of the account is not known on.
    Login(UserId),
    /// At login, from one of the owner's devices.
    KnownDevice(DeviceId),
    /// Inside a session.
    Session(UserId),
}

impl CodeFrom {
    fn bytes(self) -> Vec<u8> {
        let (kind, id) = match self {
            Self::Login(id) => (0, id.uuid()),
            Self::KnownDevice(id) => (1, id.uuid()),
            Self::Session(id) => (2, id.uuid()),
        };
        [&[kind], id.as_bytes().as_slice()].concat()
    }
}

impl Guess<'_> {
    fn limit(&self) -> Limit {
        match self {
            Self::Account(_) | Self::KnownDevice(_) | Self::NoAccount(_) => Limit::Account,
            Self::Source(_) => Limit::Source,
            Self::Prompt(_) => Limit::Prompt,
            Self::Code(_) => Limit::Code,
            Self::CodesInARow(_) => Limit::CodesInARow,
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

    /// The same of a person, wherever they are.
    pub(super) fn pass_person(&self, flow: Flow, who: UserId) -> Result<()> {
        if !self.enabled {
            return Ok(());
        }
        self.flows.pass_person(flow, who, self.seams.clock.now())
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

    /// Forgets tries: one of them was right. The caller commits.
    pub(super) async fn clear(&self, tx: &mut Tx, guess: &Guess<'_>) -> Result<()> {
        if !self.enabled {
            return Ok(());
        }
        Ok(tx.throttles().clear(&self.subject(guess)?).await?)
    }

    /// The same at once.
    pub(super) async fn forget(&self, guess: &Guess<'_>) -> Result<()> {
        if !self.enabled {
            return Ok(());
        }
        let subject = self.subject(guess)?;
        Ok(self.db.conn().await?.throttles().clear(&subject).await?)
    }

    /// Deletes counters that slow nobody down any more, in small batches; how many.
    pub async fn purge(&self) -> Result<u64> {
        let now = self.seams.clock.now();
        in_batches(async |most| {
            let mut conn = self.db.conn().await?;
            Ok(conn.throttles().purge(now, most).await?)
        })
        .await
    }

    fn subject(&self, guess: &Guess<'_>) -> Result<Subject> {
        let (kind, whom): (_, Vec<u8>) = match guess {
            Guess::Account(id) => ("account", id.uuid().as_bytes().to_vec()),
            Guess::KnownDevice(id) => ("device", id.uuid().as_bytes().to_vec()),
            Guess::NoAccount(who) => ("no_account", who.canonical().as_bytes().to_vec()),
            Guess::Source(ip) => ("source", network(*ip)),
            Guess::Prompt(id) => ("prompt", id.uuid().as_bytes().to_vec()),
            Guess::Code(from) => ("code", from.bytes()),
            Guess::CodesInARow(from) => ("codes_in_a_row", from.bytes()),
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
