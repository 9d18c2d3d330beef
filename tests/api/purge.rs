//! What is over is deleted in small transactions that wait for nobody.

use serde_json::json;

use crate::support::TestApp;

/// Rows that a transaction deletes at most.
const BATCH: u64 = 100;
const OVER: u64 = 203;

/// Writes down how many rows each statement deletes, and in which transaction.
const WITNESS: &str = "create table deleted (transaction xid8 not null, count bigint not null);
    create function witness() returns trigger language plpgsql as $$ begin
        insert into public.deleted select pg_current_xact_id(), count(*) from gone;
        return null;
    end $$;
    create trigger witness after delete on sessions referencing old table as gone
        for each statement execute function witness();
    create trigger witness after delete on security_events referencing old table as gone
        for each statement execute function witness()";

const OLD: &str = "insert into sessions (id, user_id, transport, auth_methods, created_at, last_seen_at, rotated_at,
        absolute_expires_at, current_digest)
    select gen_random_uuid(), u.id, 'body', '{pwd}', at, at, at, at, sha256('')
    from users u, generate_series(1, 203) n, lateral (select now() - interval '2 years' + n * interval '1 s' as at) t;
    insert into security_events (id, event, outcome, created_at)
    select (lpad(to_hex(n), 12, '0') || '7000' || '8000' || lpad('', 12, '0'))::uuid, 'logged_in', 'success',
        now() - interval '2 years' from generate_series(1, 203) n";

#[actix_web::test]
async fn what_is_over_is_deleted_in_small_transactions() {
    let app = TestApp::start().await;
    app.sign_up("ann@example.com").await;
    app.tamper(OLD).await;
    app.tamper(WITNESS).await;
    let services = &app.app.services;
    assert_eq!(services.sessions.purge().await.unwrap(), OVER);
    assert_eq!(services.security_events.purge().await.unwrap(), OVER);
    let batches = "select json_agg(count)::text from (
        select sum(count) as count from deleted group by transaction having sum(count) > 0 order by transaction) b";
    let last = OVER - 2 * BATCH;
    assert_eq!(
        app.json(batches).await,
        json!([BATCH, BATCH, last, BATCH, BATCH, last])
    );
}

#[actix_web::test]
async fn what_somebody_holds_is_left_for_the_next_time() {
    let app = TestApp::start().await;
    app.sign_up("ann@example.com").await;
    app.tamper(OLD).await;
    let services = &app.app.services;
    let mut held = app.sql.begin().await.unwrap();
    let hold = "select from sessions order by absolute_expires_at limit 3 for update";
    sqlx::raw_sql(hold).execute(&mut *held).await.unwrap();
    assert_eq!(services.sessions.purge().await.unwrap(), OVER - 3);
    held.commit().await.unwrap();
    assert_eq!(services.sessions.purge().await.unwrap(), 3);
    assert_eq!(app.count("select count(*) from sessions").await, 1);
}
