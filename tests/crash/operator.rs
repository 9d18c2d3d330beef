//! An operator who replaces keys beside the service, and whose command is killed as well.

use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::Duration;

use keyward::crypto::Purpose;

use crate::dice::Dice;
use crate::keyward::command;
use crate::world::World;

/// How many keys were added for sure, and how many perhaps.
pub(crate) async fn rotate_keys(world: Arc<World>, seed: u64) -> (u32, u32) {
    let mut dice = Dice::new(seed);
    let (mut sure, mut doubts) = (0, 0);
    while !world.is_over() {
        tokio::time::sleep(Duration::from_millis(800) + dice.moment(1600)).await;
        let mut child = rotate(&world, *dice.pick(Purpose::ALL));
        let killed = dice.one_in(2);
        if killed {
            tokio::time::sleep(dice.moment(150)).await;
            child.kill().unwrap();
        }
        let is_done = ended(&mut child).await;
        (sure, doubts) = (sure + u32::from(is_done), doubts + u32::from(!is_done));
        let fate = match (is_done, killed) {
            (true, _) => "done",
            (false, true) => "killed",
            (false, false) => "not done",
        };
        world
            .report
            .with(|report| report.asked("keys rotate", fate.to_owned()));
    }
    (sure, doubts)
}

/// By the database's address, as beside another replica: where it is away, this fails and starts none.
fn rotate(world: &World, purpose: Purpose) -> Child {
    let mut command = command(&world.home);
    command
        .args(["keys", "rotate", purpose.as_str(), "--now"])
        .env("DATABASE_URL", &world.database_url)
        .env("KEYWARD_MASTER_KEY_FILE", ".keyward/master.key");
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

async fn ended(child: &mut Child) -> bool {
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.success();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
