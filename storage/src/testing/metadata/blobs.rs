//! Blobs: kept once, shown by whoever was given them.

use std::time::Duration;

use berth_oci::Digest;
use futures_util::TryStreamExt;
use futures_util::future::BoxFuture;

use super::{House, Make, name, reference};
use crate::metadata::args;
use crate::testing::{digest_of, push_blob, push_image, read_blob};
use crate::{Actor, Creation, Error, Tx};

impl House {
    async fn push_blob(&self, repository: &str, bytes: &str) -> Digest {
        push_blob(&self.registry, &name(repository), bytes.as_bytes()).await.unwrap()
    }

    async fn shows(&self, repository: &str, digest: &Digest) -> bool {
        self.registry.blob(&name(repository), digest).await.unwrap().is_some()
    }

    async fn mount(&self, source: &str, target: &str, digest: &Digest) -> Result<bool, Error> {
        let (source, target, actor) = (name(source), name(target), Actor::default());
        self.registry.mount(&target, &source, digest, Creation::Allowed, &actor).await
    }

    async fn damage(&self, digest: &Digest) {
        self.registry.metadata().write(digest.clone(), damage).await.unwrap();
    }
}

fn damage<'t>(tx: &'t mut Tx<'_>, digest: &'t Digest) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(
        async move { Ok(tx.run("UPDATE blobs SET damaged_at = 1 WHERE digest = $1", args![digest]).await?) },
    )
}

pub async fn a_blob_is_shown_by_its_own_repository_alone(make: impl Make) {
    let house = House::open(&make).await;
    let digest = house.push_blob("one", "content").await;
    house.push_blob("other", "something else").await;
    assert_eq!(house.registry.blob(&name("one"), &digest).await.unwrap().unwrap().size, 7);
    assert!(!house.shows("other", &digest).await);
    assert!(!house.shows("nowhere", &digest).await);
    assert!(!house.shows("one", &digest_of(b"never pushed")).await);
}

pub async fn the_same_bytes_pushed_twice_are_kept_once(make: impl Make) {
    let house = House::open(&make).await;
    let digest = house.push_blob("one", "content").await;
    assert_eq!(house.push_blob("other", "content").await, digest);
    assert_eq!(house.push_blob("one", "content").await, digest);
    assert_eq!(house.number("SELECT COUNT(*) FROM blobs").await, 1);
    assert_eq!(house.registry.sweep().await.unwrap().removed, 2);
    let found: Vec<_> = crate::BlobStore::list(house.registry.blob_store()).try_collect().await.unwrap();
    assert_eq!(found.len(), 1);
    for repository in ["one", "other"] {
        let read = read_blob(&house.registry, &name(repository), &digest).await.unwrap();
        assert_eq!(read.as_deref(), Some(&b"content"[..]), "{repository}");
    }
}

pub async fn a_mounted_blob_is_shown_by_both(make: impl Make) {
    let house = House::open(&make).await;
    let digest = house.push_blob("one", "content").await;
    assert!(house.mount("one", "other", &digest).await.unwrap());
    for repository in ["one", "other"] {
        let read = read_blob(&house.registry, &name(repository), &digest).await.unwrap();
        assert_eq!(read.as_deref(), Some(&b"content"[..]), "{repository}");
    }
}

pub async fn mounting_twice_does_no_harm(make: impl Make) {
    let house = House::open(&make).await;
    let digest = house.push_blob("one", "content").await;
    for (source, target) in [("one", "other"), ("one", "other"), ("other", "one"), ("one", "one")] {
        assert!(house.mount(source, target, &digest).await.unwrap(), "{source} {target}");
    }
    assert_eq!(house.number("SELECT COUNT(*) FROM repository_blobs").await, 2);
}

pub async fn what_the_source_does_not_show_is_not_mounted_and_makes_no_repository(make: impl Make) {
    let house = House::open(&make).await;
    let digest = house.push_blob("one", "content").await;
    house.push_blob("empty-handed", "something else").await;
    for source in ["empty-handed", "nowhere"] {
        assert!(!house.mount(source, "other", &digest).await.unwrap(), "{source}");
    }
    assert!(!house.shows("other", &digest).await);
    let repositories = house.registry.repositories("", 10).await.unwrap().items;
    assert_eq!(repositories, [name("empty-handed"), name("one")]);
}

pub async fn a_mount_to_a_repository_that_may_not_be_made_is_refused(make: impl Make) {
    let house = House::open(&make).await;
    let digest = house.push_blob("one", "content").await;
    let (source, target, actor) = (name("one"), name("other"), Actor::default());
    let refused = house.registry.mount(&target, &source, &digest, Creation::Refused, &actor).await;
    assert!(matches!(refused, Err(Error::RepositoryUnknown(unknown)) if unknown == target));
}

pub async fn holders_are_listed_in_order_page_by_page(make: impl Make) {
    let house = House::open(&make).await;
    let digest = house.push_blob("c", "content").await;
    for target in ["a/b", "d", "a-b", "b"] {
        assert!(house.mount("c", target, &digest).await.unwrap());
    }
    house.push_blob("not-among-them", "something else").await;
    let all = house.registry.holders(&digest, "", 10).await.unwrap();
    assert_eq!(all, ["a-b", "a/b", "b", "c", "d"].map(name));
    assert_eq!(house.registry.holders(&digest, "a/b", 2).await.unwrap(), ["b", "c"].map(name));
    assert_eq!(house.registry.holders(&digest, "d", 2).await.unwrap(), []);
}

pub async fn a_deleted_blob_is_gone_from_its_repository_alone(make: impl Make) {
    let house = House::open(&make).await;
    let digest = house.push_blob("one", "content").await;
    house.mount("one", "other", &digest).await.unwrap();
    house.registry.delete_blob(&name("one"), &digest, &Actor::default()).await.unwrap();
    assert!(!house.shows("one", &digest).await);
    assert!(house.shows("other", &digest).await);
}

pub async fn deleting_a_blob_that_is_not_there_says_so(make: impl Make) {
    let house = House::open(&make).await;
    let digest = house.push_blob("one", "content").await;
    house.push_blob("other", "something else").await;
    house.registry.delete_blob(&name("one"), &digest, &Actor::default()).await.unwrap();
    for repository in ["one", "other", "nowhere"] {
        let refused = house.registry.delete_blob(&name(repository), &digest, &Actor::default()).await;
        assert!(matches!(refused, Err(Error::BlobUnknown(unknown)) if unknown == digest), "{repository}");
    }
}

pub async fn a_blob_that_a_manifest_names_is_not_deleted(make: impl Make) {
    let house = House::open(&make).await;
    let image = push_image(&house.registry, &name("one"), &[b"config", b"layer"], &["latest"]).await.unwrap();
    for bytes in [&b"config"[..], b"layer"] {
        let refused = house.registry.delete_blob(&name("one"), &digest_of(bytes), &Actor::default()).await;
        let Err(Error::BlobInUse { blob, manifest }) = refused else { panic!("{refused:?}") };
        assert_eq!((blob, manifest), (digest_of(bytes), image.digest()));
        assert!(house.shows("one", &digest_of(bytes)).await);
    }
}

pub async fn a_blob_that_only_deleted_manifests_name_is_deleted(make: impl Make) {
    let house = House::open(&make).await;
    let (one, actor) = (name("one"), Actor::default());
    let first = push_image(&house.registry, &one, &[b"config", b"layer"], &["latest"]).await.unwrap();
    let second = push_image(&house.registry, &one, &[b"layer", b"other"], &["other"]).await.unwrap();
    let layer = digest_of(b"layer");
    house.registry.delete_manifest(&one, &reference(first.digest().as_str()), &actor).await.unwrap();
    let refused = house.registry.delete_blob(&one, &layer, &Actor::default()).await;
    assert!(matches!(refused, Err(Error::BlobInUse { manifest, .. }) if manifest == second.digest()));
    house.registry.delete_manifest(&one, &reference(second.digest().as_str()), &actor).await.unwrap();
    house.registry.delete_blob(&one, &layer, &Actor::default()).await.unwrap();
    assert!(!house.shows("one", &layer).await);
}

pub async fn a_damaged_blob_is_neither_shown_nor_mounted(make: impl Make) {
    let house = House::open(&make).await;
    let digest = house.push_blob("one", "content").await;
    house.damage(&digest).await;
    assert!(!house.shows("one", &digest).await);
    assert!(!house.mount("one", "other", &digest).await.unwrap());
}

pub async fn the_next_push_brings_a_damaged_blob_back(make: impl Make) {
    let house = House::open(&make).await;
    let image = push_image(&house.registry, &name("one"), &[b"config"], &["latest"]).await.unwrap();
    let digest = digest_of(b"config");
    house.damage(&digest).await;
    house.push_blob("other", "config").await;
    house.clock.advance(Duration::from_secs(1));
    // The damaged bytes go, the new ones stay.
    assert_eq!(house.registry.sweep().await.unwrap().removed, 1);
    for repository in ["one", "other"] {
        let read = read_blob(&house.registry, &name(repository), &digest).await.unwrap();
        assert_eq!(read.as_deref(), Some(&b"config"[..]), "{repository}");
    }
    let found = house.registry.manifest(&name("one"), &reference("latest")).await.unwrap();
    assert_eq!(found.unwrap().digest, image.digest());
}
