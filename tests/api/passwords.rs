//! What a password must be, and what is kept of it.

use keyward::config::Argon2;
use serde_json::json;

use crate::support::{Answer, TestApp};

async fn sign_up(app: &TestApp, email: &str, password: &str) -> Answer {
    let body = json!({ "email": email, "password": password });
    app.post("/v1/auth/signup", body).await
}

/// As different as 256 characters can be.
fn varied(first: u32) -> String {
    let character = |n: u32| char::from_u32(first + n * 37 % 256).unwrap();
    (0..256).map(character).collect()
}

#[actix_web::test]
async fn length_is_counted_in_characters() {
    let app = TestApp::start().await;
    for (short, count) in [("x7Q#kZp!mR2", 11), ("🦊🐝🌵🎷🧊🚲🪁🥝🦉🎻🧵", 11), ("", 0)]
    {
        assert_eq!(short.chars().count(), count);
        let answer = sign_up(&app, "ann@example.com", short).await;
        answer.invalid(&[("/password", "too_short")]);
        assert_eq!(answer.json()["errors"][0]["params"], json!({ "min": 12 }));
    }
    sign_up(&app, "a@example.com", "x7Q#kZp!mR2v").await.is(201);
    sign_up(&app, "b@example.com", "🦊🐝🌵🎷🧊🚲🪁🥝🦉🎻🧵🛶")
        .await
        .is(201);
}

// LGN-08
#[actix_web::test]
async fn a_password_has_at_most_256_characters_and_as_many_as_1024_bytes() {
    let app = TestApp::start().await;
    for (n, first) in [0x21, 0x400, 0x1F300].into_iter().enumerate() {
        let longest = varied(first);
        let email = format!("p{n}@example.com");
        let answer = sign_up(&app, &email, &format!("{longest}x")).await;
        answer.invalid(&[("/password", "too_long")]);
        assert_eq!(answer.json()["errors"][0]["params"], json!({ "max": 256 }));
        sign_up(&app, &email, &longest).await.is(201);
        app.log_in(&email, &longest).await.is(200);
    }
    assert_eq!(varied(0x1F300).len(), 1024);
}

// LGN-07
#[actix_web::test]
async fn every_character_counts_as_it_is() {
    let app = TestApp::start().await;
    for (n, password) in [
        "\0tall cliff\0moth ribbon",
        "  tall cliff moth ribbon  ",
        "tall\u{7}cliff\u{1b}moth ribbon",
        "tall cliff moth \u{200d}ribbon",
        "tall \"cliff\" \\moth ribbon",
        "t\u{e4}ll cliff moth ribbon",
    ]
    .into_iter()
    .enumerate()
    {
        let email = format!("p{n}@example.com");
        sign_up(&app, &email, password).await.is(201);
        app.log_in(&email, password).await.is(200);
        let without = password.replace(['\0', '\u{7}', '\u{200d}', '\\'], "");
        let without = without.trim().replace('\u{e4}', "a\u{308}");
        app.log_in(&email, &without)
            .await
            .refused(401, "invalid_credentials");
    }
}

#[actix_web::test]
async fn common_passwords_are_refused_in_any_case() {
    let app = TestApp::start().await;
    for common in ["passwordpassword", "PasswordPassword", "QWERTYUIOPASDF"] {
        sign_up(&app, "ann@example.com", common)
            .await
            .invalid(&[("/password", "breached")]);
    }
}

#[actix_web::test]
async fn easy_passwords_are_refused_with_their_strength() {
    let app = TestApp::start().await;
    for easy in [
        "aaaaaaaaaaaaaaaaaaaaaaaaaaa!",
        "abcabcabcabcabcabc",
        "january 2026",
        "keywardkeywardkeyward",
    ] {
        let answer = sign_up(&app, "ann@example.com", easy).await;
        answer.invalid(&[("/password", "too_weak")]);
        let params = answer.json()["errors"][0]["params"].clone();
        assert_eq!(params["min"], 3);
        assert!(params["strength"].as_u64().unwrap() < 3, "{easy}");
    }
}

#[actix_web::test]
async fn what_a_guesser_knows_of_a_person_makes_no_strong_password() {
    let app = TestApp::start().await;
    let password = "Zarquent0polis77";
    let known = |member: &str, value: &str| {
        let mut body = json!({ "email": "ann@example.com", "password": password });
        body[member] = json!(value);
        app.post("/v1/auth/signup", body)
    };
    for (member, value) in [
        ("email", "zarquent0polis77@example.com"),
        ("email", "ann@zarquent0polis77.com"),
        ("username", "ZARQUENT0polis77"),
        ("display_name", "Zarquent0polis77"),
        ("display_name", "Dr Zarquent0polis77 Lee"),
    ] {
        known(member, value)
            .await
            .invalid(&[("/password", "too_weak")]);
    }
    known("display_name", "Ann Lee").await.is(201);
}

#[actix_web::test]
async fn the_operator_sets_the_least_length_and_strength() {
    let app = TestApp::with(|config| {
        config.passwords.min_length = 8;
        config.passwords.min_strength = 0;
    })
    .await;
    sign_up(&app, "ann@example.com", "aaaaaaa")
        .await
        .invalid(&[("/password", "too_short")]);
    let answer = app.request(reqwest::Method::POST, "/v1/auth/signup");
    let answer = answer.json(&json!({ "email": "ann@example.com", "password": "aaaaaaaa" }));
    // `openapi.yaml` tells the defaults, so this answer is not held to it.
    assert_eq!(answer.send().await.unwrap().status(), 201);
}

#[actix_web::test]
async fn a_password_is_kept_as_argon2id_with_the_parameters_configured() {
    let app = TestApp::with(|config| {
        config.passwords.argon2 = Argon2 {
            memory_kib: 7168,
            iterations: 5,
            parallelism: 2,
        };
    })
    .await;
    for email in ["ann@example.com", "bob@example.com"] {
        app.sign_up(email).await;
    }
    let hashes = app
        .json("select json_agg(password_hash)::text from users")
        .await;
    let hashes = [0, 1].map(|n| hashes[n].as_str().unwrap().to_owned());
    assert_ne!(hashes[0], hashes[1], "a salt for each");
    for hash in hashes {
        let parts: Vec<&str> = hash.split('$').collect();
        assert_eq!(parts[..4], ["", "argon2id", "v=19", "m=7168,t=5,p=2"]);
        // 16 bytes of salt, 32 of hash.
        assert_eq!((parts[4].len(), parts[5].len(), parts.len()), (22, 43, 6));
    }
}
