//! A connection is a file, and a process is often allowed fewer of them than it could have.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// For everything that is no client's connection: the database, the log, the other listener.
const OTHERS: u64 = 512;

/// Has the process allowed files for so many connections, as far as the system lets it.
pub(super) fn allow(connections: usize) {
    let wanted = connections as u64 + OTHERS;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= wanted) {
        return;
    }
    let allowed = maximum.map_or(wanted, |maximum| maximum.min(wanted));
    let raised = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(allowed),
            maximum,
        },
    );
    if raised.is_err() || allowed < wanted {
        tracing::warn!(
            allowed,
            wanted,
            "fewer files may be open than KEYWARD_MAX_CONNECTIONS needs: raise the limit, or lower that"
        );
    }
}
