//! A connection is a file, and a process is often allowed fewer of them than it could have.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files for everything that is no client's connection: the database, the log, the other listener.
const OTHERS: usize = 512;
/// Connections that are tried in any case.
const LEAST: usize = 100;

/// Has the process allowed files for so many connections, as far as the system lets it; for how many there are.
pub(super) fn allow(connections: usize) -> usize {
    let wanted = connections + OTHERS;
    let files = raise(wanted as u64);
    if files >= wanted {
        return connections;
    }
    let most = files.saturating_sub(OTHERS).max(LEAST);
    tracing::warn!(
        files,
        connections = most,
        "fewer files may be open than KEYWARD_MAX_CONNECTIONS needs: fewer connections are taken"
    );
    most
}

/// How many files may be open: so many, or what the system lets the process have.
fn raise(wanted: u64) -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let mut allowed = current.unwrap_or(u64::MAX);
    if allowed < wanted {
        let raised = maximum.unwrap_or(u64::MAX).min(wanted);
        let limit = Rlimit {
            current: Some(raised),
            maximum,
        };
        if setrlimit(Resource::Nofile, limit).is_ok() {
            allowed = raised;
        }
    }
    usize::try_from(allowed).unwrap_or(usize::MAX)
}
