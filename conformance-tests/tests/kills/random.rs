//! Killed at random moments.

use std::time::Duration;

use conformance_tests::Options;
use conformance_tests::stores::Stores;
use serde_json::Value;

use crate::user::Users;
use crate::{CONFIG, ONE_MACHINE, SHARED, found, times};

#[expect(clippy::print_stdout, reason = "says how much it shows")]
async fn outlives(kills: usize, within: Duration, stores: Stores) {
    let mut berth = Options::default().stores(stores).config(CONFIG).start();
    let mut admin = berth.admin();
    let mut users = Users::new(&admin).await;
    let mut random = fastrand::Rng::with_seed(11);
    for kill in 0..kills {
        let killing = async {
            tokio::time::sleep(within.mul_f64(random.f64())).await;
            berth.kill();
        };
        tokio::join!(users.work(&admin), killing);
        if kill % 20 == 19 {
            assert_eq!(found(&berth), Vec::<Value>::new(), "after {kill} kills");
        }
        berth.start_again();
        admin = admin.reconnected();
        users.check(&admin).await;
    }
    let acknowledged = users.acknowledged();
    println!("{kills} kills: {acknowledged} pushes and deletes were acknowledged and are so");
    assert!(acknowledged > kills as u64, "{acknowledged} in all: too few to show anything");
    assert!(berth.stop().success());
    assert_eq!(found(&berth), Vec::<Value>::new());
    berth.start_again();
    users.check(&admin.reconnected()).await;
}

#[tokio::test]
async fn what_was_acknowledged_outlives_kills_on_one_machine() {
    outlives(times("BERTH_KILLS", 60), Duration::from_millis(400), ONE_MACHINE).await;
}

#[tokio::test]
async fn what_was_acknowledged_outlives_kills_on_postgresql_and_s3() {
    outlives(times("BERTH_KILLS", 40), Duration::from_millis(1200), SHARED).await;
}
