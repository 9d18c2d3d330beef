//! What a handler asks for in its signature, and gets checked.

mod body;
mod caller;
mod client;

pub(super) use body::{Body, MaybeBody};
pub(super) use caller::bearer;
pub(super) use client::Client;
