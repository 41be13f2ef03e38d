//! Retention: what rules look at, and that only what they chose goes.

use std::time::Duration;

use berth_oci::Tag;

use super::collection::DAY;
use super::{House, Make, name, reference};
use crate::testing::{Image, artifact, index};
use crate::{Error, Expire, Expired, ImageRecord, Images, KeepUntagged, RetentionRecord};

fn tags(names: &[&str]) -> Vec<Tag> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

impl House {
    async fn images(&self, repository: &str) -> Vec<ImageRecord> {
        self.registry.records().images(name(repository), None, 100).await.unwrap().items
    }

    async fn image(&self, repository: &str, image: &Image) -> ImageRecord {
        let images = self.images(repository).await;
        images.into_iter().find(|found| found.digest == image.digest()).unwrap()
    }

    async fn expires(&self, image: ImageRecord, names: &[&str]) -> (u64, u64) {
        let (repository, because) = (name("app"), "a rule".to_owned());
        let expire = Expire { repository, image, tags: tags(names), because };
        let Expired { tags, images } =
            self.registry.records().expire(expire, self.clock.now()).await.unwrap();
        (tags, images)
    }

    async fn leads_to_something(&self, what: &str) -> bool {
        self.registry.manifest(&name("app"), &reference(what)).await.unwrap().is_some()
    }
}

pub async fn rules_are_kept_by_scope_and_go_with_their_repository(make: impl Make) {
    let house = House::open(&make).await;
    house.pushes("app", &["config"], &["latest"]).await;
    let records = house.registry.records();
    let rules = |scope: &str, document: &str| RetentionRecord {
        scope: scope.to_owned(),
        document: document.to_owned(),
    };
    for (scope, document) in [("app", "{}"), ("team/", "{ }"), ("app", "{1}")] {
        records.put_retention(rules(scope, document), house.by()).await.unwrap();
    }
    assert_eq!(records.retentions().await.unwrap(), [rules("app", "{1}"), rules("team/", "{ }")]);
    records.remove_repository(name("app"), Images::Removed, house.by()).await.unwrap();
    assert_eq!(records.retentions().await.unwrap(), [rules("team/", "{ }")]);
    records.remove_retention("team/".to_owned(), house.by()).await.unwrap();
    let refused = records.remove_retention("team/".to_owned(), house.by()).await;
    assert!(matches!(refused, Err(Error::Missing(_))), "{refused:?}");
}

pub async fn images_are_listed_from_the_last_push_on_without_children_and_referrers(make: impl Make) {
    let house = House::open(&make).await;
    let first = house.pushes("app", &["first"], &["v1", "a"]).await;
    house.clock.advance(DAY);
    let child = house.pushes("app", &["child"], &[]).await;
    let tagged_child = house.pushes("app", &["tagged child"], &["child"]).await;
    house.clock.advance(DAY);
    let all = index(&[child.descriptor(), tagged_child.descriptor()]);
    house.pushes_blob("app", "{}").await;
    house.puts("app", &all, &["all"]).await;
    let signature = artifact(&first.descriptor(), "application/signature", "one");
    house.puts("app", &signature, &["sig"]).await;
    house.clock.advance(DAY);
    let untagged = house.pushes("app", &["untagged"], &[]).await;
    let found = house.images("app").await;
    let digests: Vec<_> = found.iter().map(|image| image.digest.clone()).collect();
    assert_eq!(digests, [untagged.digest(), all.digest(), tagged_child.digest(), first.digest()]);
    assert_eq!(found[3].tags, tags(&["a", "v1"]));
    let records = house.registry.records();
    let mut before = None;
    for image in &found {
        let page = records.images(name("app"), before, 1).await.unwrap();
        assert_eq!(&page.items, std::slice::from_ref(image));
        before = Some((image.pushed_at, image.digest.clone()));
    }
    assert_eq!(records.images(name("app"), before, 1).await.unwrap().items, []);
    let refused = records.images(name("other"), None, 1).await;
    assert!(matches!(refused, Err(Error::RepositoryUnknown(_))), "{refused:?}");
}

pub async fn an_expired_tag_leaves_its_siblings(make: impl Make) {
    let house = House::open(&make).await;
    let image = house.pushes("app", &["config"], &["dev-1", "prod"]).await;
    let found = house.image("app", &image).await;
    assert_eq!(house.expires(found, &["dev-1"]).await, (1, 0));
    assert!(!house.leads_to_something("dev-1").await);
    assert!(house.leads_to_something("prod").await);
    house.after(100 * DAY).await;
    assert!(house.has("app", &image).await);
}

pub async fn an_image_whose_last_tag_expired_goes_and_can_come_back(make: impl Make) {
    let house = House::open(&make).await;
    let image = house.pushes("app", &["config"], &["v1"]).await;
    let found = house.image("app", &image).await;
    assert_eq!(house.expires(found.clone(), &["v1"]).await, (1, 1));
    assert!(!house.leads_to_something(image.digest().as_str()).await);
    assert_eq!(house.expires(found, &["v1"]).await, (0, 0));
    let back = reference(image.digest().as_str());
    house.registry.records().undelete(name("app"), back, house.by()).await.unwrap();
    let found = house.image("app", &image).await;
    let names: Vec<&str> = found.tags.iter().map(Tag::as_str).collect();
    house.expires(found.clone(), &names).await;
    house.after(2 * DAY).await;
    assert!(!house.has("app", &image).await);
}

pub async fn an_image_that_was_pushed_again_does_not_expire(make: impl Make) {
    let house = House::open(&make).await;
    let image = house.pushes("app", &["config"], &["v1"]).await;
    let found = house.image("app", &image).await;
    house.clock.advance(DAY);
    house.puts("app", &image, &["v2"]).await;
    assert_eq!(house.expires(found, &["v1"]).await, (0, 0));
    assert!(house.leads_to_something("v1").await && house.leads_to_something("v2").await);
    let found = house.image("app", &image).await;
    let other = house.pushes("app", &["other"], &["v1"]).await;
    // The tag names another image by now.
    assert_eq!(house.expires(found, &["v1", "v2"]).await, (1, 1));
    assert_eq!(house.image("app", &other).await.tags, tags(&["v1"]));
}

pub async fn a_child_of_an_index_outlives_its_own_tag(make: impl Make) {
    let house = House::open(&make).await;
    let child = house.pushes("app", &["child"], &["child"]).await;
    house.puts("app", &index(&[child.descriptor()]), &["all"]).await;
    let found = house.image("app", &child).await;
    assert_eq!(house.expires(found, &["child"]).await, (1, 0));
    house.after(100 * DAY).await;
    assert!(house.has("app", &child).await);
}

pub async fn a_repository_may_keep_untagged_images_as_long_as_it_likes(make: impl Make) {
    let house = House::open(&make).await;
    for (repository, keep, days) in [
        ("forever", KeepUntagged::Forever, None),
        ("week", KeepUntagged::For(7 * DAY), Some(7)),
        ("default", KeepUntagged::AsConfigured, Some(30)),
    ] {
        let image = house.pushes(repository, &["config"], &[]).await;
        let records = house.registry.records();
        // Whatever was said before, what is said last holds.
        for keep in [KeepUntagged::For(Duration::ZERO), KeepUntagged::Forever, keep] {
            records.keep_untagged(name(repository), keep, house.by()).await.unwrap();
        }
        let Some(days) = days else {
            house.after(1000 * DAY).await;
            assert!(house.has(repository, &image).await);
            continue;
        };
        house.after(days * DAY - DAY / 2).await;
        assert!(house.has(repository, &image).await, "{repository}");
        house.after(DAY).await;
        assert!(!house.has(repository, &image).await, "{repository}");
    }
}

pub async fn pulls_are_written_down_together(make: impl Make) {
    let house = House::open(&make).await;
    let image = house.pushes("app", &["config"], &["v1"]).await;
    let never = house.pushes("app", &["never"], &["v2"]).await;
    let pulled_at = async |image| house.image("app", image).await.pulled_at;
    let pull = async |what: &str| {
        let found = house.registry.manifest(&name("app"), &reference(what)).await.unwrap().unwrap();
        house.registry.note_pull(&name("app"), &found);
        house.registry.write_pulls().await.unwrap();
    };
    house.clock.advance(DAY);
    let first = house.clock.now();
    pull("v1").await;
    assert_eq!(pulled_at(&image).await, Some(first));
    house.clock.advance(Duration::from_secs(600));
    pull(image.digest().as_str()).await;
    assert_eq!(pulled_at(&image).await, Some(first), "to the hour");
    house.clock.advance(DAY);
    pull("v1").await;
    assert_eq!(pulled_at(&image).await, Some(house.clock.now()));
    assert_eq!(pulled_at(&never).await, None);
}
