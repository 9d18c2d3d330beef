//! The good path of a refresh is one statement with the rules in its conditions: it replaces a token exactly where
//! the judging function says so.

use chrono::{DateTime, TimeDelta, Utc};
use keyward::domain::{
    ClientInfo, Clock, HeldToken, RefreshRules, SessionId, ShownToken, SystemClock, Transport,
    Verdict, judge,
};
use keyward::repositories::{Db, Rotation};
use uuid::Uuid;

use crate::support::TestApp;

const OTHER: [u8; 32] = [9; 32];

/// A row as it might be, and a token as it might be shown.
struct Case {
    held: HeldToken,
    shown: ShownToken,
}

fn held(now: DateTime<Utc>, age: i64, rotated: bool) -> HeldToken {
    HeldToken {
        generation: i32::from(rotated),
        current: [2; 32],
        parent: rotated.then_some([1; 32]),
        rotated_at: now - TimeDelta::seconds(age),
        seen: false,
        transport: Transport::Body,
        ended: false,
        absolute_expires_at: now + TimeDelta::days(1),
        user_disabled: false,
    }
}

fn rows(now: DateTime<Utc>) -> impl Iterator<Item = HeldToken> {
    let week = TimeDelta::days(7).num_seconds();
    let ages = [-600, -1, 0, 1, 29, 30, 31, 9000, week - 1, week, week + 1];
    ages.into_iter()
        .flat_map(move |age| [held(now, age, false), held(now, age, true)])
}

/// The row, and what else could be true of it.
fn variants(row: HeldToken, now: DateTime<Utc>) -> [HeldToken; 6] {
    let like = || row.clone();
    [
        HeldToken {
            ended: true,
            ..like()
        },
        HeldToken {
            user_disabled: true,
            ..like()
        },
        HeldToken {
            transport: Transport::Cookie,
            ..like()
        },
        HeldToken {
            absolute_expires_at: now,
            ..like()
        },
        HeldToken {
            seen: true,
            ..like()
        },
        row,
    ]
}

fn cases(now: DateTime<Utc>) -> impl Iterator<Item = Case> {
    let held = rows(now).flat_map(move |row| variants(row, now));
    let shown = |digest| ShownToken {
        generation: 1,
        digest,
        transport: Transport::Body,
    };
    held.flat_map(move |held| {
        [[1; 32], [2; 32], OTHER].map(|digest| Case {
            held: held.clone(),
            shown: shown(digest),
        })
    })
}

/// Makes the row say what `held` says.
async fn put(app: &TestApp, held: &HeldToken) {
    let ended = held.ended.then_some(held.rotated_at);
    let statement = "with disabled as (update users set disabled_at = $10)
        update sessions set generation = $1, current_digest = $2, parent_digest = $3, salt = $3, rotated_at = $4,
            seen = $5, transport = $6, ended_at = $7, end_reason = $8, absolute_expires_at = $9";
    sqlx::query(statement)
        .bind(held.generation)
        .bind(held.current)
        .bind(held.parent)
        .bind(held.rotated_at)
        .bind(held.seen)
        .bind(held.transport.as_str())
        .bind(ended)
        .bind(ended.map(|_| "logged_out"))
        .bind(held.absolute_expires_at)
        .bind(held.user_disabled.then_some(held.rotated_at))
        .execute(&app.sql)
        .await
        .unwrap();
}

#[actix_web::test]
async fn the_statement_and_the_judgement_agree() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann@example.com").await;
    let id = SessionId::from(ann.session_id.parse::<Uuid>().unwrap());
    let db = Db::new(app.database_url()).unwrap();
    let now = SystemClock.now();
    let client = ClientInfo::default();
    let mut rotated = 0;
    for grace in [30, 0] {
        let (idle, grace) = (TimeDelta::days(7), TimeDelta::seconds(grace));
        let rules = RefreshRules {
            idle,
            grace,
            recovery: true,
        };
        for Case { held, shown } in cases(now) {
            put(&app, &held).await;
            let (successor, salt) = ([3; 32], [4; 32]);
            let rotation = Rotation {
                id,
                shown: &shown,
                successor,
                salt,
                client: &client,
                now,
            };
            let done = db
                .conn()
                .await
                .unwrap()
                .sessions()
                .rotate(&rotation, &rules)
                .await
                .unwrap();
            let expected = judge(&held, &shown, &rules, now) == Verdict::Rotate;
            assert_eq!(done.is_some(), expected, "{held:?} {shown:?} {rules:?}");
            rotated += usize::from(expected);
        }
    }
    assert!(
        rotated > 20,
        "{rotated} cases rotate: the table shows nothing"
    );
}
