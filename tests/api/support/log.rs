//! The log of every service that a test starts, at the finest level. It is written nowhere: each line is searched for
//! what looks like a secret, and for the secrets that any test was given, before the line or after it, and
//! the passwords and queries that it has sent.

use std::collections::{BTreeSet, HashSet};
use std::io::{self, Write};
use std::sync::{LazyLock, Mutex, MutexGuard, Once};

use reqwest::header::{HeaderMap, SET_COOKIE};
use tracing_subscriber::EnvFilter;
use url::Url;

use crate::leaks::{secrets_in, shape_in};

/// Shorter ones are in a log by chance.
const SHORTEST_WORD: usize = 16;
const SHORTEST_PHRASE: usize = 8;
const QUERY: &str = "a query";

/// What was logged, and what must not be.
#[derive(Default)]
pub(super) struct Log {
    /// Long words that were logged.
    seen: HashSet<String>,
    /// The long words of secrets.
    words: HashSet<String>,
    /// Passwords and queries without a long word. They are sent before they can be logged.
    phrases: BTreeSet<String>,
    /// What was found first.
    leak: Option<String>,
}

impl Log {
    pub(super) fn learn(&mut self, what: &str, secret: &str) {
        let words: Vec<String> = long_words(secret).map(str::to_owned).collect();
        let of_words = what.contains("password") || what == QUERY;
        if of_words && words.is_empty() && secret.len() >= SHORTEST_PHRASE {
            self.phrases.insert(secret.to_owned());
        }
        for word in words {
            if self.seen.contains(&word) {
                self.found(what, "a line before");
            }
            self.words.insert(word);
        }
    }

    pub(super) fn line(&mut self, line: &str) {
        if self.phrases.iter().any(|phrase| line.contains(phrase)) {
            self.found("a password or a query", &origin(line));
        }
        if let Some(shape) = shape_in(line) {
            self.found(shape, &origin(line));
        }
        for word in long_words(line) {
            if self.words.contains(word) {
                self.found("a long secret", &origin(line));
            }
            if !self.seen.contains(word) {
                self.seen.insert(word.to_owned());
            }
        }
    }

    fn found(&mut self, what: &str, place: &str) {
        let leak = format!("the log holds a secret ({what}), from {place}");
        self.leak.get_or_insert(leak);
    }

    pub(super) fn leak(&self) -> Option<&str> {
        self.leak.as_deref()
    }
}

fn is_of_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "_-".contains(letter)
}

fn long_words(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|letter| !is_of_word(letter));
    words.filter(|word| word.len() >= SHORTEST_WORD)
}

/// Where a line comes from, and nothing of what it says.
fn origin(line: &str) -> String {
    let path = line.split_whitespace().find(|word| word.contains("::"));
    path.unwrap_or("somewhere").to_owned()
}

static LOG: LazyLock<Mutex<Log>> = LazyLock::new(Mutex::default);

fn log() -> MutexGuard<'static, Log> {
    LOG.lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

struct Lines;

impl Write for Lines {
    /// One event at a time.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        log().line(&String::from_utf8_lossy(line));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// From now on everything that is logged in this process is looked at.
pub(super) fn start() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new("info,keyward=trace"))
            .with_ansi(false)
            .with_writer(|| Lines);
        subscriber.init();
    });
}

/// Takes note of the query and the passwords of a request. What else a test shows is from an answer, or is no secret.
pub(super) fn learn_request(url: &Url, body: Option<&[u8]>) {
    let mut log = log();
    if let Some(query) = url.query() {
        log.learn(QUERY, query);
    }
    let secrets = secrets_of(body.unwrap_or_default());
    for (member, secret) in &secrets {
        // What has no blank may be an id or an address, which a test tries as a password.
        if member.contains("password") && secret.contains(' ') {
            log.learn(member, secret);
        }
    }
}

/// Takes note of the secrets of an answer.
pub(super) fn learn_answer(headers: &HeaderMap, body: &[u8]) {
    let mut log = log();
    for line in headers.get_all(SET_COOKIE) {
        let pair = line.to_str().unwrap_or_default().split(';').next();
        if let Some((_, value)) = pair.and_then(|pair| pair.split_once('=')) {
            log.learn("a cookie", value);
        }
    }
    for (member, secret) in secrets_of(body) {
        log.learn(member, &secret);
    }
}

fn secrets_of(body: &[u8]) -> Vec<(&'static str, String)> {
    serde_json::from_slice(body).map_or_else(|_| Vec::new(), |body| secrets_in(&body))
}

/// Fails where a secret was logged since the beginning of the process, by whichever test.
pub(super) fn assert_clean() {
    let leak = log().leak().map(str::to_owned);
    assert_eq!(leak, None);
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "kept_AaH4t_5Df6yD-Uzq";

    fn leak(look: impl FnOnce(&mut Log)) -> Option<String> {
        let mut log = Log::default();
        look(&mut log);
        log.leak().map(str::to_owned)
    }

    #[test]
    fn a_secret_is_found_before_and_after_it_is_known_and_is_not_told() {
        let before = leak(|log| {
            log.line(&format!("INFO keyward: issued token={TOKEN}"));
            log.learn("refresh_token", TOKEN);
        });
        let after = leak(|log| {
            log.learn("refresh_token", TOKEN);
            log.line(&format!("INFO keyward: shown token=\"{TOKEN}\""));
        });
        let password = leak(|log| {
            log.learn("password", "tall cliff moth");
            log.line("DEBUG keyward: judged: tall cliff moth.");
        });
        let hash = leak(|log| log.line("DEBUG keyward: hash=$argon2id$v=19"));
        for leak in [before, after, password, hash] {
            let leak = leak.expect("a leak");
            assert!(!leak.contains(TOKEN) && !leak.contains("cliff"), "{leak}");
        }
    }

    #[test]
    fn what_is_no_secret_is_not_found() {
        let found = leak(|log| {
            log.learn("refresh_token", TOKEN);
            log.learn("code", "287082");
            log.line(
                "INFO keyward: answered request_id=01a1f8b7-fe43-7fac-83ad-ed2751d5aa99 287082",
            );
        });
        assert_eq!(found, None);
    }
}
