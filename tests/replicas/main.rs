//! Several Keywards on one database, behind nginx as `docs/operations.md` has it. It needs nginx:
//! `cargo test --test replicas` runs it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]
#![expect(
    clippy::disallowed_methods,
    reason = "tests ask the database what no caller can"
)]

#[expect(dead_code, reason = "the tests of the process use the rest of it")]
#[path = "../process/keyward.rs"]
mod keyward;
mod load;
mod nginx;
mod person;
mod world;

use load::Load;
use person::Habit;
use serde_json::json;
use world::World;

/// How often each replica is restarted.
const ROUNDS: usize = 2;

#[tokio::test]
async fn what_one_replica_ends_the_other_refuses_at_once() {
    let world = World::start(0, &[]).await;
    for (nth, other) in [(0, 1), (1, 0)] {
        let (one, other) = (world.replica(nth), world.replica(other));
        let email = format!("ann{nth}@example.com");
        let body = json!({ "email": email, "password": keyward::PASSWORD });
        let (status, session) = one.post("/v1/auth/signup", &body).await;
        assert_eq!(status, 201);
        let access = &session["access_token"];
        assert_eq!(other.get("/v1/me", access).await, 200);
        one.post_as(access, "/v1/auth/logout", &json!({})).await;
        assert_eq!(other.get("/v1/me", access).await, 401);
        let (status, refused) = other.refresh(&session["refresh_token"]).await;
        assert_eq!(
            (status, &refused["code"]),
            (401, &json!("refresh_token_invalid"))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_under_load_loses_no_request() {
    // Every refresh rotates, and one that were sent twice would be taken for theft.
    let mut world = World::start(1, &[("KEYWARD_REFRESH_GRACE", "0s")]).await;
    let load = Load::start(&world.url(), Habit::Everything);
    for _ in 0..ROUNDS {
        for replica in 0..world::REPLICAS {
            load.everybody_goes_round().await;
            world.restart(replica).await;
        }
    }
    load.everybody_goes_round().await;
    load.stop().await;
    world.assert_all_have_served();
    let ended = "select count(*) from security_events where event = 'refresh_token_reused'";
    assert_eq!(world.count(ended).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_is_killed_costs_nothing_that_asking_again_does_not_mend() {
    let mut world = World::start(2, &[]).await;
    let load = Load::start(&world.url(), Habit::AskingAgain);
    for replica in 0..world::REPLICAS {
        load.everybody_goes_round().await;
        world.kill(replica);
        load.everybody_goes_round().await;
        world.start_again(replica).await;
    }
    load.everybody_goes_round().await;
    load.stop().await;
}
