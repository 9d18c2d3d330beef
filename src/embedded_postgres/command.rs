//! How PostgreSQL's programs are run: as whom, with which environment, and bound to Keyward's life.
//! It must not hand a child anything of Keyward's own environment, where secrets live.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::account::Account;

/// A program in a process group of its own: Ctrl-C in a terminal reaches only Keyward, which first
/// finishes its requests and then stops the server.
pub(super) fn command(program: &Path, account: &Account) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir("/")
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("LC_ALL", "C.UTF-8")
        .env("TZ", "UTC")
        .stdin(Stdio::null())
        .process_group(0);
    if account.switched {
        // std gives up the supplementary groups too, and does so before `pre_exec`.
        command.uid(account.uid).gid(account.gid);
    }
    #[cfg(target_os = "linux")]
    die_with_this_thread(&mut command);
    command
}

/// The kernel sends SIGINT (to PostgreSQL: a fast, clean shutdown) when the *thread* that started
/// the child ends, so that thread must outlive the child.
#[cfg(target_os = "linux")]
fn die_with_this_thread(command: &mut Command) {
    use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};
    use std::io::{Error, ErrorKind};

    let keyward = getpid();
    let bind = move || {
        set_parent_process_death_signal(Some(Signal::INT))?;
        // Keyward may have died before the line above took effect.
        if getppid() != Some(keyward) {
            return Err(Error::from(ErrorKind::BrokenPipe));
        }
        Ok(())
    };
    #[expect(
        unsafe_code,
        reason = "std offers no other way to set the parent death signal"
    )]
    // SAFETY: between fork and exec only two system calls are made; nothing allocates or locks.
    unsafe {
        command.pre_exec(bind);
    }
}
