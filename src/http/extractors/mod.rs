//! What a handler asks for in its signature, and gets checked.

mod body;
mod caller;
mod client;
mod signed;

pub(super) use body::{Body, MaybeBody};
pub(super) use caller::bearer;
pub(super) use client::Client;
pub(super) use signed::Signed;
