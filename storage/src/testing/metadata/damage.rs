//! Damage: found by the scrub, shown to nobody, healed by the next push.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use berth_oci::Digest;

use super::{House, Make, name, reference};
use crate::testing::{digest_of, image, push_blob, push_image, read_blob, rows};
use crate::{Actor, BlobStore, Error, FullSpeed, Scrubbed, Sparse, Value};

const DAY: Duration = Duration::from_secs(24 * 3600);

impl House {
    /// The file that holds a blob's bytes.
    async fn file_of(&self, digest: &Digest) -> PathBuf {
        let sql = "SELECT location FROM blobs WHERE digest = $1";
        let found = rows(&self.registry, sql, vec![Value::from(digest.as_str())]).await.unwrap();
        self.folder.path().join("blobs").join(found[0].text(0).unwrap())
    }

    async fn spoil(&self, digest: &Digest) {
        let file = self.file_of(digest).await;
        let mut bytes = fs::read(&file).unwrap();
        bytes[0] ^= 1;
        fs::write(&file, bytes).unwrap();
    }

    /// A whole round of the scrub.
    async fn scrub(&self) -> Scrubbed {
        let mut all = Scrubbed::default();
        loop {
            let step = self.registry.scrub(DAY, &mut FullSpeed).await.unwrap();
            if step.blobs == 0 {
                return all;
            }
            all.blobs += step.blobs;
            all.bytes += step.bytes;
            all.damaged += step.damaged;
            all.sound_again += step.sound_again;
        }
    }

    async fn is_shown(&self, digest: &Digest) -> bool {
        self.registry.blob_to_count_on(&name("app"), digest).await.unwrap().is_some()
    }
}

async fn house_with_image(make: &impl Make) -> House {
    let house = House::open(make).await;
    // As a server does at its start: without its id a blob store may be an empty folder.
    house.registry.join_stores().await.unwrap();
    push_image(&house.registry, &name("app"), &[b"config", b"layer"], &["latest"]).await.unwrap();
    house
}

pub async fn sound_blobs_pass_the_scrub(make: impl Make) {
    let house = house_with_image(&make).await;
    let scrubbed = house.scrub().await;
    assert_eq!(scrubbed, Scrubbed { blobs: 2, bytes: 11, damaged: 0, sound_again: 0 });
    assert!(house.is_shown(&digest_of(b"layer")).await);
}

pub async fn a_blob_with_other_bytes_is_not_shown_until_it_is_pushed_again(make: impl Make) {
    let house = house_with_image(&make).await;
    let layer = digest_of(b"layer");
    house.spoil(&layer).await;
    assert_eq!(house.scrub().await.damaged, 1);
    assert_eq!(house.registry.damaged_blobs().await.unwrap(), 1);
    assert!(!house.is_shown(&layer).await);
    let why = house.registry.why_not_shown(&name("app"), &layer).await.unwrap();
    assert!(matches!(why, Error::BlobDamaged(digest) if digest == layer));
    assert!(house.is_shown(&digest_of(b"config")).await);
    push_blob(&house.registry, &name("other"), b"layer").await.unwrap();
    assert_eq!(house.registry.damaged_blobs().await.unwrap(), 0);
    let read = read_blob(&house.registry, &name("app"), &layer).await.unwrap();
    assert_eq!(read.as_deref(), Some(&b"layer"[..]));
}

pub async fn a_shortened_and_a_missing_blob_are_found_too(make: impl Make) {
    let house = house_with_image(&make).await;
    fs::write(house.file_of(&digest_of(b"layer")).await, b"lay").unwrap();
    fs::remove_file(house.file_of(&digest_of(b"config")).await).unwrap();
    assert_eq!(house.scrub().await.damaged, 2);
    assert!(!house.is_shown(&digest_of(b"layer")).await);
    assert!(!house.is_shown(&digest_of(b"config")).await);
}

pub async fn a_pull_that_finds_nothing_marks_the_blob(make: impl Make) {
    let house = house_with_image(&make).await;
    let layer = digest_of(b"layer");
    fs::remove_file(house.file_of(&layer).await).unwrap();
    let refused = read_blob(&house.registry, &name("app"), &layer).await;
    assert!(matches!(refused, Err(Error::BlobDamaged(digest)) if digest == layer));
    assert!(!house.is_shown(&layer).await);
}

pub async fn a_blob_store_that_is_not_there_is_no_damage(make: impl Make) {
    let house = house_with_image(&make).await;
    let (here, away) = (house.folder.path().join("blobs"), house.folder.path().join("away"));
    fs::rename(&here, &away).unwrap();
    fs::create_dir_all(here.join("uploads")).unwrap();
    let refused = house.registry.scrub(DAY, &mut FullSpeed).await.unwrap_err();
    assert!(refused.to_string().contains("the whole blob store is empty"), "{refused}");
    assert_eq!(house.registry.damaged_blobs().await.unwrap(), 0);
}

pub async fn a_marked_blob_that_is_sound_loses_its_mark(make: impl Make) {
    let house = house_with_image(&make).await;
    let layer = digest_of(b"layer");
    let file = house.file_of(&layer).await;
    fs::rename(&file, file.with_extension("aside")).unwrap();
    house.scrub().await;
    assert!(!house.is_shown(&layer).await);
    fs::rename(file.with_extension("aside"), &file).unwrap();
    house.clock.advance(DAY);
    assert_eq!(house.scrub().await.sound_again, 1);
    assert!(house.is_shown(&layer).await);
}

pub async fn a_manifest_that_names_a_damaged_blob_is_refused_until_that_is_pushed_again(make: impl Make) {
    let house = house_with_image(&make).await;
    let (app, actor, layer) = (name("app"), Actor::default(), digest_of(b"layer"));
    house.spoil(&layer).await;
    house.scrub().await;
    let known = image(&[digest_of(b"config"), digest_of(b"layer")]);
    let new = image(&[digest_of(b"layer")]);
    for pushed in [known.pushed(&app, &["again"]), new.pushed(&app, &["new"])] {
        let refused = house.registry.put_manifest(pushed, &actor).await;
        assert!(matches!(refused, Err(Error::ManifestBlobUnknown(digest)) if digest == layer));
    }
    assert!(house.registry.manifest(&app, &reference("again")).await.unwrap().is_none());
    assert!(house.registry.manifest(&app, &reference("latest")).await.unwrap().is_some());
    push_blob(&house.registry, &app, b"layer").await.unwrap();
    for pushed in [known.pushed(&app, &["again"]), new.pushed(&app, &["new"])] {
        house.registry.put_manifest(pushed, &actor).await.unwrap();
    }
}

pub async fn a_damaged_blob_may_be_named_where_absent_ones_may(make: impl Make) {
    let house = house_with_image(&make).await;
    house.spoil(&digest_of(b"layer")).await;
    house.scrub().await;
    let mut pushed = image(&[digest_of(b"layer")]).pushed(&name("app"), &["sparse"]);
    pushed.sparse = Sparse::Allowed;
    house.registry.put_manifest(pushed, &Actor::default()).await.unwrap();
}

pub async fn a_round_begins_no_sooner_than_it_is_due(make: impl Make) {
    let house = house_with_image(&make).await;
    assert_eq!(house.scrub().await.blobs, 2);
    house.clock.advance(DAY - Duration::from_secs(1));
    assert_eq!(house.scrub().await.blobs, 0);
    house.clock.advance(Duration::from_secs(1));
    assert_eq!(house.scrub().await.blobs, 2);
}

pub async fn a_round_goes_on_where_the_last_process_left_it(make: impl Make) {
    let house = House::open(&make).await;
    house.registry.join_stores().await.unwrap();
    for number in 0..100u32 {
        push_blob(&house.registry, &name("app"), &number.to_le_bytes()).await.unwrap();
    }
    assert_eq!(house.registry.scrub(DAY, &mut FullSpeed).await.unwrap().blobs, 64);
    let house = house.reopened(&make).await;
    assert_eq!(house.scrub().await.blobs, 36);
    assert!(house.registry.blob_store().fact("id").await.unwrap().is_some());
}
