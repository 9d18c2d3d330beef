//! `keyward users`: everybody's accounts. Neither passwords nor their hashes are printed.

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use uuid::Uuid;

use super::database::{on_services, told};
use super::keys::time;
use super::output::{Output, print};
use super::password;
use crate::domain::{Account, Page, Paged, Role, UserId, UserRef};
use crate::services::{Result, Services};

const COLUMNS: [&str; 7] = [
    "id",
    "email",
    "username",
    "roles",
    "two_factor",
    "disabled_at",
    "last_login_at",
];

#[derive(Subcommand)]
pub(super) enum Users {
    /// List accounts, newest first.
    List(List),
    /// Disable an account: its sessions end, and nobody can sign in to it.
    Disable(One),
    /// Enable an account again.
    Enable(One),
    /// End all sessions of an account.
    EndSessions(One),
    /// Give an account these roles and no others; with none, take all away.
    ///
    /// Access tokens carry them from the next refresh on. Keyward itself gives them no meaning.
    SetRoles(SetRoles),
    /// Set the password of an account. It is read from standard input, one line.
    ///
    /// It has to be as good as one that its owner would choose. All sessions end; a second factor stays on.
    ResetPassword(One),
}

#[derive(Args)]
pub(super) struct List {
    /// Only those with this text in the e-mail address or username.
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        allow_hyphen_values = true
    )]
    matching: String,
    /// How many at most, 1 to 100.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u8).range(1..=100))]
    limit: u8,
    /// The id that the page before ended with.
    #[arg(long, value_name = "ID")]
    after: Option<Uuid>,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
pub(super) struct One {
    /// Whose: an id, an e-mail address or a username.
    user: String,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
pub(super) struct SetRoles {
    /// Whose: an id, an e-mail address or a username.
    user: String,
    /// The roles: lower-case letters, digits, dots, dashes, colons and underscores.
    roles: Vec<String>,
    #[command(flatten)]
    output: Output,
}

pub(super) fn run(command: Users) -> anyhow::Result<()> {
    match command {
        Users::List(command) => list(command),
        Users::Disable(one) => one.change(
            ["is disabled", "was disabled already"],
            async |services, id| services.users.disable(id).await,
        ),
        Users::Enable(one) => one.change(
            ["is enabled", "was enabled already"],
            async |services, id| services.users.enable(id).await,
        ),
        Users::EndSessions(one) => end_sessions(&one),
        Users::SetRoles(command) => set_roles(command),
        Users::ResetPassword(one) => reset_password(&one),
    }
}

fn list(command: List) -> anyhow::Result<()> {
    let List {
        matching,
        limit,
        after,
        output,
    } = command;
    let page = Page { limit, after };
    let read = async |services: &Services| {
        let list = services.users.list(&matching, page).await;
        list.map_err(told)
    };
    let Paged { items, next } = on_services(read)?;
    let rows: Vec<Value> = items.iter().map(shown).collect();
    if output.json {
        let object = json!({ "users": rows, "next": next });
        return print(&serde_json::to_string_pretty(&object)?);
    }
    output.list(&COLUMNS, &rows)?;
    match next {
        Some(next) => print(&format!("There are more: --after {next}")),
        None => Ok(()),
    }
}

impl One {
    /// Changes the account, and says whether that changed anything.
    fn change(
        &self,
        [done, not]: [&str; 2],
        change: impl AsyncFnOnce(&Services, UserId) -> Result<bool>,
    ) -> anyhow::Result<()> {
        let work = async |services: &Services| {
            let account = find(services, &self.user).await?;
            let changed = change(services, account.user.id).await.map_err(told)?;
            Ok((account, changed))
        };
        let (account, changed) = on_services(work)?;
        let id = account.user.id;
        let sentence = format!("{id} {}.", if changed { done } else { not });
        self.output
            .done(&sentence, &json!({ "id": id, "changed": changed }))
    }
}

fn end_sessions(one: &One) -> anyhow::Result<()> {
    let work = async |services: &Services| {
        let id = find(services, &one.user).await?.user.id;
        let ended = services.users.end_sessions(id).await.map_err(told)?;
        Ok((id, ended))
    };
    let (id, ended) = on_services(work)?;
    let sentence = format!("Sessions of {id} that have ended: {ended}.");
    one.output
        .done(&sentence, &json!({ "id": id, "ended": ended }))
}

fn set_roles(command: SetRoles) -> anyhow::Result<()> {
    let SetRoles {
        user,
        roles,
        output,
    } = command;
    let roles: std::result::Result<Vec<Role>, _> =
        roles.iter().map(|role| Role::parse(role)).collect();
    let roles = roles.map_err(|wrong| anyhow!("a role has {}", wrong.message))?;
    let one = One { user, output };
    one.change(
        ["has these roles now", "had these roles already"],
        async |services, id| services.users.set_roles(id, roles).await,
    )
}

fn reset_password(one: &One) -> anyhow::Result<()> {
    let new = password::read().context("the new password cannot be read")?;
    one.change(
        ["has the new password now", "is gone"],
        async |services, id| {
            let who = UserRef::Id(id);
            match services.users.find(&who).await? {
                Some(account) => services.passwords.reset(&account.user, new).await,
                None => Ok(false),
            }
        },
    )
}

async fn find(services: &Services, name: &str) -> anyhow::Result<Account> {
    let who = UserRef::parse(name);
    let who = who.map_err(|wrong| anyhow!("{name}: {}", wrong.message))?;
    let found = services.users.find(&who).await.map_err(told)?;
    found.ok_or_else(|| anyhow!("there is no account {name}"))
}

fn shown(account: &Account) -> Value {
    let user = &account.user;
    json!({
        "id": user.id,
        "email": user.email,
        "email_verified": user.email_verified,
        "username": user.username,
        "display_name": user.display_name,
        "roles": user.roles,
        "two_factor": user.two_factor_enabled_at.is_some(),
        "disabled_at": account.disabled_at.map(time),
        "created_at": time(user.created_at),
        "last_login_at": user.last_login_at.map(time),
    })
}
