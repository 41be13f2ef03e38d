//! Collection: what nobody needs goes in its time, and nothing else.

use std::time::Duration;

use berth_oci::Digest;

use super::{House, Make, name, reference};
use crate::testing::{Image, artifact, digest_of, image, index, push_blob, push_image, read_blob};
use crate::{Actor, Creation, Error, Forecast, Images, Swept};

const HOUR: Duration = Duration::from_secs(3600);
pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);
/// As much as is left of nothing: the delays of the suite are a day and thirty.
const NOTHING: Swept = Swept {
    expired_uploads: 0,
    removed: 0,
    manifests: 0,
    blobs: 0,
    bytes: 0,
    repositories: 0,
    audit_records: 0,
};

impl House {
    pub(super) async fn pushes_blob(&self, repository: &str, bytes: &str) -> Digest {
        push_blob(&self.registry, &name(repository), bytes.as_bytes()).await.unwrap()
    }

    pub(super) async fn pushes(&self, repository: &str, blobs: &[&str], tags: &[&str]) -> Image {
        let blobs: Vec<&[u8]> = blobs.iter().map(|blob| blob.as_bytes()).collect();
        push_image(&self.registry, &name(repository), &blobs, tags).await.unwrap()
    }

    pub(super) async fn puts(&self, repository: &str, image: &Image, tags: &[&str]) {
        self.registry.put_manifest(image.pushed(&name(repository), tags), &Actor::default()).await.unwrap();
    }

    pub(super) async fn deletes(&self, repository: &str, what: &str) {
        self.registry.delete_manifest(&name(repository), &reference(what), &Actor::default()).await.unwrap();
    }

    /// What goes when so much time has passed.
    pub(super) async fn after(&self, time: Duration) -> Swept {
        self.clock.advance(time);
        self.registry.sweep().await.unwrap()
    }

    /// The same, of which only the blobs and manifests count.
    async fn gone_after(&self, time: Duration) -> (u64, u64) {
        let swept = self.after(time).await;
        (swept.manifests, swept.blobs)
    }

    async fn has_blob(&self, repository: &str, digest: &Digest) -> bool {
        read_blob(&self.registry, &name(repository), digest).await.unwrap().is_some()
    }

    pub(super) async fn has(&self, repository: &str, image: &Image) -> bool {
        // By a look at the rows: to ask the registry would keep it longer.
        let sql = "SELECT 1 FROM manifests JOIN repositories ON repositories.id = manifests.repository_id
                   WHERE repositories.name = $1 AND manifests.digest = $2";
        let args = vec![(&name(repository)).into(), (&image.digest()).into()];
        !crate::testing::rows(&self.registry, sql, args).await.unwrap().is_empty()
    }

    async fn counts_on_blob(&self, repository: &str, digest: &Digest) -> bool {
        self.registry.blob_to_count_on(&name(repository), digest).await.unwrap().is_some()
    }

    async fn asks_for(&self, repository: &str, image: &Image) -> bool {
        self.registry
            .manifest(&name(repository), &reference(image.digest().as_str()))
            .await
            .unwrap()
            .is_some()
    }

    /// Fails unless nothing but tagged things and what they need is left, in rows and on the disk.
    async fn is_tidy(&self) {
        self.after(2 * HOUR).await;
        assert_eq!(self.number("SELECT COUNT(*) FROM condemned").await, 0);
        let blobs = self.number("SELECT COUNT(*) FROM blobs").await;
        let found: Vec<_> =
            futures_util::TryStreamExt::try_collect(crate::BlobStore::list(self.registry.blob_store()))
                .await
                .unwrap();
        assert_eq!(found.len(), usize::try_from(blobs).unwrap(), "what is on the disk is what rows name");
    }
}

pub async fn a_blob_that_nothing_names_goes_a_day_after_its_push(make: impl Make) {
    let house = House::open(&make).await;
    let blob = house.pushes_blob("app", "alone").await;
    assert_eq!(house.gone_after(DAY - HOUR).await, (0, 0));
    assert!(house.has_blob("app", &blob).await);
    let swept = house.after(HOUR).await;
    assert_eq!((swept.blobs, swept.bytes), (1, 5));
    assert!(!house.has_blob("app", &blob).await);
    house.is_tidy().await;
}

pub async fn the_bytes_of_a_collected_blob_stay_for_those_who_are_reading_them(make: impl Make) {
    let house = House::open(&make).await;
    let digest = house.pushes_blob("app", "read").await;
    let blob = house.registry.blob(&name("app"), &digest).await.unwrap().unwrap();
    assert_eq!(house.after(DAY).await, Swept { blobs: 1, bytes: 4, ..NOTHING });
    let range = crate::testing::whole(&blob);
    assert!(house.registry.read_blob(&blob, range).await.is_ok());
    assert_eq!(house.after(HOUR).await, Swept { removed: 1, ..NOTHING });
    assert!(house.registry.read_blob(&blob, range).await.is_err());
}

pub async fn a_blob_that_a_client_counts_on_is_kept_a_day_more(make: impl Make) {
    let house = House::open(&make).await;
    let blob = house.pushes_blob("app", "asked for").await;
    house.clock.advance(20 * HOUR);
    assert!(house.counts_on_blob("app", &blob).await);
    assert_eq!(house.gone_after(20 * HOUR).await, (0, 0));
    // Reading it is no promise.
    assert!(house.has_blob("app", &blob).await);
    assert_eq!(house.gone_after(4 * HOUR).await, (0, 1));
    assert!(!house.counts_on_blob("app", &blob).await);
}

pub async fn asking_early_writes_nothing(make: impl Make) {
    let house = House::open(&make).await;
    let blob = house.pushes_blob("app", "asked for").await;
    let before = house.number("SELECT CAST(SUM(review_after / 1000000) AS BIGINT) FROM reviews").await;
    house.clock.advance(11 * HOUR);
    assert!(house.counts_on_blob("app", &blob).await);
    assert_eq!(house.number("SELECT CAST(SUM(review_after / 1000000) AS BIGINT) FROM reviews").await, before);
}

pub async fn what_a_tag_leads_to_stays_for_ever(make: impl Make) {
    let house = House::open(&make).await;
    let tagged = house.pushes("app", &["config", "layer"], &["latest"]).await;
    let child = house.pushes("app", &["child's config"], &[]).await;
    let parent = index(&[child.descriptor()]);
    house.puts("app", &parent, &["all"]).await;
    house.pushes_blob("app", "{}").await;
    let referrer = artifact(&child.descriptor(), "a/b", "signed");
    house.puts("app", &referrer, &[]).await;
    for _ in 0..5 {
        assert_eq!(house.gone_after(100 * DAY).await, (0, 0));
    }
    for kept in [&tagged, &child, &parent, &referrer] {
        assert!(house.has("app", kept).await);
    }
    assert!(house.has_blob("app", &digest_of(b"layer")).await);
    house.is_tidy().await;
}

pub async fn a_deleted_image_goes_after_a_day_with_all_that_only_it_needs(make: impl Make) {
    let house = House::open(&make).await;
    let other = house.pushes("app", &["other's config", "shared"], &["other"]).await;
    let image = house.pushes("app", &["config", "shared", "own"], &["latest"]).await;
    house.after(10 * DAY).await;
    house.deletes("app", image.digest().as_str()).await;
    assert_eq!(house.gone_after(DAY - HOUR).await, (0, 0));
    let swept = house.after(HOUR).await;
    assert_eq!((swept.manifests, swept.blobs, swept.bytes), (1, 2, 9));
    assert!(house.has("app", &other).await && house.has_blob("app", &digest_of(b"shared")).await);
    assert!(!house.has_blob("app", &digest_of(b"own")).await);
    house.is_tidy().await;
}

pub async fn a_blob_of_two_repositories_loses_its_bytes_with_the_second(make: impl Make) {
    let house = House::open(&make).await;
    let image = house.pushes("one", &["config"], &["latest"]).await;
    house.pushes("two", &["config"], &["latest"]).await;
    house.deletes("one", image.digest().as_str()).await;
    assert_eq!(house.gone_after(DAY).await, (1, 0));
    assert!(!house.has_blob("one", &digest_of(b"config")).await);
    assert!(house.has_blob("two", &digest_of(b"config")).await);
    house.deletes("two", image.digest().as_str()).await;
    assert_eq!(house.gone_after(DAY).await, (1, 1));
    house.is_tidy().await;
}

pub async fn an_untagged_image_goes_after_thirty_days_and_its_blobs_a_day_later(make: impl Make) {
    let house = House::open(&make).await;
    let image = house.pushes("app", &["config"], &["latest"]).await;
    house.after(100 * DAY).await;
    house.deletes("app", "latest").await;
    assert_eq!(house.gone_after(30 * DAY - HOUR).await, (0, 0));
    assert_eq!(house.gone_after(HOUR).await, (1, 0));
    assert!(!house.has("app", &image).await);
    assert_eq!(house.gone_after(DAY).await, (0, 1));
    house.is_tidy().await;
}

pub async fn a_moved_tag_leaves_an_untagged_image_for_thirty_days(make: impl Make) {
    let house = House::open(&make).await;
    let old = house.pushes("app", &["old"], &["latest"]).await;
    house.after(DAY).await;
    let new = house.pushes("app", &["new"], &["latest"]).await;
    assert_eq!(house.gone_after(30 * DAY - HOUR).await, (0, 0));
    assert_eq!(house.gone_after(HOUR).await, (1, 0));
    assert!(house.has("app", &new).await && !house.has("app", &old).await);
}

pub async fn an_untagged_image_that_is_asked_for_or_pushed_again_stays_longer(make: impl Make) {
    let house = House::open(&make).await;
    let asked = house.pushes("app", &["asked"], &[]).await;
    let pushed = house.pushes("app", &["pushed"], &[]).await;
    house.clock.advance(30 * DAY - HOUR);
    assert!(house.asks_for("app", &asked).await);
    house.puts("app", &pushed, &[]).await;
    assert_eq!(house.gone_after(DAY - HOUR).await, (0, 0));
    assert_eq!(house.gone_after(HOUR).await, (1, 0));
    assert!(!house.asks_for("app", &asked).await);
    assert!(house.asks_for("app", &pushed).await);
}

pub async fn an_image_that_was_tagged_again_in_time_stays(make: impl Make) {
    let house = House::open(&make).await;
    let image = house.pushes("app", &["config"], &["old"]).await;
    house.deletes("app", "old").await;
    house.clock.advance(29 * DAY);
    house.puts("app", &image, &["new"]).await;
    assert_eq!(house.gone_after(100 * DAY).await, (0, 0));
}

pub async fn untagged_images_stay_for_ever_where_that_is_said(make: impl Make) {
    let house = House::with(&make, |options| options.delays.untagged = None).await;
    let image = house.pushes("app", &["config"], &["latest"]).await;
    house.deletes("app", "latest").await;
    assert_eq!(house.gone_after(1000 * DAY).await, (0, 0));
    house.deletes("app", image.digest().as_str()).await;
    assert_eq!(house.gone_after(DAY).await, (1, 1));
}

pub async fn the_children_of_a_deleted_index_go_with_it_unless_something_else_holds_them(make: impl Make) {
    let house = House::open(&make).await;
    let alone = house.pushes("app", &["alone"], &[]).await;
    let tagged = house.pushes("app", &["tagged"], &["child"]).await;
    let shared = house.pushes("app", &["shared"], &[]).await;
    let first = index(&[alone.descriptor(), tagged.descriptor(), shared.descriptor()]);
    let second = index(&[shared.descriptor()]);
    house.puts("app", &first, &["first"]).await;
    house.puts("app", &second, &["second"]).await;
    house.after(100 * DAY).await;
    house.deletes("app", first.digest().as_str()).await;
    assert_eq!(house.gone_after(DAY).await, (2, 0));
    assert!(!house.has("app", &first).await && !house.has("app", &alone).await);
    // The child was there for everybody until now, and so is what it names for one day more.
    assert_eq!(house.gone_after(DAY).await, (0, 1));
    for kept in [&tagged, &shared, &second] {
        assert!(house.has("app", kept).await);
    }
    house.is_tidy().await;
}

pub async fn a_child_that_is_asked_for_outlives_its_index_by_a_day(make: impl Make) {
    let house = House::open(&make).await;
    let child = house.pushes("app", &["child"], &[]).await;
    let parent = index(&[child.descriptor()]);
    house.puts("app", &parent, &["latest"]).await;
    // Kept in memory as something that nothing threatens.
    assert!(house.asks_for("app", &child).await);
    house.deletes("app", parent.digest().as_str()).await;
    house.clock.advance(20 * HOUR);
    assert!(house.asks_for("app", &child).await);
    assert_eq!(house.gone_after(4 * HOUR).await, (1, 0));
    let again = index(&[child.descriptor()]);
    house.puts("app", &again, &["again"]).await;
    assert_eq!(house.gone_after(100 * DAY).await, (0, 0));
}

pub async fn referrers_go_with_their_subject_unless_they_have_a_tag(make: impl Make) {
    let house = House::open(&make).await;
    let subject = house.pushes("app", &["subject"], &["latest"]).await;
    house.pushes_blob("app", "{}").await;
    let signature = artifact(&subject.descriptor(), "a/b", "signature");
    let about_it = artifact(&signature.descriptor(), "a/b", "about the signature");
    let tagged = artifact(&subject.descriptor(), "a/b", "tagged");
    house.puts("app", &signature, &[]).await;
    house.puts("app", &about_it, &[]).await;
    house.puts("app", &tagged, &["signature"]).await;
    house.after(100 * DAY).await;
    house.deletes("app", subject.digest().as_str()).await;
    house.after(DAY).await;
    assert!(!house.has("app", &subject).await && !house.has("app", &signature).await);
    house.after(DAY).await;
    assert!(!house.has("app", &about_it).await);
    assert!(house.has("app", &tagged).await);
    house.is_tidy().await;
}

pub async fn a_referrer_whose_subject_never_came_is_an_untagged_manifest(make: impl Make) {
    let house = House::open(&make).await;
    house.pushes_blob("app", "{}").await;
    let waiting = artifact(&image(&[digest_of(b"never")]).descriptor(), "a/b", "waiting");
    house.puts("app", &waiting, &[]).await;
    assert_eq!(house.gone_after(30 * DAY - HOUR).await, (0, 0));
    assert_eq!(house.gone_after(HOUR).await, (1, 0));
}

pub async fn a_mounted_blob_has_a_day_of_its_own(make: impl Make) {
    let house = House::open(&make).await;
    let blob = house.pushes_blob("one", "mounted").await;
    house.clock.advance(DAY - HOUR);
    let (one, two, actor) = (name("one"), name("two"), Actor::default());
    let mounted = house.registry.mount(&two, &one, &blob, Creation::Allowed, &actor).await;
    assert!(mounted.unwrap());
    house.after(HOUR).await;
    assert!(!house.has_blob("one", &blob).await);
    assert!(house.has_blob("two", &blob).await);
    assert_eq!(house.gone_after(DAY).await, (0, 1));
}

pub async fn a_blob_that_was_deleted_loses_its_bytes_when_no_repository_holds_it(make: impl Make) {
    let house = House::open(&make).await;
    let blob = house.pushes_blob("app", "deleted").await;
    house.registry.delete_blob(&name("app"), &blob, &Actor::default()).await.unwrap();
    assert_eq!(house.number("SELECT COUNT(*) FROM blobs").await, 0);
    house.is_tidy().await;
}

pub async fn a_removed_repository_goes_after_a_day_and_a_new_one_of_its_name_stays(make: impl Make) {
    let house = House::open(&make).await;
    let child = house.pushes("app", &["child"], &[]).await;
    house.puts("app", &index(&[child.descriptor()]), &["all"]).await;
    house.pushes("app", &["config", "layer"], &["latest", "v1"]).await;
    house.registry.records().remove_repository(name("app"), Images::Removed, house.by()).await.unwrap();
    let new = house.pushes("app", &["new"], &["latest"]).await;
    assert_eq!(house.gone_after(DAY - HOUR).await, (0, 0));
    let swept = house.after(HOUR).await;
    assert_eq!((swept.repositories, swept.manifests, swept.blobs), (1, 3, 3));
    assert!(house.has("app", &new).await);
    assert_eq!(house.number("SELECT COUNT(*) FROM repositories").await, 1);
    assert_eq!(house.gone_after(100 * DAY).await, (0, 0));
    house.is_tidy().await;
}

pub async fn an_image_that_was_deleted_and_pushed_again_stays_whole(make: impl Make) {
    let house = House::open(&make).await;
    let image = house.pushes("app", &["config", "layer"], &["latest"]).await;
    house.deletes("app", image.digest().as_str()).await;
    house.clock.advance(DAY - HOUR);
    house.puts("app", &image, &["latest"]).await;
    assert_eq!(house.gone_after(100 * DAY).await, (0, 0));
    assert!(house.has_blob("app", &digest_of(b"layer")).await);
}

pub async fn what_is_not_due_is_not_looked_at(make: impl Make) {
    let house = House::open(&make).await;
    house.pushes("app", &["config"], &["latest"]).await;
    house.after(DAY).await;
    // Everything lives: nothing is left to be looked at, ever.
    assert_eq!(house.number("SELECT COUNT(*) FROM reviews").await, 0);
}

pub async fn what_is_forecast_is_what_goes(make: impl Make) {
    let house = House::open(&make).await;
    house.pushes_blob("one", "alone").await;
    let kept = house.pushes("one", &["kept", "shared"], &["latest"]).await;
    let deleted = house.pushes("one", &["deleted", "shared", "own"], &["old"]).await;
    let child = house.pushes("two", &["child"], &[]).await;
    let grandchild = house.pushes("two", &["grandchild"], &[]).await;
    let inner = index(&[grandchild.descriptor()]);
    house.puts("two", &inner, &[]).await;
    let outer = index(&[child.descriptor(), inner.descriptor()]);
    house.puts("two", &outer, &["all"]).await;
    house.pushes("two", &["own", "untagged"], &[]).await;
    house.pushes("three", &["shared", "three's"], &["latest"]).await;
    house.registry.records().remove_repository(name("three"), Images::Removed, house.by()).await.unwrap();
    house.deletes("one", deleted.digest().as_str()).await;
    house.deletes("two", "all").await;
    let forecast = house.registry.records().forecast().await.unwrap();
    let lost: Vec<_> = forecast
        .repositories
        .iter()
        .map(|repository| {
            (repository.name.as_str(), repository.manifests, repository.blobs, repository.bytes)
        })
        .collect();
    // "own" is in two of them, and goes from both.
    assert_eq!(lost, [("one", 1, 3, 15), ("three", 1, 2, 7), ("two", 5, 4, 26)]);
    assert_eq!((forecast.manifests, forecast.blobs, forecast.bytes), (7, 7, 45));
    assert_eq!(forecast.next, Some(house.clock.now().after(DAY)));
    let mut gone = Swept::default();
    for _ in 0..40 {
        let swept = house.after(DAY).await;
        gone.manifests += swept.manifests;
        gone.blobs += swept.blobs;
        gone.bytes += swept.bytes;
    }
    assert_eq!((gone.manifests, gone.blobs, gone.bytes), (7, 7, 45));
    assert!(house.has("one", &kept).await);
    assert_eq!(house.registry.records().forecast().await.unwrap(), Forecast::default());
    house.is_tidy().await;
}

pub async fn what_repositories_hold_is_told_alone_and_together(make: impl Make) {
    let house = House::open(&make).await;
    house.pushes("one", &["own", "shared"], &["latest"]).await;
    house.pushes("two", &["shared"], &["latest"]).await;
    house.pushes("three", &["shared", "removed"], &["latest"]).await;
    house.registry.records().remove_repository(name("three"), Images::Removed, house.by()).await.unwrap();
    let usage = house.registry.records().usage().await.unwrap();
    assert_eq!((usage.blobs, usage.bytes), (3, 16));
    let held = usage.repositories.iter().map(|one| (one.name.as_str(), one.blobs, one.bytes, one.shared));
    assert_eq!(held.collect::<Vec<_>>(), [("one", 2, 9, 6), ("two", 1, 6, 6)]);
}

pub async fn a_deleted_manifest_comes_back_with_the_tags_that_went_with_it(make: impl Make) {
    let house = House::open(&make).await;
    let records = house.registry.records();
    let image = house.pushes("app", &["config"], &["latest", "v1"]).await;
    house.clock.advance(HOUR);
    house.deletes("app", image.digest().as_str()).await;
    let new = house.pushes("app", &["new"], &["latest"]).await;
    let deleted = records.deleted(name("app"), 10).await.unwrap();
    assert_eq!(deleted.len(), 1);
    assert_eq!((&deleted[0].digest, deleted[0].tags.len()), (&image.digest(), 2));
    assert_eq!(deleted[0].until, Some(house.clock.now().after(DAY)));
    house.clock.advance(DAY - HOUR);
    let back = records.undelete(name("app"), reference(image.digest().as_str()), house.by()).await.unwrap();
    assert_eq!(back, image.digest());
    assert_eq!(records.deleted(name("app"), 10).await.unwrap(), []);
    house.after(100 * DAY).await;
    assert!(house.has("app", &image).await && house.has_blob("app", &digest_of(b"config")).await);
    // The tag that names something else by now stays with that.
    for (tag, image) in [("v1", &image), ("latest", &new)] {
        let found = house.registry.manifest(&name("app"), &reference(tag)).await.unwrap().unwrap();
        assert_eq!(found.digest, image.digest(), "{tag}");
    }
}

pub async fn a_deleted_tag_comes_back_to_what_it_named_last(make: impl Make) {
    let house = House::open(&make).await;
    let records = house.registry.records();
    house.pushes("app", &["first"], &["latest"]).await;
    let second = house.pushes("app", &["second"], &["latest"]).await;
    house.deletes("app", "latest").await;
    let deleted = records.deleted(name("app"), 10).await.unwrap();
    assert_eq!(deleted.len(), 1);
    assert_eq!(deleted[0].tag.as_ref().map(berth_oci::Tag::as_str), Some("latest"));
    let back = records.undelete(name("app"), reference("latest"), house.by()).await.unwrap();
    assert_eq!(back, second.digest());
    let again = records.undelete(name("app"), reference("latest"), house.by()).await;
    assert!(matches!(again, Err(Error::Missing(_))), "{again:?}");
}

pub async fn what_is_collected_comes_back_no_more(make: impl Make) {
    let house = House::open(&make).await;
    let records = house.registry.records();
    let image = house.pushes("app", &["config"], &["latest"]).await;
    house.deletes("app", image.digest().as_str()).await;
    house.after(DAY).await;
    for what in [image.digest().as_str(), "latest", "never"] {
        let back = records.undelete(name("app"), reference(what), house.by()).await;
        assert!(matches!(back, Err(Error::Missing(_))), "{back:?}");
    }
}

pub async fn a_removed_repository_comes_back_whole_or_not_at_all(make: impl Make) {
    let house = House::open(&make).await;
    let records = house.registry.records();
    let image = house.pushes("app", &["config"], &["latest"]).await;
    let untagged = house.pushes("app", &["untagged"], &[]).await;
    records.remove_repository(name("app"), Images::Removed, house.by()).await.unwrap();
    house.after(DAY - HOUR).await;
    records.undelete_repository(name("app"), house.by()).await.unwrap();
    house.after(DAY).await;
    assert!(house.has("app", &image).await && house.has("app", &untagged).await);
    let again = records.undelete_repository(name("app"), house.by()).await;
    assert!(matches!(again, Err(Error::Exists(_))), "{again:?}");
    assert_eq!(house.gone_after(30 * DAY).await, (1, 0));
    records.remove_repository(name("app"), Images::Removed, house.by()).await.unwrap();
    house.after(DAY).await;
    let gone = records.undelete_repository(name("app"), house.by()).await;
    assert!(matches!(gone, Err(Error::Missing(_))), "{gone:?}");
}

pub async fn the_history_of_a_tag_says_what_it_named_and_since_when(make: impl Make) {
    let house = House::open(&make).await;
    let first = house.pushes("app", &["first"], &["prod"]).await;
    house.clock.advance(DAY);
    let second = house.pushes("app", &["second"], &["prod"]).await;
    house.clock.advance(DAY);
    house.deletes("app", "prod").await;
    let tag = "prod".parse().unwrap();
    let history = house.registry.records().tag_history(name("app"), tag, 10).await.unwrap();
    let digests: Vec<_> = history.iter().map(|change| change.digest.clone()).collect();
    assert_eq!(digests, [None, Some(second.digest()), Some(first.digest())]);
    assert_eq!(history[1].at.after(DAY), history[0].at);
}
