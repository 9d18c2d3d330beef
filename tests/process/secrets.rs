//! AUD-01: nothing secret reaches the logs, however much is logged; nor does an address.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use serde_json::{Value, json};
use totp_lite::{Sha1, totp_custom};

use crate::keyward::{EMAIL, Keyward, PASSWORD, home};

const WRONG: &str = "a wrong password of somebody";
const NEW_PASSWORD: &str = "amber kettle window 31";
const IN_A_QUERY: &str = "a-token-in-a-query-string";

/// Seconds, at a moment at which the code of the step before is good for a while yet.
fn early_in_a_step() -> u64 {
    loop {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        if now.as_secs() % 30 < 20 {
            return now.as_secs();
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Turns the second factor on, logs in with it, and turns it off; the secrets of that. The six digits are not among them: a time of day
/// has as many.
async fn use_second_factor(keyward: &Keyward, access_token: &Value) -> Vec<String> {
    let password = json!({ "password": PASSWORD });
    let enable = keyward.post_as(access_token, "/v1/me/2fa/enable", &password);
    let enrolment = enable.await;
    let secret = enrolment["secret"].as_str().unwrap();
    let raw = BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
    let now = early_in_a_step();
    let code_of = |seconds| totp_custom::<Sha1>(30, 6, &raw, now - seconds);
    let code = json!({ "code": code_of(30) });
    let verified = keyward
        .post_as(access_token, "/v1/me/2fa/verify", &code)
        .await;
    let (_, asked) = keyward.log_in().await;
    let challenge = asked["challenge_token"].as_str().unwrap();
    let backup = verified["backup_codes"][0].as_str().unwrap();
    let step = json!({ "challenge_token": challenge, "backup_code": backup });
    let (status, signed_in) = keyward.post("/v1/auth/login/2fa", &step).await;
    assert_eq!(status, 200, "{signed_in}");
    let device = signed_in["device_token"].as_str().unwrap();
    let new = json!({ "password": PASSWORD, "code": code_of(0) });
    let new = keyward
        .post_as(access_token, "/v1/me/2fa/backup-codes", &new)
        .await;
    let new = new["backup_codes"][0].as_str().unwrap();
    let disable = json!({ "password": PASSWORD, "backup_code": new });
    keyward
        .post_as(access_token, "/v1/me/2fa/disable", &disable)
        .await;
    let (bare, new_bare) = (backup.replace('-', ""), new.replace('-', ""));
    let raw = HEXLOWER.encode(&raw);
    [
        secret, challenge, backup, &bare, device, &raw, new, &new_bare,
    ]
    .map(str::to_owned)
    .into()
}

/// Changes the password, and leaves.
async fn leave(keyward: &Keyward, access_token: &Value) {
    let change = json!({ "current_password": PASSWORD, "new_password": NEW_PASSWORD });
    keyward
        .post_as(access_token, "/v1/me/password", &change)
        .await;
    let delete = json!({ "password": NEW_PASSWORD });
    keyward
        .post_as(access_token, "/v1/me/delete", &delete)
        .await;
}

/// Uses every operation that takes or gives a secret, and tells which there were.
pub(crate) async fn use_everything(keyward: &Keyward) -> Vec<String> {
    let signed_up = keyward.sign_up().await;
    let (_, logged_in) = keyward.log_in().await;
    let (_, refreshed) = keyward.refresh(&logged_in["refresh_token"]).await;
    let login = json!({ "email": EMAIL, "password": WRONG });
    assert_eq!(keyward.post("/v1/auth/login", &login).await.0, 401);
    let again = json!({ "email": EMAIL, "password": PASSWORD });
    assert_eq!(keyward.post("/v1/auth/signup", &again).await.0, 409);
    let me = format!("/v1/me?access_token={IN_A_QUERY}");
    assert_eq!(keyward.get(&me, &refreshed["access_token"]).await, 200);
    let logout = json!({ "refresh_token": refreshed["refresh_token"] });
    assert_eq!(keyward.post("/v1/auth/logout", &logout).await.0, 204);
    let login = json!({ "email": EMAIL, "password": PASSWORD, "token_transport": "cookie" });
    let held = keyward.cookies("/v1/auth/login", &login, &[]).await;
    let renewed = keyward.cookies("/v1/auth/refresh", &json!({}), &held).await;
    let cookies = held.iter().chain(&renewed);
    let cookies: Vec<_> = cookies
        .filter_map(|pair| Some(pair.split_once('=')?.1.to_owned()))
        .collect();
    assert_eq!(cookies.len(), 4);
    let second_factor = use_second_factor(keyward, &signed_up["access_token"]).await;
    leave(keyward, &signed_up["access_token"]).await;
    let answers = [signed_up, logged_in, refreshed];
    let tokens = answers
        .iter()
        .flat_map(|answer| [&answer["access_token"], &answer["refresh_token"]]);
    let shown = [PASSWORD, NEW_PASSWORD, WRONG, IN_A_QUERY, EMAIL].map(str::to_owned);
    tokens
        .map(|token| token.as_str().unwrap().to_owned())
        .chain(shown)
        .chain(cookies)
        .chain(second_factor)
        .collect()
}

/// The master key and the database's password.
pub(crate) fn kept_secrets(home: &Path) -> [String; 2] {
    let data = home.join(".keyward");
    let master = std::fs::read_to_string(data.join("master.key")).unwrap();
    let connection = std::fs::read(data.join("connection.json")).unwrap();
    let connection: Value = serde_json::from_slice(&connection).unwrap();
    let database = url::Url::parse(connection["database_url"].as_str().unwrap()).unwrap();
    [
        master.trim().to_owned(),
        database.password().unwrap().to_owned(),
    ]
}

#[tokio::test]
async fn nothing_secret_is_logged_for_people_at_any_level() {
    nothing_secret_is_logged("pretty").await;
}

#[tokio::test]
async fn nothing_secret_is_logged_for_machines_at_any_level() {
    nothing_secret_is_logged("json").await;
}

async fn nothing_secret_is_logged(format: &str) {
    let home = home();
    let keyward = Keyward::start_with(home.path(), |command| {
        command
            .env("RUST_LOG", "trace")
            .env("KEYWARD_LOG_FORMAT", format);
    });
    let mut secrets = use_everything(&keyward).await;
    secrets.extend(kept_secrets(home.path()));
    let log = keyward.log();
    let server_log = std::fs::read_to_string(home.path().join(".keyward/postgres.log")).unwrap();
    assert!(
        log.contains("/v1/auth/login") && log.contains("TRACE"),
        "this is not the whole log"
    );
    for secret in secrets {
        assert_eq!(
            log.lines()
                .chain(server_log.lines())
                .find(|line| line.contains(&secret)),
            None
        );
    }
}
