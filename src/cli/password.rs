//! A password typed for a command: from standard input, and not shown where that is a terminal.

use std::io::{BufRead, IsTerminal, Read, stdin};

use anyhow::bail;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// More than any password has.
const LONGEST: u64 = 4096;

/// One line, without its end.
pub(super) fn read() -> anyhow::Result<String> {
    let _silence = if stdin().is_terminal() {
        prompt();
        Some(Silence::begin()?)
    } else {
        None
    };
    let mut line = String::new();
    stdin().lock().take(LONGEST).read_line(&mut line)?;
    let line = line.strip_suffix('\n').unwrap_or(&line);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        bail!("standard input is empty");
    }
    Ok(line.to_owned())
}

#[expect(clippy::print_stderr, reason = "standard output is for what was done")]
fn prompt() {
    eprint!("New password: ");
}

/// A terminal that does not show what is typed, until this is dropped.
struct Silence(Termios);

impl Silence {
    fn begin() -> anyhow::Result<Self> {
        let before = tcgetattr(stdin())?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        silent.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(stdin(), OptionalActions::Flush, &silent)?;
        Ok(Self(before))
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        let _ = tcsetattr(stdin(), OptionalActions::Flush, &self.0);
    }
}
