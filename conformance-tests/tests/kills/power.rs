//! The power of the disk is cut: whatever was written and not made durable is gone, and so are names.

use std::time::Duration;

use conformance_tests::Options;
use conformance_tests::content::Blob;
use conformance_tests::frail_disk::FrailDisk;
use conformance_tests::small_disk::may_mount;
use serde_json::Value;

use crate::user::Users;
use crate::{CONFIG, ONE_MACHINE, found, times};

#[tokio::test]
async fn what_was_acknowledged_outlives_a_power_cut() {
    if !may_mount() {
        return;
    }
    let mut disk = FrailDisk::new();
    let options = Options::default().stores(ONE_MACHINE).config(CONFIG);
    let mut berth = options.data(&disk.data()).start();
    let mut admin = berth.admin();
    let mut users = Users::new(&admin).await;
    let mut random = fastrand::Rng::with_seed(12);
    let cuts = times("BERTH_CUTS", 25);
    for _ in 0..cuts {
        let cutting = async {
            tokio::time::sleep(Duration::from_millis(random.u64(1..600))).await;
            berth.kill();
        };
        tokio::join!(users.work(&admin), cutting);
        disk.cut_power();
        assert_eq!(found(&berth), Vec::<Value>::new());
        berth.start_again();
        admin = admin.reconnected();
        users.check(&admin).await;
    }
    let acknowledged = users.acknowledged();
    println!("{cuts} power cuts: {acknowledged} pushes and deletes were acknowledged and are so");
    assert!(acknowledged > cuts as u64, "{acknowledged} in all: too few to show anything");
}

/// What the test above would see of a server that makes nothing durable.
#[tokio::test]
async fn a_power_cut_takes_what_was_not_made_durable() {
    if !may_mount() {
        return;
    }
    let mut disk = FrailDisk::new();
    let options = Options::default().stores(ONE_MACHINE).env("LD_PRELOAD", "libeatmydata.so");
    let mut berth = options.data(&disk.data()).start();
    let admin = berth.admin();
    admin.repository("team/app").await.push_image("latest", &Blob::random(1, 100_000)).await;
    berth.kill();
    disk.cut_power();
    berth.start_again();
    let admin = berth.admin();
    admin.repository("team/app").await.get("/manifests/latest").await.assert(404);
}
