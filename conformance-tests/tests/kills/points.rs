//! Dead at every place where one store has it and the other not yet, or nobody was answered yet.

use std::os::unix::process::ExitStatusExt;

use berth_storage::CRASH_POINTS;
use conformance_tests::Options;
use conformance_tests::stores::Stores;
use serde_json::Value;
use tokio::time::timeout;

use crate::user::Users;
use crate::{CONFIG, ONE_MACHINE, PATIENCE, SHARED, found};

/// The signal of a process that ended itself.
const ABORTED: i32 = rustix::process::Signal::ABORT.as_raw();

/// It dies at each place when it comes there for the first time, and for a later one.
#[expect(clippy::print_stdout, reason = "says how much it shows")]
async fn outlives_every_point(stores: Stores) {
    let mut berth = Options::default().stores(stores).config(CONFIG).start();
    let mut admin = berth.admin();
    let mut users = Users::new(&admin).await;
    assert!(berth.stop().success());
    for point in CRASH_POINTS {
        for time in [1, 3] {
            berth.set_environment(&[("BERTH_CRASH_AT", format!("{point}:{time}"))]);
            if berth.start_again_or_die() {
                admin = admin.reconnected();
                let dying = timeout(PATIENCE, users.work(&admin)).await;
                assert!(dying.is_ok(), "it comes to {point}");
            }
            assert_eq!(berth.await_end().signal(), Some(ABORTED), "it died at {point}");
            assert_eq!(found(&berth), Vec::<Value>::new(), "after it died at {point}, time {time}");
            berth.set_environment(&[]);
            berth.start_again();
            admin = admin.reconnected();
            users.check(&admin).await;
            assert!(berth.stop().success());
        }
    }
    println!("{} places: {} pushes and deletes", CRASH_POINTS.len(), users.acknowledged());
}

#[tokio::test]
async fn what_was_acknowledged_outlives_a_crash_between_bytes_and_rows_on_one_machine() {
    outlives_every_point(ONE_MACHINE).await;
}

#[tokio::test]
async fn what_was_acknowledged_outlives_a_crash_between_bytes_and_rows_on_postgresql_and_s3() {
    outlives_every_point(SHARED).await;
}
