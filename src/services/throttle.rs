//! Reserve, then compare: a guess is counted before it is looked at, so that many at once get no more tries than one
//! after the other. What was right, or never compared, is given back.

use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};

use super::flow::Flows;
use super::{BATCH, Keys, Result, Seams, give_way};
use crate::crypto::throttle_subject;
use crate::domain::{ClientInfo, DeviceId, Flow, Identifier, Limit, Network, Refusal, UserId};
use crate::repositories::{Counted, Db, Subject, Tries, Tx};

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
    /// From somewhere.
    Source(Network),
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
        if !self.enabled {
            return Ok(Reservation(Vec::new()));
        }
        let now = self.seams.clock.now();
        let asked = guesses
            .iter()
            .map(|guess| Ok((self.subject(guess)?, guess.limit())))
            .collect::<Result<Vec<_>>>()?;
        let found = self.db.conn().await?.throttles().count(&asked, now).await?;
        let each = || asked.iter().zip(&found);
        let counted = each().filter_map(|((subject, limit), found)| {
            Some(Counted {
                subject: *subject,
                limit: *limit,
                since: found.counted?,
                before: found.before.map(|tries| tries.since),
            })
        });
        let reserved = Reservation(counted.collect());
        if reserved.0.len() == asked.len() {
            return Ok(reserved);
        }
        self.give_back(&reserved).await?;
        let known = each().find_map(|((_, limit), found)| {
            let tries = found
                .before
                .filter(|tries| !limit.allows(tries.count, tries.since, now))?;
            Some(refusal(*limit, Some(tries), now))
        });
        if let Some(refusal) = known {
            return Err(refusal.into());
        }
        // Others were faster, between the look and the count.
        let overtaken = each().find(|(_, found)| found.counted.is_none());
        let (subject, limit) = overtaken.map_or(asked[0], |(asked, _)| *asked);
        let tries = self.db.conn().await?.throttles().tries(&subject).await?;
        Err(refusal(limit, tries, now).into())
    }

    /// Takes the tries back: they were right, or nothing was compared.
    pub(super) async fn give_back(&self, reserved: &Reservation) -> Result<()> {
        if reserved.0.is_empty() {
            return Ok(());
        }
        let mut conn = self.db.conn().await?;
        Ok(conn.throttles().give_back(&reserved.0, None).await?)
    }

    /// The same where the password was right; what was counted of the account is forgotten where the login is complete. What
    /// the login has come to stands, whatever comes of this.
    pub(super) async fn settle(&self, reserved: &Reservation, complete: Option<&Guess<'_>>) {
        if let Err(error) = self.try_settle(reserved, complete).await {
            tracing::warn!(%error, "the tries of a right password stay counted");
        }
    }

    async fn try_settle(&self, reserved: &Reservation, complete: Option<&Guess<'_>>) -> Result<()> {
        if reserved.0.is_empty() {
            return Ok(());
        }
        let forgotten = complete.map(|account| self.subject(account)).transpose()?;
        let others = reserved.0.iter();
        let others = others.filter(|one| Some(one.subject) != forgotten);
        let others: Vec<Counted> = others.copied().collect();
        let mut conn = self.db.conn().await?;
        Ok(conn
            .throttles()
            .give_back(&others, forgotten.as_ref())
            .await?)
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
        let (now, mut after, mut deleted) = (self.seams.clock.now(), Vec::new(), 0);
        loop {
            let began = Instant::now();
            let mut conn = self.db.conn().await?;
            let Some(purged) = conn.throttles().purge(&after, now, BATCH).await? else {
                return Ok(deleted);
            };
            drop(conn);
            give_way(began).await;
            after = purged.last;
            deleted += purged.deleted.unsigned_abs();
        }
    }

    fn subject(&self, guess: &Guess<'_>) -> Result<Subject> {
        let (kind, whom): (_, Vec<u8>) = match guess {
            Guess::Account(id) => ("account", id.uuid().as_bytes().to_vec()),
            Guess::KnownDevice(id) => ("device", id.uuid().as_bytes().to_vec()),
            Guess::NoAccount(who) => ("no_account", who.canonical().as_bytes().to_vec()),
            Guess::Source(network) => ("source", network.as_bytes().to_vec()),
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
