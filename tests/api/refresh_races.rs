//! Refreshing when many do it at once, and when what is shown is not a token of ours.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use futures_util::future::join_all;

use crate::support::{Answer, TestApp};

fn tokens(answers: &[Answer]) -> BTreeSet<String> {
    let token = |answer: &Answer| answer.is(200)["refresh_token"].as_str().unwrap().to_owned();
    answers.iter().map(token).collect()
}

// RFT-02, RFT-03
#[actix_web::test]
async fn fifty_callers_on_two_replicas_get_one_successor_and_nobody_is_refused() {
    let app = TestApp::start().await;
    let other = app.replica().await;
    let mut ann = app.sign_up("ann@example.com").await;
    for round in 0..6 {
        let shown = ann.refresh_token.clone();
        let callers = (0..50).map(|n| if n % 2 == 0 { &app } else { &other });
        let answers = join_all(callers.map(|app| app.refresh(&shown))).await;
        let successors = tokens(&answers);
        assert_eq!(successors.len(), 1, "round {round}");
        ann.refresh_token = successors.into_iter().next().unwrap();
        assert_ne!(ann.refresh_token, shown);
        app.advance(TimeDelta::seconds(31));
    }
    assert_eq!(
        app.count("select generation::bigint from sessions").await,
        6
    );
    ann.refresh().await;
    assert_eq!(app.events().await, ["account_created", "logged_in"]);
}

#[actix_web::test]
async fn many_who_lost_the_answer_recover_to_one_successor() {
    let app = TestApp::start().await;
    let other = app.replica().await;
    let mut ann = app.sign_up("ann@example.com").await;
    let parent = ann.refresh_token.clone();
    ann.refresh().await;
    app.advance(TimeDelta::minutes(5));
    let callers = (0..20).map(|n| if n % 2 == 0 { &app } else { &other });
    let answers = join_all(callers.map(|app| app.refresh(&parent))).await;
    assert_eq!(tokens(&answers).len(), 1);
    assert_eq!(app.events_of("refresh_retried_late").await, 1);
}

#[actix_web::test]
async fn a_theft_shown_by_many_at_once_is_one_event() {
    let app = TestApp::start().await;
    let mut ann = app.sign_up("ann@example.com").await;
    let stolen = ann.refresh_token.clone();
    for _ in 0..2 {
        ann.refresh().await;
        app.advance(TimeDelta::seconds(31));
    }
    for answer in join_all((0..20).map(|_| app.refresh(&stolen))).await {
        answer.refused(401, "refresh_token_invalid");
    }
    assert_eq!(app.events_of("refresh_token_reused").await, 1);
}

// RFT-18: whoever knows a session's id can neither end nor probe it.
#[actix_web::test]
async fn garbage_with_a_right_session_id_ends_nothing() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let genuine = URL_SAFE_NO_PAD.decode(&ann.refresh_token[4..]).unwrap();
    for position in [16, 19, 20, 51, 52, 67] {
        let mut forged = genuine.clone();
        forged[position] ^= 1;
        let text = format!("kwr_{}", URL_SAFE_NO_PAD.encode(forged));
        app.refresh(&text)
            .await
            .refused(401, "refresh_token_invalid");
        app.post(
            "/v1/auth/logout",
            serde_json::json!({ "refresh_token": text }),
        )
        .await
        .is(204);
    }
    ann.me().await.is(200);
    app.refresh(&ann.refresh_token).await.is(200);
}

// RFT-13
#[actix_web::test]
async fn only_the_exact_text_is_a_token() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let token = &ann.refresh_token;
    let flipped: String = token
        .chars()
        .map(|c| {
            if c.is_ascii_lowercase() {
                c.to_ascii_uppercase()
            } else {
                c.to_ascii_lowercase()
            }
        })
        .collect();
    let mut wrong: Vec<String> = (1..=10)
        .map(|cut| token[..token.len() - cut].to_owned())
        .collect();
    wrong.extend([
        format!("{token}A"),
        format!("{token}="),
        format!(" {token}"),
        format!("{token}\n"),
        format!("{token}\0"),
        token[4..].to_owned(),
        token.replacen("kwr_", "kwd_", 1),
        token.replacen("kwr_", "KWR_", 1),
        format!("kwr_{token}"),
        flipped,
        String::new(),
        "kwr_".to_owned(),
        "x".repeat(10_000),
        ann.access_token.clone(),
        ann.session_id.clone(),
    ]);
    // Another last character that decodes to the same bytes is another text.
    let last = token.chars().last().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let others = alphabet.chars().filter(|c| *c != last);
    wrong.extend(others.map(|c| format!("{}{c}", &token[..token.len() - 1])));
    for text in wrong {
        app.refresh(&text)
            .await
            .refused(401, "refresh_token_invalid");
    }
    app.refresh(token).await.is(200);
}

// JWT-13
#[actix_web::test]
async fn a_refresh_token_is_no_access_token() {
    let app = TestApp::start().await;
    let mut ann = app.sign_up("ann@example.com").await;
    ann.access_token = ann.refresh_token.clone();
    ann.me().await.refused(401, "token_invalid");
}

// RFT-08
#[actix_web::test]
async fn a_token_of_a_session_that_was_left_is_refused_like_garbage() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    ann.log_out().await.is(204);
    let mut ended = app.refresh(&ann.refresh_token).await.is(401);
    let mut garbage = app.refresh("garbage").await.is(401);
    for body in [&mut ended, &mut garbage] {
        body.as_object_mut().unwrap().remove("request_id");
    }
    assert_eq!(ended, garbage);
}
