//! `/v1/me/2fa`: turning the second factor on, what is shown then, and what is refused.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;
use futures_util::future::{join, join_all};
use png::{BitDepth, ColorType, Decoder};
use reqwest::Method;
use rqrr::PreparedImage;
use serde_json::{Value, json};
use url::Url;

use crate::support::{Answer, Authenticator, PASSWORD, Person, TestApp};

const WRONG: &str = "not the password at all";

async fn enable(person: &Person<'_>, password: &str) -> Answer {
    person
        .post("/v1/me/2fa/enable", json!({ "password": password }))
        .await
}

async fn verify(person: &Person<'_>, code: &str) -> Answer {
    person
        .post("/v1/me/2fa/verify", json!({ "code": code }))
        .await
}

async fn state(person: &Person<'_>) -> Value {
    person.call(Method::GET, "/v1/me/2fa", None).await.is(200)
}

/// What a QR reader sees in the picture.
fn scan(png_url: &str) -> String {
    let data = png_url.strip_prefix("data:image/png;base64,").unwrap();
    let data = STANDARD.decode(data).unwrap();
    let mut reader = Decoder::new(std::io::Cursor::new(data))
        .read_info()
        .unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut pixels).unwrap();
    assert_eq!(
        (frame.color_type, frame.bit_depth),
        (ColorType::Grayscale, BitDepth::One)
    );
    let (width, height) = (frame.width as usize, frame.height as usize);
    let white = |x: usize, y: usize| pixels[y * frame.line_size + x / 8] & (0x80 >> (x % 8)) != 0;
    let mut image =
        PreparedImage::prepare_from_greyscale(
            width,
            height,
            |x, y| {
                if white(x, y) { 255 } else { 0 }
            },
        );
    let grids = image.detect_grids();
    assert_eq!(grids.len(), 1, "one code in the picture");
    grids[0].decode().unwrap().1
}

#[actix_web::test]
async fn a_scanned_code_turns_it_on() {
    let app =
        TestApp::with(|config| config.two_factor.service_name = "Bücher & Söhne".into()).await;
    let ann = app.sign_up("ann+2@example.com").await;
    let answer = enable(&ann, PASSWORD).await.is(200);
    let scanned = scan(answer["qr_code_png"].as_str().unwrap());
    assert_eq!(answer["otpauth_uri"], scanned.as_str());
    assert!(answer["qr_code_svg"].as_str().unwrap().contains("<svg"));
    assert_eq!(answer["expires_in"], 600);

    let uri = Url::parse(&scanned).unwrap();
    let query: Vec<(String, String)> = uri.query_pairs().into_owned().collect();
    let of = |name: &str| {
        let found = query.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    };
    assert_eq!((uri.scheme(), uri.host_str()), ("otpauth", Some("totp")));
    assert_eq!(of("issuer"), Some("Bücher & Söhne"));
    assert_eq!(of("secret"), answer["secret"].as_str());
    // What every app takes for granted where it is not said: SHA-1, 6 digits, 30 seconds.
    assert_eq!(
        (of("algorithm"), of("digits"), of("period")),
        (None, None, None)
    );
    assert!(uri.path().ends_with("ann%2B2%40example.com"), "{uri}");

    let authenticator = Authenticator::of(of("secret").unwrap());
    verify(&ann, &authenticator.code(&app)).await.is(200);
    assert_eq!(ann.me().await.is(200)["two_factor_enabled"], true);
    assert_eq!(app.events_of("two_factor_enabled").await, 1);
}

// MFA-13
#[actix_web::test]
async fn a_secret_alone_turns_nothing_on() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    ann.enable_two_factor().await;
    let off = json!({ "enabled": false, "enabled_at": null, "backup_codes_remaining": 0 });
    assert_eq!(state(&ann).await, off);
    assert_eq!(ann.me().await.is(200)["two_factor_enabled"], false);
    let answer = app.log_in("ann@example.com", PASSWORD).await.is(200);
    assert_eq!(answer["status"], "authenticated");
}

// MFA-13
#[actix_web::test]
async fn a_secret_waits_for_ten_minutes() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let authenticator = ann.enable_two_factor().await;
    app.advance(TimeDelta::minutes(10));
    let mut ann = ann;
    ann.refresh().await;
    verify(&ann, &authenticator.code(&app))
        .await
        .refused(409, "two_factor_not_pending");
    let authenticator = ann.enable_two_factor().await;
    app.advance(TimeDelta::seconds(599));
    verify(&ann, &authenticator.code(&app)).await.is(200);
}

#[actix_web::test]
async fn a_new_secret_replaces_the_one_that_waits() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let first = ann.enable_two_factor().await;
    let second = ann.enable_two_factor().await;
    verify(&ann, &first.code(&app))
        .await
        .refused(403, "invalid_code");
    verify(&ann, &second.code(&app)).await.is(200);
}

// MFA-14, MFA-15
#[actix_web::test]
async fn what_is_on_is_neither_replaced_nor_shown_again() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let (authenticator, codes) = ann.turn_on_two_factor().await;
    enable(&ann, PASSWORD)
        .await
        .refused(409, "two_factor_already_enabled");
    verify(&ann, &authenticator.code(&app))
        .await
        .refused(409, "two_factor_not_pending");
    let shown = [state(&ann).await, ann.me().await.is(200)];
    for code in &codes {
        assert!(!format!("{shown:?}").contains(code.as_str()));
    }
    let challenge = ann.challenge().await;
    app.complete(&challenge, &authenticator.code(&app))
        .await
        .is(200);
}

#[actix_web::test]
async fn the_password_is_asked_for() {
    let app = TestApp::guarded().await;
    let ann = app.sign_up("ann@example.com").await;
    for _ in 0..5 {
        enable(&ann, WRONG).await.refused(403, "wrong_password");
    }
    enable(&ann, PASSWORD)
        .await
        .refused(429, "too_many_attempts");
    assert_eq!(app.count("select count(*) from totp_factors").await, 0);
}

#[actix_web::test]
async fn there_is_nothing_to_verify_before_a_secret_was_asked_for() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    verify(&ann, "123456")
        .await
        .refused(409, "two_factor_not_pending");
}

#[actix_web::test]
async fn wrong_codes_are_counted_and_leave_a_trace() {
    let app = TestApp::guarded().await;
    let ann = app.sign_up("ann@example.com").await;
    let authenticator = ann.enable_two_factor().await;
    for _ in 0..10 {
        verify(&ann, &authenticator.wrong_code(&app))
            .await
            .refused(403, "invalid_code");
    }
    let refused = verify(&ann, &authenticator.code(&app)).await;
    refused.refused(429, "too_many_attempts");
    assert_eq!(refused.header("retry-after"), Some("3601"));
    assert_eq!(app.events_of("code_refused").await, 10);
    assert_eq!(ann.me().await.is(200)["two_factor_enabled"], false);
}

#[actix_web::test]
async fn ten_backup_codes_are_shown_once() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let (_, codes) = ann.turn_on_two_factor().await;
    assert_eq!(codes.len(), 10);
    for code in &codes {
        assert_eq!(code.replace('-', "").len(), 24, "120 bits");
    }
    assert_eq!(state(&ann).await["backup_codes_remaining"], 10);
}

// MFA-19
#[actix_web::test]
async fn what_is_no_code_is_told_so_and_not_counted() {
    let app = TestApp::guarded().await;
    let ann = app.sign_up("ann@example.com").await;
    let authenticator = ann.enable_two_factor().await;
    for code in [
        "",
        "12345",
        "1234567",
        "12345a",
        "１２３４５６",
        "12345６",
        "123456.0",
    ] {
        verify(&ann, code)
            .await
            .invalid(&[("/code", "invalid_format")]);
    }
    for code in [json!(123_456), json!([123_456]), json!(null)] {
        let body = json!({ "code": code });
        ann.post("/v1/me/2fa/verify", body)
            .await
            .invalid(&[("/code", "wrong_type")]);
    }
    let code = authenticator.code(&app);
    verify(&ann, &format!(" {} {} ", &code[..3], &code[3..]))
        .await
        .is(200);
}

#[actix_web::test]
async fn of_many_first_codes_at_once_one_turns_it_on() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let authenticator = ann.enable_two_factor().await;
    let code = authenticator.code(&app);
    let answers = join_all((0..10).map(|_| verify(&ann, &code))).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409, 409, 409, 409, 409, 409, 409]);
    assert_eq!(app.count("select count(*) from backup_codes").await, 10);
}

// Nothing that was under way with the old password survives its change.
#[actix_web::test]
async fn a_secret_that_waits_does_not_survive_a_new_password() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let authenticator = ann.enable_two_factor().await;
    let change = json!({ "current_password": PASSWORD, "new_password": "amber kettle window 31" });
    ann.post("/v1/me/password", change).await.is(204);
    verify(&ann, &authenticator.code(&app))
        .await
        .refused(409, "two_factor_not_pending");
}

/// The password is changed after it was compared, and before the secret is kept.
#[actix_web::test]
async fn an_old_password_leaves_no_secret_behind() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let body = json!({ "email": "ben@example.com", "password": "amber kettle window 31" });
    app.post("/v1/auth/signup", body).await.is(201);
    let mut changing = app.sql.begin().await.unwrap();
    let change = "update users a
        set password_hash = b.password_hash, credential_version = a.credential_version + 1
        from users b where a.email = 'ann@example.com' and b.email = 'ben@example.com'";
    sqlx::raw_sql(change).execute(&mut *changing).await.unwrap();
    let (answer, ()) = join(enable(&ann, PASSWORD), async {
        app.somebody_waits().await;
        changing.commit().await.unwrap();
    })
    .await;
    answer.refused(403, "wrong_password");
    assert_eq!(app.count("select count(*) from totp_factors").await, 0);
}

#[actix_web::test]
async fn the_longest_names_can_be_drawn() {
    let longest = "\u{1f511}".repeat(64);
    let app = TestApp::with(|config| config.two_factor.service_name = longest).await;
    let label = "\u{f6}".repeat(28);
    let email = format!("{}@{label}.{label}.{label}.example", "\u{f6}".repeat(32));
    let ann = app.sign_up(&email).await;
    enable(&ann, PASSWORD).await.is(200);
}

#[actix_web::test]
async fn secrets_that_have_waited_too_long_are_deleted() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let ben = app.sign_up("ben@example.com").await;
    ann.turn_on_two_factor().await;
    ben.enable_two_factor().await;
    assert_eq!(app.app.services.two_factor.purge().await.unwrap(), 0);
    app.advance(TimeDelta::minutes(10));
    assert_eq!(app.app.services.two_factor.purge().await.unwrap(), 1);
    assert_eq!(app.count("select count(*) from totp_factors").await, 1);
}
