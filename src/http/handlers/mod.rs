//! One file per feature, named as in the layers below. No rules here.

pub(super) mod accounts;
pub(super) mod contract;
pub(super) mod health;
pub(super) mod keys;
pub(super) mod login;
pub(super) mod passwords;
pub(super) mod refresh;
pub(super) mod security_events;
pub(super) mod sessions;

use serde::Deserialize;

use crate::domain::Transport;

/// `token_transport` of a request.
#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum TokenTransport {
    #[default]
    Body,
}

impl From<TokenTransport> for Transport {
    fn from(transport: TokenTransport) -> Self {
        match transport {
            TokenTransport::Body => Self::Body,
        }
    }
}
