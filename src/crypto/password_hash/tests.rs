//! Hashes, held to the reference implementation; turns, to their bound.

use std::sync::mpsc::channel;
use std::time::Duration;

use super::*;
use crate::crypto::OsEntropy;

fn hasher(threads: u32, memory_kib: u32, wait: Duration) -> PasswordHasher {
    let config = config::Passwords {
        min_length: 12,
        min_strength: 3,
        history: 5,
        argon2: config::Argon2 {
            memory_kib,
            iterations: 2,
            parallelism: 1,
        },
        hash_concurrency: threads,
        hash_queue_timeout: wait,
    };
    PasswordHasher::new(&config, &OsEntropy, Metrics::new().unwrap()).unwrap()
}

fn password(text: &str) -> Password {
    Password::parse(text.to_owned()).unwrap()
}

const LONG: Duration = Duration::from_mins(1);

/// From the reference implementation: `echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1`.
const REFERENCE: &str =
    "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";

#[tokio::test]
async fn hashes_of_the_reference_implementation_are_understood() {
    let hasher = hasher(1, 8, LONG);
    assert!(
        hasher
            .verify(password("password"), Some(REFERENCE))
            .await
            .unwrap()
    );
    assert!(
        !hasher
            .verify(password("Password"), Some(REFERENCE))
            .await
            .unwrap()
    );
    assert!(hasher.is_outdated(REFERENCE));
}

#[tokio::test]
async fn our_hashes_are_phc_strings_that_the_crate_itself_verifies() {
    use argon2::PasswordVerifier;
    let hasher = hasher(2, 64, LONG);
    let phc = hasher
        .hash(password("tall cliff moth"), [7; 16])
        .await
        .unwrap();
    assert!(
        phc.starts_with("$argon2id$v=19$m=64,t=2,p=1$BwcHBwcHBwcHBwcHBwcHBw$"),
        "{phc}"
    );
    assert!(
        Argon2::default()
            .verify_password(b"tall cliff moth", phc.as_str())
            .is_ok()
    );
    assert!(
        hasher
            .verify(password("tall cliff moth"), Some(&phc))
            .await
            .unwrap()
    );
    assert!(
        !hasher
            .verify(password("tall cliff moth "), Some(&phc))
            .await
            .unwrap()
    );
    assert!(!hasher.is_outdated(&phc));
}

#[tokio::test]
async fn with_no_account_the_answer_is_no_after_the_same_work() {
    assert!(
        !hasher(1, 64, LONG)
            .verify(password("x"), None)
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn a_hash_of_another_kind_is_a_fault_and_not_a_wrong_password() {
    let hasher = hasher(1, 64, LONG);
    for stored in [
        "",
        "plain",
        "$argon2i$v=19$m=64,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
    ] {
        let answer = hasher.verify(password("x"), Some(stored)).await;
        assert!(matches!(answer, Err(HashError::Failed(_))), "{stored}");
    }
}

#[tokio::test]
async fn a_turn_that_does_not_come_in_time_is_refused_and_the_next_one_comes() {
    let hasher = hasher(1, 64, Duration::from_millis(50));
    let (release, released) = channel::<()>();
    let busy = hasher.threads.run("", None, move |_| released.recv());
    let late = async {
        let answer = hasher.verify(password("x"), None).await;
        release.send(()).unwrap();
        answer
    };
    let (busy, late) = tokio::join!(busy, late);
    assert!(busy.is_ok());
    assert!(matches!(late, Err(HashError::Overloaded)));
    assert!(hasher.verify(password("x"), None).await.is_ok());
}

#[tokio::test]
async fn a_fault_in_one_hash_leaves_the_thread_to_the_next() {
    let hasher = hasher(1, 64, LONG);
    let faulty: Result<(), _> = hasher.threads.run("", None, |_| panic!("on purpose")).await;
    assert!(faulty.is_err());
    assert!(!hasher.verify(password("x"), None).await.unwrap());
}

// LGN-02
#[test]
fn a_cheaper_hash_is_topped_up_to_todays_work() {
    let params = |memory, passes| Params::new(memory, passes, 1, Some(OUTPUT)).unwrap();
    let missing = |stored: Params, today: Params| {
        missing_work(&stored, &today).map(|params| (params.m_cost(), params.t_cost()))
    };
    assert_eq!(
        missing(params(19_456, 2), params(19_456, 4)),
        Some((19_456, 2))
    );
    assert_eq!(
        missing(params(19_456, 2), params(47_104, 2)),
        Some((47_104, 1))
    );
    assert_eq!(missing(params(19_456, 2), params(19_456, 2)), None);
    assert_eq!(missing(params(47_104, 2), params(19_456, 2)), None);
}
