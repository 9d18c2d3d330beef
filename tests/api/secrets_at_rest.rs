//! What the database holds is worth nothing to whoever reads it.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use serde_json::Value;

use crate::support::{PASSWORD, Person, TestApp};

/// Every row of every table as text; bytes in hexadecimal.
async fn dump(app: &TestApp) -> String {
    app.tamper(
        "create temp table lines (line text);
         do $$ declare found record; begin
             for found in select table_name as name from information_schema.tables
                          where table_schema = 'public' and table_type = 'BASE TABLE' loop
                 execute format('insert into pg_temp.lines select %L || row_to_json(t) from public.%I t',
                                found.name, found.name);
             end loop;
         end $$;
         create table dump as select string_agg(line, chr(10)) as text from lines;
         drop table lines",
    )
    .await;
    let text = app.json("select to_json(text)::text from dump").await;
    app.tamper("drop table dump").await;
    text.as_str().unwrap().to_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn spellings(secret: &[u8]) -> [String; 4] {
    let text = String::from_utf8_lossy(secret).into_owned();
    let (standard, url_safe) = (STANDARD.encode(secret), URL_SAFE_NO_PAD.encode(secret));
    [
        text,
        hex(secret),
        standard.trim_end_matches('=').to_owned(),
        url_safe,
    ]
}

/// What of a person's tokens must be nowhere: the tokens, and the parts that make them good.
fn secrets(person: &Person<'_>) -> Vec<Vec<u8>> {
    let refresh = URL_SAFE_NO_PAD.decode(&person.refresh_token[4..]).unwrap();
    let parts: Vec<&str> = person.access_token.split('.').collect();
    vec![
        PASSWORD.into(),
        person.refresh_token.clone().into(),
        person.refresh_token[4..].into(),
        refresh[20..52].into(),
        refresh[52..].into(),
        refresh,
        person.access_token.clone().into(),
        parts[2].into(),
        URL_SAFE_NO_PAD.decode(parts[2]).unwrap(),
    ]
}

// RFT-19
#[actix_web::test]
async fn no_secret_is_in_the_database_in_any_spelling() {
    let app = TestApp::start().await;
    let mut ann = app.sign_up("ann@example.com").await;
    let mut forbidden = secrets(&ann);
    for _ in 0..3 {
        app.advance(TimeDelta::seconds(31));
        ann.refresh().await;
        forbidden.extend(secrets(&ann));
    }
    forbidden.extend(secrets(&ann.log_in_again().await));
    let dump = dump(&app).await;
    for table in [
        "users",
        "sessions",
        "security_events",
        "keys",
        "_sqlx_migrations",
    ] {
        assert!(
            dump.contains(&format!("{table}{{")),
            "{table} is in the dump"
        );
    }
    for secret in &forbidden {
        for spelling in spellings(secret) {
            assert!(!dump.contains(&spelling), "{spelling}");
        }
    }
}

// RFT-19
#[actix_web::test]
async fn nothing_that_is_stored_is_good_as_a_token() {
    let app = TestApp::start().await;
    let mut ann = app.sign_up("ann@example.com").await;
    app.advance(TimeDelta::seconds(31));
    ann.refresh().await;
    let stored = app
        .json(
            "select json_agg(v)::text from (
                 select value as v from sessions s, jsonb_each_text(to_jsonb(s))
                 union all select value from users u, jsonb_each_text(to_jsonb(u))
                 union all select value from keys k, jsonb_each_text(to_jsonb(k))
                 union all select encode(b, 'base64') from sessions s,
                     unnest(array[current_digest, parent_digest, salt]) b) v
             where v is not null",
        )
        .await;
    let stored: Vec<&str> = stored
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert!(stored.len() > 30);
    for value in stored {
        let url_safe = value
            .replace('+', "-")
            .replace('/', "_")
            .replace(['=', '\n'], "");
        for token in [value.to_owned(), format!("kwr_{url_safe}")] {
            app.refresh(&token)
                .await
                .refused(401, "refresh_token_invalid");
            let mut thief = ann.clone();
            thief.access_token = token.replace('\n', "");
            thief.me().await.is(401);
        }
        assert_ne!(app.log_in("ann@example.com", value).await.status, 200);
    }
    ann.me().await.is(200);
}
