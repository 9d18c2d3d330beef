//! AUD-01: types that hold a secret do not print it, whoever formats them; those that cannot be
//! formatted need no test. That the configuration does not is in
//! `tests/config.rs`; that nothing of it reaches the log, in `tests/process/secrets.rs` and `tests/api/support/log.rs`.

use std::fmt::Debug;

use keyward::crypto::{ChallengeToken, OsEntropy, RefreshToken};
use keyward::domain::{
    BackupCode, Clock, Entropy, NewAccount, Password, PasswordPolicy, SecondFactor, SessionId,
    SignUpForm, SystemClock, TotpCode, Transport,
};

use crate::support::PASSWORD;

/// Nothing of the secrets is in what is printed.
#[track_caller]
fn hides(value: &impl Debug, secrets: &[&str]) {
    for printed in [format!("{value:?}"), format!("{value:#?}")] {
        let packed: String = printed.split_whitespace().collect();
        for secret in secrets {
            let packed_secret: String = secret.split_whitespace().collect();
            assert!(!packed.contains(&packed_secret), "{printed}");
        }
    }
}

#[test]
fn passwords_and_codes_do_not_print() {
    let password = Password::parse(PASSWORD.to_owned()).unwrap();
    hides(&password, &[PASSWORD]);
    let code = TotpCode::parse("287082").unwrap();
    hides(&code, &["287082"]);
    hides(&SecondFactor::Totp(code), &["287082"]);
    let code = BackupCode::parse("k7wn-3mfx-0q2d-9trb-h5ve-p8cz").unwrap();
    hides(&code, &["k7wn", "3mfx"]);
    hides(&SecondFactor::BackupCode(code), &["k7wn", "3mfx"]);
    let form = SignUpForm {
        email: "ann@example.com".to_owned(),
        password: PASSWORD.to_owned(),
        username: None,
        display_name: None,
        locale: None,
    };
    let policy = PasswordPolicy {
        min_length: 12,
        min_strength: 3,
        history: 5,
    };
    hides(&NewAccount::judge(form, &policy).unwrap(), &[PASSWORD]);
}

#[test]
fn tokens_do_not_print() {
    let entropy: &dyn Entropy = &OsEntropy;
    let now = SystemClock.now();
    let bytes = format!("{:?}", [0xAB_u8; 4]);
    let bytes = bytes.trim_matches(['[', ']']);
    let refresh = RefreshToken::first(SessionId::new(now, entropy), [0xAB; 32]);
    hides(&refresh, &[bytes, "abab", "ABAB"]);
    let challenge = ChallengeToken::new(Transport::Body, [0xAB; 32]);
    hides(&challenge, &[bytes, "abab", "ABAB"]);
}
