//! `GET /metrics`: each family counts what happened, and none tells of whom.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::join_all;
use keyward::config::Argon2;
use reqwest::Method;
use serde_json::json;

use crate::support::{Browser, PASSWORD, TestApp};

const ANN: &str = "ann@example.com";
const WRONG: &str = "wrong password, alas";

/// What is counted, written like `counted` gives it.
fn counts<const N: usize>(label: &str, expected: [(&str, u64); N]) -> BTreeMap<String, u64> {
    let counts = expected.map(|(value, count)| (format!("{label}={value}"), count));
    counts.into()
}

// OPS-02
#[actix_web::test]
async fn they_are_on_the_management_listener_and_nowhere_else() {
    let app = TestApp::start().await;
    app.get("/metrics").await.refused(404, "not_found");
    let scraped = app.scrape().await;
    let version = env!("CARGO_PKG_VERSION");
    let build = format!("keyward_build_info{{version=\"{version}\"}}");
    assert!((scraped.of(&build) - 1.0).abs() < f64::EPSILON);
    assert_eq!(app.on_management("/v1/me").await.0.0, 404);
}

#[actix_web::test]
async fn requests_are_counted_and_timed_by_method_and_route() {
    let app = TestApp::start().await;
    let ann = app.sign_up(ANN).await;
    for _ in 0..2 {
        ann.me().await.is(200);
    }
    app.get("/v1/me").await.is(401);
    let one = format!("/v1/me/sessions/{}", ann.session_id);
    ann.call(Method::DELETE, &one, None).await.is(204);
    app.get("/nothing").await.is(404);
    app.post("/v1/me", json!({})).await.is(405);
    app.post_raw("/v1/auth/login", "text/plain", "x")
        .await
        .is(415);
    let made_up = Method::from_bytes(b"MADEUP").unwrap();
    app.send(app.request(made_up, "/v1/me")).await.is(405);
    let scraped = app.scrape().await;
    let expected = [
        ("POST,route=/v1/auth/signup,status=201", 1),
        ("GET,route=/v1/me,status=200", 2),
        ("GET,route=/v1/me,status=401", 1),
        ("DELETE,route=/v1/me/sessions/{id},status=204", 1),
        ("GET,route=unmatched,status=404", 1),
        ("POST,route=/v1/me,status=405", 1),
        ("POST,route=/v1/auth/login,status=415", 1),
        ("other,route=/v1/me,status=405", 1),
    ];
    let requests = scraped.counted("keyward_http_requests_total");
    assert_eq!(requests, counts("method", expected));
    let timed = scraped.counted("keyward_http_request_duration_seconds_count");
    let me: u64 = timed
        .iter()
        .filter(|(labels, _)| labels.ends_with("route=/v1/me"))
        .map(|(_, count)| count)
        .sum();
    assert_eq!(me, 5, "{timed:?}");
}

#[actix_web::test]
async fn a_request_that_panics_is_counted_as_what_it_was_answered() {
    let app = TestApp::start().await;
    let ann = app.sign_up(ANN).await;
    app.clock.set_broken(true);
    let request = app.request(Method::GET, "/v1/me");
    let request = request.header("x-request-id", "not-asked-for-the-time");
    app.send(request.bearer_auth(&ann.access_token))
        .await
        .is(500);
    app.clock.set_broken(false);
    let requests = app.scrape().await.counted("keyward_http_requests_total");
    assert_eq!(requests["method=GET,route=/v1/me,status=500"], 1);
}

#[actix_web::test]
async fn sign_ups_are_counted_by_outcome() {
    let app = TestApp::start().await;
    app.sign_up(ANN).await;
    let sign_up = |password: &'static str| {
        let body = json!({ "email": ANN, "password": password });
        app.post("/v1/auth/signup", body)
    };
    sign_up(PASSWORD).await.refused(409, "email_taken");
    sign_up("x").await.is(422);
    let counted = app.scrape().await.counted("keyward_signups_total");
    let expected = [("created", 1), ("email_taken", 1), ("validation_failed", 1)];
    assert_eq!(counted, counts("outcome", expected));
}

#[actix_web::test]
async fn logins_are_counted_by_outcome_and_each_of_two_steps() {
    let app = TestApp::guarded().await;
    let ann = app.sign_up(ANN).await;
    app.log_in(ANN, PASSWORD).await.is(200);
    app.log_in("nobody@example.com", WRONG).await.is(401);
    let (authenticator, _) = ann.turn_on_two_factor().await;
    let challenge = ann.challenge().await;
    let wrong = authenticator.wrong_code(&app);
    app.complete(&challenge, &wrong).await.is(401);
    let right = authenticator.code(&app);
    app.complete(&challenge, &right).await.is(200);
    app.complete(&challenge, &right).await.is(401);
    for _ in 0..5 {
        app.log_in(ANN, WRONG).await.is(401);
    }
    app.log_in(ANN, WRONG).await.is(429);
    app.tamper("update users set disabled_at = created_at")
        .await;
    app.advance(TimeDelta::hours(2));
    app.log_in(ANN, PASSWORD).await.is(403);
    let expected = [
        ("authenticated", 2),
        ("invalid_credentials", 6),
        ("two_factor_required", 1),
        ("invalid_code", 1),
        ("challenge_expired", 1),
        ("too_many_attempts", 1),
        ("account_disabled", 1),
    ];
    let counted = app.scrape().await.counted("keyward_logins_total");
    assert_eq!(counted, counts("outcome", expected));
}

#[actix_web::test]
async fn refreshes_are_counted_by_the_case_of_the_protocol() {
    let app = TestApp::start().await;
    let mut ann = app.sign_up(ANN).await;
    let first = ann.refresh_token.clone();
    let bob = app.sign_up("bob@example.com").await;
    ann.refresh().await; // rotated
    app.refresh(&ann.refresh_token).await.is(200); // same_token
    app.refresh(&first).await.is(200); // same_successor
    app.refresh("kwr_garbage").await.is(401);
    app.refresh(&bob.refresh_token).await.is(200); // rotated
    app.advance(TimeDelta::minutes(1));
    app.refresh(&bob.refresh_token).await.is(200); // recovered
    let restored = "update sessions set generation = 0, current_digest = parent_digest, parent_digest = null, salt = null, rotated_at = created_at
                    where user_id = (select id from users where email = 'ann@example.com')";
    app.tamper(restored).await;
    app.refresh(&ann.refresh_token).await.is(401); // our_fault
    app.refresh(&first).await.is(200); // rotated
    app.refresh(&ann.refresh_token).await.is(401); // theft
    app.refresh(&first).await.is(401); // refused
    let expected = [
        ("rotated", 3),
        ("same_token", 1),
        ("same_successor", 1),
        ("refresh_token_invalid", 1),
        ("recovered", 1),
        ("our_fault", 1),
        ("theft", 1),
        ("refused", 1),
    ];
    let counted = app.scrape().await.counted("keyward_refreshes_total");
    assert_eq!(counted, counts("outcome", expected));
}

#[actix_web::test]
async fn ends_of_sessions_are_counted_by_reason() {
    let app = TestApp::with(|config| {
        config.tokens.sessions_per_user = 3;
        crate::support::allow_pages(config);
    })
    .await;
    let mut ann = app.sign_up(ANN).await;
    let browser = Browser::new(&app);
    browser.log_in(ANN, PASSWORD).await.is(200);
    browser.log_in(ANN, PASSWORD).await.is(200);
    ann.log_in_again().await.log_out().await.is(204);
    for _ in 0..2 {
        ann.log_in_again().await;
    }
    let stale = ann.refresh_token.clone();
    let others = "/v1/me/sessions/others";
    // The one unused for longest was Ann's first.
    ann = ann.log_in_again().await;
    ann.call(Method::DELETE, others, None).await.is(200);
    app.refresh(&stale).await.is(401);
    let stale = ann.refresh_token.clone();
    for _ in 0..2 {
        app.advance(TimeDelta::minutes(1));
        ann.refresh().await;
    }
    app.refresh(&stale).await.is(401);
    let expected = [
        ("logged_out", 1),
        ("replaced", 1),
        ("evicted", 2),
        ("revoked", 2),
        ("refresh_token_reused", 1),
    ];
    let counted = app.scrape().await.counted("keyward_sessions_ended_total");
    assert_eq!(counted, counts("reason", expected));
}

#[actix_web::test]
async fn what_was_not_made_durable_is_not_counted_as_ended() {
    let app = TestApp::start().await;
    let ann = app.sign_up(ANN).await;
    app.tamper(
        "create function fail() returns trigger language plpgsql as $$ begin raise 'no'; end $$;
         create constraint trigger fails after update on sessions deferrable initially deferred
         for each row execute function fail()",
    )
    .await;
    ann.log_out().await.is(500);
    let ended = "keyward_sessions_ended_total";
    assert_eq!(app.scrape().await.counted(ended), BTreeMap::new());
    app.tamper("drop trigger fails on sessions").await;
    ann.log_out().await.is(204);
    let counted = app.scrape().await.counted(ended);
    assert_eq!(counted, counts("reason", [("logged_out", 1)]));
}

#[actix_web::test]
async fn the_queue_for_hashing_is_seen_and_its_waits_are_measured() {
    let app = TestApp::with(|config| {
        config.passwords.hash_concurrency = 1;
        config.passwords.argon2 = Argon2 {
            memory_kib: 8 * 1024,
            iterations: 4,
            parallelism: 1,
        };
        config.passwords.hash_queue_timeout = Duration::from_mins(1);
    })
    .await;
    let (queue, waits) = (
        "keyward_password_hash_queue",
        "keyward_password_hash_wait_seconds_count",
    );
    let done = std::cell::Cell::new(false);
    let logins = async {
        join_all((0..12).map(|_| app.log_in("nobody@example.com", WRONG))).await;
        done.set(true);
    };
    let watching = async {
        let mut most = 0.0_f64;
        while !done.get() {
            most = most.max(app.scrape().await.of(queue));
        }
        most
    };
    let ((), most) = futures_util::future::join(logins, watching).await;
    assert!((1.0..=11.0).contains(&most), "{most}");
    let after = app.scrape().await;
    assert!(after.of(queue).abs() < f64::EPSILON);
    assert!((after.of(waits) - 12.0).abs() < f64::EPSILON);
    let waited = after.of("keyward_password_hash_wait_seconds_sum");
    assert!(waited > 0.01, "{waited}");
}

#[actix_web::test]
async fn connections_to_the_database_are_seen_and_their_waits_are_measured() {
    let app = TestApp::start().await;
    let ann = app.sign_up(ANN).await;
    let waits = "keyward_database_wait_seconds_count";
    let in_use = r#"keyward_database_connections{state="in_use"}"#;
    let idle = r#"keyward_database_connections{state="idle"}"#;
    let before = app.scrape().await.of(waits);
    let mut locking = app.sql.begin().await.unwrap();
    sqlx::raw_sql("lock table sessions in access exclusive mode")
        .execute(&mut *locking)
        .await
        .unwrap();
    let asking = join_all((0..3).map(|_| ann.me()));
    let watching = async {
        app.so_many_wait(3).await;
        let seen = app.scrape().await;
        locking.rollback().await.unwrap();
        seen
    };
    let (answers, meanwhile) = futures_util::future::join(asking, watching).await;
    for answer in answers {
        answer.is(200);
    }
    assert!(meanwhile.of(in_use) >= 3.0, "{}", meanwhile.text);
    while app.scrape().await.of(in_use) > 0.0 {}
    let after = app.scrape().await;
    assert!((3.0..=8.0).contains(&after.of(idle)), "{}", after.text);
    assert!((after.of(waits) - before - 3.0).abs() < f64::EPSILON);
}

#[actix_web::test]
async fn each_service_counts_for_itself() {
    let app = TestApp::start().await;
    let replica = app.replica().await;
    app.sign_up(ANN).await;
    let counted = replica.scrape().await.counted("keyward_signups_total");
    assert_eq!(counted, BTreeMap::new());
}

// AUD-09
#[actix_web::test]
async fn no_label_tells_of_whom_and_their_number_does_not_grow_with_people() {
    let app = TestApp::start().await;
    let mut sizes = Vec::new();
    for name in ["ann", "bob"] {
        let person = app.sign_up(&format!("{name}@example.com")).await;
        person.me().await.is(200);
        app.log_in(&format!("{name}@example.com"), WRONG)
            .await
            .is(401);
        let one = format!("/v1/me/sessions/{}", person.session_id);
        person.call(Method::DELETE, &one, None).await.is(204);
        for way in 0..5 {
            app.get(&format!("/{name}/{way}?q={name}")).await.is(404);
            let made_up = format!("{}{way}", name.to_uppercase());
            let made_up = Method::from_bytes(made_up.as_bytes()).unwrap();
            app.send(app.request(made_up, "/v1/me")).await.is(405);
        }
        let scraped = app.scrape().await;
        sizes.push(app.scrape().await.size());
        let (user, session) = (person.user["id"].as_str().unwrap(), &person.session_id);
        let text = scraped.text.to_lowercase();
        for told in [name, user, session, "example.com", "127.0.0.1"] {
            assert!(!text.contains(told), "{told}: {text}");
        }
    }
    assert_eq!(sizes[0], sizes[1]);
}
