//! What a person changes: the password, the second factor, which sessions there are, and whether there is an account.

use std::time::{SystemTime, UNIX_EPOCH};

use data_encoding::BASE32_NOPAD;
use serde_json::{Value, json};
use totp_lite::{Sha1, totp_custom};

use crate::account::{Account, SecondFactor};
use crate::client::{Answer, Request};
use crate::person::{Person, log_in};

impl Person {
    pub(crate) async fn change_password(&mut self, account: &mut Account, device: usize) {
        let (new, end_others) = (self.password(), self.dice.one_in(4));
        let body = json!({
            "current_password": account.password,
            "new_password": new,
            "end_other_sessions": end_others,
        });
        let request = Request::post("password", "/v1/me/password", body);
        let answer = ask(account, device, request).await;
        match answer.said() {
            (204, _) => {}
            // It was changed, and the answer was lost. So may have been those that said so.
            (403, "wrong_password") if answer.doubts > 0 => {
                account.expect("password_refused", 1, answer.doubts - 1);
            }
            other => panic!("{other:?} after {} doubts", answer.doubts),
        }
        account.expect("password_changed", 1, 0);
        let old = std::mem::replace(&mut account.password, new);
        if end_others {
            account.keep_only(device);
        }
        if self.dice.one_in(3) {
            let wrong = log_in(account, &old).by("wrong");
            let answer = account.client.ask(wrong).await;
            assert_eq!(answer.said(), (401, "invalid_credentials"));
            account.expect("login_failed", 1, answer.doubts);
        }
    }

    pub(crate) async fn log_out(&mut self, account: &mut Account, device: usize) {
        let request = Request::post("logout", "/v1/auth/logout", Value::Null);
        let answer = ask(account, device, request).await;
        assert_eq!(answer.said(), (204, ""));
        account.expect("logged_out", 1, 0);
        account.end(device);
    }

    /// Ends a session by another one.
    pub(crate) async fn end_another(&mut self, account: &mut Account, device: usize) {
        let other = (device + 1) % account.alive.len();
        if other == device {
            return;
        }
        let path = format!("/v1/me/sessions/{}", account.alive[other].session);
        let answer = ask(account, device, Request::delete("end one", &path)).await;
        match answer.said() {
            (204, _) => {}
            (404, "session_not_found") if answer.doubts > 0 => {}
            other => panic!("{other:?} after {} doubts", answer.doubts),
        }
        account.expect("session_revoked", 1, 0);
        account.end(other);
    }

    pub(crate) async fn end_others(&mut self, account: &mut Account, device: usize) {
        let request = Request::delete("end others", "/v1/me/sessions/others");
        let answer = ask(account, device, request).await;
        assert_eq!(answer.said(), (200, ""));
        account.keep_only(device);
    }

    pub(crate) async fn turn_second_factor_on(&mut self, account: &mut Account, device: usize) {
        if !matches!(account.second_factor, SecondFactor::Off) {
            return;
        }
        let body = json!({ "password": account.password });
        let request = Request::post("2fa/enable", "/v1/me/2fa/enable", body);
        let answer = ask(account, device, request).await;
        assert_eq!(answer.said(), (200, ""));
        let code = code(&answer.text("/secret"));
        let body = json!({ "code": code, "end_other_sessions": false });
        let request = Request::post("2fa/verify", "/v1/me/2fa/verify", body);
        let answer = ask(account, device, request).await;
        account.expect("two_factor_enabled", 1, 0);
        account.second_factor = match answer.said() {
            (200, _) => SecondFactor::On(backup_codes(&answer)),
            (409, "two_factor_not_pending") if answer.doubts > 0 => SecondFactor::OnWithoutCodes,
            other => panic!("{other:?} after {} doubts", answer.doubts),
        };
    }

    /// Deletes the account. Whoever has a second factor stays: its code would have to be waited for.
    pub(crate) async fn leave(&mut self, account: &mut Account, device: usize) {
        if !matches!(account.second_factor, SecondFactor::Off) {
            return;
        }
        let body = json!({ "password": account.password });
        let request = Request::post("delete", "/v1/me/delete", body);
        let answer = ask(account, device, request).await;
        match answer.said() {
            (204, _) => {}
            (401, "session_ended") if answer.doubts > 0 => {}
            other => panic!("{other:?} after {} doubts", answer.doubts),
        }
        account.ended.append(&mut account.alive);
        account.is_deleted = true;
    }
}

async fn ask(account: &Account, device: usize, request: Request<'_>) -> Answer {
    let token = &account.alive[device].access_token;
    account.client.ask(request.signed(token)).await
}

fn backup_codes(answer: &Answer) -> Vec<String> {
    let codes = answer.body["backup_codes"].as_array().unwrap().iter();
    codes
        .map(|code| code.as_str().unwrap().to_owned())
        .collect()
}

/// What an authenticator app shows now.
fn code(secret: &str) -> String {
    let secret = BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    totp_custom::<Sha1>(30, 6, &secret, now.as_secs())
}
