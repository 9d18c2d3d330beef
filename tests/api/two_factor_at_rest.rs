//! What the database keeps of second factors opens nothing, and broken rows let nobody in.

use serde_json::json;

use crate::support::{Answer, TestApp};

async fn dump(app: &TestApp) -> String {
    let rows = "select json_build_array(
            (select json_agg(t) from totp_factors t), (select json_agg(b) from backup_codes b),
            (select json_agg(c) from login_challenges c), (select json_agg(e) from security_events e))::text";
    app.json(rows).await.to_string().to_lowercase()
}

// MFA-25
#[actix_web::test]
async fn a_dump_has_no_secret_no_code_and_no_challenge() {
    use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD, HEXLOWER};
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let body = json!({ "password": crate::support::PASSWORD });
    let enrolment = ann.post("/v1/me/2fa/enable", body).await.is(200);
    let secret = enrolment["secret"].as_str().unwrap();
    let raw = BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
    let pending = dump(&app).await;
    let (_, codes) = ann.turn_on_two_factor().await;
    let challenge = ann.challenge().await;
    let token = BASE64URL_NOPAD
        .decode(challenge.strip_prefix("kwc_").unwrap().as_bytes())
        .unwrap();
    let dumped = dump(&app).await;
    for text in [&pending, &dumped] {
        assert!(!text.contains(&secret.to_lowercase()));
        assert!(!text.contains(&HEXLOWER.encode(&raw)));
    }
    assert!(!dumped.contains(&HEXLOWER.encode(&token[1..33])));
    for code in &codes {
        assert!(!dumped.contains(code.as_str()));
        assert!(!dumped.contains(&code.replace('-', "")));
        assert!(!dumped.contains(&HEXLOWER.encode(code.replace('-', "").as_bytes())));
    }
}

// MFA-25
#[actix_web::test]
async fn a_secret_that_is_not_its_owners_lets_nobody_in() {
    for damage in [
        // Exchanged between two people.
        "update totp_factors t set sealed_secret = o.sealed_secret from totp_factors o where o.user_id <> t.user_id",
        "update totp_factors set sealed_secret = substr(sealed_secret, 1, 20)",
        "update totp_factors set sealed_secret = ''",
        "update totp_factors set key_id = gen_random_uuid()",
    ] {
        let app = TestApp::start().await;
        let ann = app.sign_up("ann@example.com").await;
        let ben = app.sign_up("ben@example.com").await;
        let (authenticator, _) = ann.turn_on_two_factor().await;
        let (others, _) = ben.turn_on_two_factor().await;
        let sessions = app.count("select count(*) from sessions").await;
        let challenge = ann.challenge().await;
        app.tamper(damage).await;
        for code in [authenticator.code(&app), others.code(&app)] {
            let answer: Answer = app.complete(&challenge, &code).await;
            answer.refused(500, "internal_error");
        }
        assert_eq!(app.count("select count(*) from sessions").await, sessions);
    }
}

// MFA-25: a factor that is gone is no factor that is off.
#[actix_web::test]
async fn a_second_factor_without_its_row_lets_nobody_in_by_password() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let (authenticator, _) = ann.turn_on_two_factor().await;
    app.tamper("delete from totp_factors; delete from backup_codes")
        .await;
    let challenge = ann.challenge().await;
    app.complete(&challenge, &authenticator.code(&app))
        .await
        .refused(401, "invalid_code");
}

// A restart with the same master key opens what was sealed before it, and reads the codes that were hashed.
#[actix_web::test]
async fn a_restart_loses_nobody() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let (authenticator, codes) = ann.turn_on_two_factor().await;
    let challenge = ann.challenge().await;
    let restarted = app.replica().await;
    restarted
        .complete(&challenge, &authenticator.code(&app))
        .await
        .is(200);
    let challenge = ann.at(&restarted).challenge().await;
    restarted
        .complete_with_backup(&challenge, &codes[9])
        .await
        .is(200);
}
