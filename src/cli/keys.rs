//! `keyward keys`: the keys in the database. None is ever printed.

use chrono::{DateTime, SecondsFormat, Utc};
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::database::{on_services, told};
use super::output::Output;
use crate::crypto::Purpose;
use crate::services::{ListedKey, Rotated, Rotation, Services};

const COLUMNS: [&str; 7] = [
    "id",
    "purpose",
    "algorithm",
    "state",
    "active_from",
    "revoked_at",
    "master_key",
];

/// What each purpose means for people.
const REVOKE: &str = "\
Refuse what was made with the older keys of this purpose, from when the new one takes over: for a leak.

  access_token        Clients refresh. Other services accept old tokens until they ask for the keys again, at most 300
                      seconds, or the tokens expire.
  refresh_mac         Everybody signs in again.
  refresh_derivation  An answer that was lost a moment ago cannot be given again.
  device_mac          No device is known any more: whoever guesses slows the owners' logins down too.
  challenge_mac       Logins that wait for a second factor begin again.
  throttle_subject    Counted guesses are forgotten, also without --revoke.
  totp_secret         Nobody is refused: the secrets are sealed by the new key first, and then the old one is deleted.
                      Who has the old key and an old copy of the database has the secrets all the same.
  backup_code         All backup codes are void. Who has the key still has to guess 120 random bits, so that this is
                      hardly ever needed.";

#[derive(Subcommand)]
pub(super) enum Keys {
    /// List every key and how far it has got. The keys themselves are not shown.
    List(Output),
    /// Replace the key of a purpose.
    ///
    /// The new key takes over 300 seconds later, when everybody can know it: nobody notices. The old one is accepted until
    /// nothing made with it can be alive any more, and deleted then. Signing keys are replaced by themselves, each
    /// `KEYWARD_SIGNING_KEY_PERIOD`.
    Rotate(Rotate),
    /// Seal every key by the first master key of `KEYWARD_MASTER_KEY`, in one transaction.
    ///
    /// To replace the master key: give every replica `old,new`, run this with `new,old`, give every replica `new`.
    Rewrap(Output),
}

#[derive(Args)]
pub(super) struct Rotate {
    /// What the key is for.
    #[arg(value_parser = PossibleValuesParser::new(Purpose::ALL.iter().map(|purpose| purpose.as_str())))]
    purpose: String,
    /// Take over within 5 seconds, as soon as every replica knows the new key: for a leak.
    ///
    /// Services that verify access tokens with published keys may have cached the list for 300 seconds, and refuse tokens
    /// of the new key until they ask again.
    #[arg(long)]
    now: bool,
    /// Refuse what was made with the older keys of this purpose, from when the new one takes over: for a leak.
    #[arg(long, long_help = REVOKE)]
    revoke: bool,
    #[command(flatten)]
    output: Output,
}

pub(super) fn run(command: Keys) -> anyhow::Result<()> {
    match command {
        Keys::List(output) => {
            let list = on_services(async |services| list(services).await)?;
            output.list(&COLUMNS, &list)
        }
        Keys::Rotate(command) => rotate(&command),
        Keys::Rewrap(output) => {
            let rewrap = async |services: &Services| services.keys.rewrap().await.map_err(told);
            let count = on_services(rewrap)?;
            let sentence = match count {
                0 => "Every key was sealed by the first master key already.".to_owned(),
                count => format!("{count} keys are sealed by the first master key now."),
            };
            output.done(&sentence, &json!({ "rewrapped": count }))
        }
    }
}

async fn list(services: &Services) -> anyhow::Result<Vec<Value>> {
    let keys = services.keys.list().await.map_err(told)?;
    Ok(keys.iter().map(shown).collect())
}

fn rotate(command: &Rotate) -> anyhow::Result<()> {
    let Rotate { now, revoke, .. } = *command;
    let purpose = Purpose::from_word(&command.purpose);
    let purpose = purpose.ok_or_else(|| anyhow::anyhow!("there is no such purpose"))?;
    let how = Rotation { now, revoke };
    let rotate = async |services: &Services| {
        let rotated = services.keys.rotate(purpose, how).await;
        rotated.map_err(told)
    };
    let Rotated { key, revoked } = on_services(rotate)?;
    let from = time(key.active_from);
    let mut sentence = format!("{} {} takes over at {from}.", key.purpose, key.id);
    if revoke {
        sentence = format!("{sentence} Older keys that are refused from then on: {revoked}.");
    }
    let object = json!({ "key": shown(&key), "revoked": revoked });
    command.output.done(&sentence, &object)
}

fn shown(key: &ListedKey) -> Value {
    json!({
        "id": key.id,
        "purpose": key.purpose,
        "algorithm": key.algorithm,
        "state": key.state.as_str(),
        "created_at": time(key.created_at),
        "active_from": time(key.active_from),
        "revoked_at": key.revoked_at.map(time),
        "master_key": key.master_key_id,
    })
}

pub(super) fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
