//! Repositories as administrators see them: their settings, their policies, their end.

use super::{House, Make, name, reference};
use crate::testing::{image, push_blob, push_image, read_blob};
use crate::{Actor, Change, Creation, Error, Images, NewRepository, RepositoryRecord, Swap, TagMutability};

impl House {
    async fn make(&self, new: NewRepository) -> Result<(), Error> {
        self.registry.records().add_repository(new, self.by()).await
    }

    async fn show(&self, text: &str) -> Result<RepositoryRecord, Error> {
        self.registry.records().repository(name(text)).await
    }

    async fn remove(&self, text: &str, images: Images) -> Result<(), Error> {
        self.registry.records().remove_repository(name(text), images, self.by()).await
    }

    async fn policy_of(&self, text: &str) -> Option<String> {
        self.registry.records().repository_policy(name(text)).await.unwrap()
    }

    async fn put_policy_of(&self, text: &str, policy: &str) -> Result<(), Error> {
        self.registry.records().put_repository_policy(name(text), policy.to_owned(), self.by()).await
    }
}

fn plain(text: &str) -> NewRepository {
    NewRepository { name: name(text), description: None, tags: TagMutability::Mutable }
}

fn immutable(text: &str, except: &[&str]) -> NewRepository {
    let except = except.iter().map(|pattern| pattern.parse().unwrap()).collect();
    NewRepository { tags: TagMutability::Immutable(except), ..plain(text) }
}

#[track_caller]
fn is_unknown<T: std::fmt::Debug>(outcome: &Result<T, Error>) {
    assert!(matches!(outcome, Err(Error::RepositoryUnknown(_))), "{outcome:?}");
}

pub async fn a_repository_is_made_with_its_settings(make: impl Make) {
    let house = House::open(&make).await;
    let new =
        NewRepository { description: Some("of team a".to_owned()), ..immutable("app", &["dev-*", "latest"]) };
    house.make(new.clone()).await.unwrap();
    let house = house.reopened(&make).await;
    let expected = RepositoryRecord {
        name: name("app"),
        created_at: house.clock.now(),
        description: new.description,
        tags: new.tags,
        has_policy: false,
        images: 0,
    };
    assert_eq!(house.show("app").await.unwrap(), expected);
    assert_eq!(house.registry.tags(&name("app"), "", 10).await.unwrap().items, []);
}

pub async fn a_repository_that_is_there_is_not_made_again(make: impl Make) {
    let house = House::open(&make).await;
    house.make(immutable("app", &[])).await.unwrap();
    push_blob(&house.registry, &name("pushed"), b"blob").await.unwrap();
    house.told();
    for text in ["app", "pushed"] {
        let again = house.make(plain(text)).await;
        assert!(matches!(again, Err(Error::Exists(_))), "{again:?}");
    }
    assert_eq!(house.told(), []);
    assert_eq!(house.show("app").await.unwrap().tags, TagMutability::Immutable(vec![]));
}

pub async fn a_repository_that_was_pushed_to_has_settings_as_one_made_without_any(make: impl Make) {
    let house = House::open(&make).await;
    push_image(&house.registry, &name("pushed"), &[b"config"], &["a", "b"]).await.unwrap();
    house.make(plain("made")).await.unwrap();
    let made = house.show("made").await.unwrap();
    assert_eq!(
        house.show("pushed").await.unwrap(),
        RepositoryRecord { name: name("pushed"), images: 1, ..made }
    );
}

pub async fn repositories_are_shown_in_order_of_name_with_their_images_counted(make: impl Make) {
    let house = House::open(&make).await;
    house.make(plain("b")).await.unwrap();
    let gone = push_image(&house.registry, &name("a"), &[b"one"], &["one"]).await.unwrap();
    push_image(&house.registry, &name("a"), &[b"two"], &["two"]).await.unwrap();
    let gone = reference(gone.digest().as_str());
    house.registry.delete_manifest(&name("a"), &gone, &Actor::default()).await.unwrap();
    let shown = house.registry.records().repositories(String::new(), 100).await.unwrap().items;
    let shown: Vec<_> = shown.iter().map(|one| (one.name.as_str(), one.images)).collect();
    assert_eq!(shown, [("a", 1), ("b", 0)]);
}

pub async fn an_unknown_repository_has_no_settings_and_no_policy(make: impl Make) {
    let house = House::open(&make).await;
    let records = house.registry.records();
    is_unknown(&house.show("app").await);
    is_unknown(&house.remove("app", Images::Removed).await);
    is_unknown(&house.put_policy_of("app", "{}").await);
    is_unknown(&records.policy_of_repository(name("app")).await);
    is_unknown(&records.remove_repository_policy(name("app"), house.by()).await);
    is_unknown(&records.swap_repository_policy(name("app"), None, Some("{}".to_owned()), house.by()).await);
    assert_eq!(house.policy_of("app").await, None);
    assert_eq!(house.told(), []);
}

pub async fn an_immutable_tag_names_what_it_named_first(make: impl Make) {
    let house = House::open(&make).await;
    house.make(immutable("app", &["dev-*"])).await.unwrap();
    let registry = &house.registry;
    let first = push_image(registry, &name("app"), &[b"first"], &["v1", "dev-1"]).await.unwrap();
    // The same again moves nothing.
    registry.put_manifest(first.pushed(&name("app"), &["v1"]), &Actor::default()).await.unwrap();
    let second = image(&[push_blob(registry, &name("app"), b"second").await.unwrap()]);
    let moved = registry.put_manifest(second.pushed(&name("app"), &["v1"]), &Actor::default()).await;
    assert!(matches!(&moved, Err(Error::TagImmutable { tag, .. }) if tag.as_str() == "v1"), "{moved:?}");
    registry.put_manifest(second.pushed(&name("app"), &["dev-1", "v2"]), &Actor::default()).await.unwrap();
    for (tag, expected) in [("v1", &first), ("dev-1", &second), ("v2", &second)] {
        let found = registry.manifest(&name("app"), &reference(tag)).await.unwrap().unwrap();
        assert_eq!(found.digest, expected.digest(), "{tag}");
    }
}

pub async fn a_push_to_an_immutable_tag_leaves_nothing_of_itself(make: impl Make) {
    let house = House::open(&make).await;
    house.make(immutable("app", &[])).await.unwrap();
    let registry = &house.registry;
    push_image(registry, &name("app"), &[b"first"], &["v1"]).await.unwrap();
    let second = image(&[push_blob(registry, &name("app"), b"second").await.unwrap()]);
    let refused = registry.put_manifest(second.pushed(&name("app"), &["new", "v1"]), &Actor::default()).await;
    assert!(matches!(refused, Err(Error::TagImmutable { .. })), "{refused:?}");
    for absent in ["new", second.digest().as_str()] {
        assert!(registry.manifest(&name("app"), &reference(absent)).await.unwrap().is_none(), "{absent}");
    }
}

pub async fn a_repository_with_images_is_removed_only_when_they_go_too(make: impl Make) {
    let house = House::open(&make).await;
    push_image(&house.registry, &name("app"), &[b"config"], &["v1"]).await.unwrap();
    house.told();
    let refused = house.remove("app", Images::None).await;
    assert!(matches!(refused, Err(Error::RepositoryNotEmpty(_))), "{refused:?}");
    assert_eq!(house.told(), []);
    assert!(house.registry.manifest(&name("app"), &reference("v1")).await.unwrap().is_some());
    house.make(plain("empty")).await.unwrap();
    house.remove("empty", Images::None).await.unwrap();
    house.remove("app", Images::Removed).await.unwrap();
    assert_eq!(house.registry.records().repositories(String::new(), 100).await.unwrap().items, []);
}

pub async fn a_removed_repository_shows_nothing_at_once(make: impl Make) {
    let house = House::open(&make).await;
    let (registry, app) = (&house.registry, name("app"));
    push_image(registry, &app, &[b"config"], &["v1"]).await.unwrap();
    let blob = push_blob(registry, &app, b"blob").await.unwrap();
    push_blob(registry, &name("other"), b"blob").await.unwrap();
    // So that it is in every cache.
    assert!(registry.manifest(&app, &reference("v1")).await.unwrap().is_some());
    let session = registry.begin_upload(&app, None, Creation::Refused, &Actor::default()).await.unwrap();
    house.remove("app", Images::Removed).await.unwrap();
    assert!(registry.manifest(&app, &reference("v1")).await.unwrap().is_none());
    assert_eq!(read_blob(registry, &app, &blob).await.unwrap(), None);
    assert!(registry.upload_status(&app, session).await.unwrap().is_none());
    is_unknown(&registry.tags(&app, "", 10).await);
    is_unknown(&house.remove("app", Images::Removed).await);
    assert_eq!(registry.holders(&blob, "", 10).await.unwrap(), [name("other")]);
    assert_eq!(read_blob(registry, &name("other"), &blob).await.unwrap().as_deref(), Some(&b"blob"[..]));
}

pub async fn a_new_repository_of_a_removed_ones_name_begins_with_nothing(make: impl Make) {
    let house = House::open(&make).await;
    house.make(immutable("app", &[])).await.unwrap();
    let gone = push_image(&house.registry, &name("app"), &[b"config"], &["v1"]).await.unwrap();
    house.put_policy_of("app", "{}").await.unwrap();
    house.remove("app", Images::Removed).await.unwrap();
    house.make(plain("app")).await.unwrap();
    let shown = house.show("app").await.unwrap();
    assert_eq!((shown.tags, shown.has_policy, shown.images), (TagMutability::Mutable, false, 0));
    assert_eq!(house.policy_of("app").await, None);
    for absent in ["v1", gone.digest().as_str()] {
        let found = house.registry.manifest(&name("app"), &reference(absent)).await.unwrap();
        assert!(found.is_none(), "{absent}");
    }
    push_image(&house.registry, &name("app"), &[b"another"], &["v1"]).await.unwrap();
}

pub async fn a_repositorys_policy_is_kept_as_it_was_given_until_it_is_removed(make: impl Make) {
    let house = House::open(&make).await;
    house.make(plain("app")).await.unwrap();
    house.put_policy_of("app", "{ \"first\": 1 }").await.unwrap();
    house.put_policy_of("app", "{ \"as\": \"given\" }").await.unwrap();
    let house = house.reopened(&make).await;
    assert_eq!(house.policy_of("app").await.as_deref(), Some("{ \"as\": \"given\" }"));
    assert!(house.show("app").await.unwrap().has_policy);
    let records = house.registry.records();
    records.remove_repository_policy(name("app"), house.by()).await.unwrap();
    assert_eq!(records.policy_of_repository(name("app")).await.unwrap(), None);
    let again = records.remove_repository_policy(name("app"), house.by()).await;
    assert!(matches!(again, Err(Error::Missing(_))), "{again:?}");
}

pub async fn a_repositorys_policy_is_swapped_only_for_the_one_that_it_must_be(make: impl Make) {
    let house = House::open(&make).await;
    house.make(plain("app")).await.unwrap();
    let records = house.registry.records();
    let some = |text: &str| Some(text.to_owned());
    let swap = |from, to| records.swap_repository_policy(name("app"), from, to, house.by());
    assert_eq!(swap(some("x"), some("y")).await.unwrap(), Swap::Kept(None));
    assert_eq!(swap(None, some("x")).await.unwrap(), Swap::Done);
    assert_eq!(swap(None, some("y")).await.unwrap(), Swap::Kept(some("x")));
    assert_eq!(house.policy_of("app").await, some("x"));
    assert_eq!(swap(some("x"), None).await.unwrap(), Swap::Done);
    assert_eq!(house.policy_of("app").await, None);
}

pub async fn every_change_of_a_repository_is_told(make: impl Make) {
    let house = House::open(&make).await;
    let (records, app) = (house.registry.records(), || name("app"));
    let changed = [Change::Repository(app())];
    house.make(plain("app")).await.unwrap();
    assert_eq!(house.told(), changed);
    house.put_policy_of("app", "{}").await.unwrap();
    assert_eq!(house.told(), changed);
    records
        .swap_repository_policy(app(), Some("{}".to_owned()), Some("x".to_owned()), house.by())
        .await
        .unwrap();
    assert_eq!(house.told(), changed);
    records.remove_repository_policy(app(), house.by()).await.unwrap();
    assert_eq!(house.told(), changed);
    house.remove("app", Images::None).await.unwrap();
    assert_eq!(house.told(), changed);
}
