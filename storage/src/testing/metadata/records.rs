//! Records of who there is, and facts about the store.

use std::time::Duration;

use super::{House, Make};
use crate::{
    AccessKeyPlace, AccessKeyRecord, Actor, AttachmentRecord, Change, Error, NewIdentity, PolicyOrigin,
    RefreshTokenRecord, SigningKeyRecord,
};

impl House {
    async fn add(&self, name: &str) -> String {
        self.registry.records().add_identity(new(name), self.by()).await.unwrap()
    }

    async fn add_token(&self, hash: &str, identity: &str, lives: Duration) -> Result<(), Error> {
        let token = RefreshTokenRecord {
            hash: hash.to_owned(),
            identity_id: identity.to_owned(),
            access_key: None,
            service: "berth".to_owned(),
            expires_at: self.clock.now().after(lives),
        };
        self.registry.records().add_refresh_token(token, self.clock.now()).await
    }

    pub(super) async fn add_key(&self, id: &str, identity: &str) -> Result<(), Error> {
        let key = AccessKeyRecord {
            id: id.to_owned(),
            identity_id: identity.to_owned(),
            user: String::new(),
            name: Some(format!("name of {id}")),
            sealed_secret: vec![0, 1, 255].into(),
            created_at: self.clock.now(),
            expires_at: None,
            used_at: None,
        };
        self.registry.records().add_access_key(key, &Actor::default()).await
    }

    async fn key(&self, id: &str) -> Option<AccessKeyRecord> {
        self.registry.records().access_key(id.to_owned()).await.unwrap()
    }

    async fn token(&self, hash: &str) -> Option<RefreshTokenRecord> {
        self.registry.records().refresh_token(hash.to_owned(), self.clock.now()).await.unwrap()
    }
}

fn new(name: &str) -> NewIdentity {
    NewIdentity {
        name: name.to_owned(),
        password: format!("hash of {name}"),
        attachments: vec![(attachment("reader", "team-a/"), PolicyOrigin::Shipped)],
        groups: vec![],
    }
}

fn attachment(policy: &str, prefix: &str) -> AttachmentRecord {
    AttachmentRecord { policy: policy.to_owned(), prefix: prefix.to_owned() }
}

const HOUR: Duration = Duration::from_secs(3600);

pub async fn an_identity_is_found_by_id_and_by_name(make: impl Make) {
    let house = House::open(&make).await;
    let id = house.add("alice").await;
    house.add("bob").await;
    let house = house.reopened(&make).await;
    let records = house.registry.records();
    let by_id = records.identity(id.clone()).await.unwrap().unwrap();
    let by_name = records.identity_named("alice".to_owned()).await.unwrap().unwrap();
    for found in [by_id, by_name] {
        assert_eq!((found.id.as_str(), found.name.as_str()), (id.as_str(), "alice"));
        assert_eq!(found.password, "hash of alice");
        assert_eq!((found.created_at, found.disabled_at), (house.clock.now(), None));
        assert_eq!(found.credentials_changed_at, house.clock.now());
        assert_eq!(found.attachments, [attachment("reader", "team-a/")]);
    }
    assert!(records.identity("alice".to_owned()).await.unwrap().is_none());
    assert!(records.identity_named(id).await.unwrap().is_none());
}

pub async fn a_name_that_is_taken_is_refused_and_changes_nothing(make: impl Make) {
    let house = House::open(&make).await;
    let id = house.add("alice").await;
    house.told();
    let records = house.registry.records();
    let again =
        records.add_identity(NewIdentity { password: "other".to_owned(), ..new("alice") }, house.by()).await;
    assert!(matches!(again, Err(Error::Exists(_))), "{again:?}");
    assert_eq!(house.told(), []);
    let found = records.identity_named("alice".to_owned()).await.unwrap().unwrap();
    assert_eq!((found.id, found.password), (id, "hash of alice".to_owned()));
    assert_eq!(house.number("SELECT COUNT(*) FROM attachments").await, 1);
}

pub async fn an_identity_for_a_missing_group_or_policy_is_not_made(make: impl Make) {
    let house = House::open(&make).await;
    let records = house.registry.records();
    let in_group = NewIdentity { groups: vec!["nowhere".to_owned()], ..new("alice") };
    let own = vec![(attachment("own", ""), PolicyOrigin::Kept)];
    for new in [in_group, NewIdentity { attachments: own, ..new("alice") }] {
        let refused = records.add_identity(new, house.by()).await;
        assert!(matches!(refused, Err(Error::Missing(_))), "{refused:?}");
        assert!(records.identity_named("alice".to_owned()).await.unwrap().is_none());
    }
    assert_eq!(house.told(), []);
    records.add_group("team".to_owned(), house.by()).await.unwrap();
    records.put_policy("own".to_owned(), "{}".to_owned(), house.by()).await.unwrap();
    let own = vec![(attachment("own", ""), PolicyOrigin::Kept)];
    let alice = NewIdentity { groups: vec!["team".to_owned()], attachments: own, ..new("alice") };
    let id = records.add_identity(alice, house.by()).await.unwrap();
    let found = records.identity(id).await.unwrap().unwrap();
    assert_eq!((found.attachments, found.groups.len()), (vec![attachment("own", "")], 1));
}

pub async fn identities_are_listed_in_order_of_name(make: impl Make) {
    let house = House::open(&make).await;
    for name in ["carol", "alice", "bob"] {
        house.add(name).await;
    }
    let records = house.registry.records();
    for (after, limit, expected, more) in [
        ("", 4, &["alice", "bob", "carol"][..], false),
        ("", 3, &["alice", "bob", "carol"], false),
        ("", 2, &["alice", "bob"], true),
        ("bob", 2, &["carol"], false),
        ("bo", 1, &["bob"], true),
        ("carol", 1, &[], false),
    ] {
        let page = records.identities(after.to_owned(), limit).await.unwrap();
        let names: Vec<_> = page.items.into_iter().map(|it| it.name).collect();
        assert_eq!(names, expected, "{limit} after '{after}'");
        assert_eq!(page.more, more, "{limit} after '{after}'");
    }
}

pub async fn a_changed_password_ends_what_was_issued_before(make: impl Make) {
    let house = House::open(&make).await;
    let (alice, bob) = (house.add("alice").await, house.add("bob").await);
    house.add_token("of alice", &alice, HOUR).await.unwrap();
    house.add_token("of bob", &bob, HOUR).await.unwrap();
    house.clock.advance(Duration::from_secs(1));
    let records = house.registry.records();
    records.set_password(alice.clone(), "new".to_owned(), house.by()).await.unwrap();
    let found = records.identity(alice).await.unwrap().unwrap();
    assert_eq!((found.password.as_str(), found.credentials_changed_at), ("new", house.clock.now()));
    assert!(found.created_at < found.credentials_changed_at);
    assert!(house.token("of alice").await.is_none());
    assert!(house.token("of bob").await.is_some());
}

pub async fn a_removed_identity_takes_all_that_hangs_on_it(make: impl Make) {
    let house = House::open(&make).await;
    let (alice, bob) = (house.add("alice").await, house.add("bob").await);
    house.add_token("of alice", &alice, HOUR).await.unwrap();
    house.add_token("of bob", &bob, HOUR).await.unwrap();
    house.registry.records().remove_identity(alice.clone(), house.by()).await.unwrap();
    assert!(house.registry.records().identity(alice.clone()).await.unwrap().is_none());
    assert!(house.token("of alice").await.is_none());
    assert!(house.token("of bob").await.is_some());
    assert_eq!(house.number("SELECT COUNT(*) FROM attachments").await, 1);
    assert_ne!(house.add("alice").await, alice);
}

pub async fn attaching_twice_changes_nothing(make: impl Make) {
    let house = House::open(&make).await;
    let id = house.add("alice").await;
    let records = house.registry.records();
    for prefix in ["", "team-b/", "", "team-a/"] {
        records
            .attach(id.clone(), attachment("reader", prefix), PolicyOrigin::Shipped, house.by())
            .await
            .unwrap();
    }
    let found = records.identity(id).await.unwrap().unwrap();
    assert_eq!(found.attachments, ["", "team-a/", "team-b/"].map(|prefix| attachment("reader", prefix)));
}

pub async fn what_was_not_attached_is_not_detached(make: impl Make) {
    let house = House::open(&make).await;
    let id = house.add("alice").await;
    let records = house.registry.records();
    for (policy, prefix) in [("reader", ""), ("reader", "team-a"), ("admin", "team-a/")] {
        let refused = records.detach(id.clone(), attachment(policy, prefix), house.by()).await;
        assert!(matches!(refused, Err(Error::Missing(_))), "{policy} {prefix}");
    }
    records.detach(id.clone(), attachment("reader", "team-a/"), house.by()).await.unwrap();
    assert_eq!(records.identity(id).await.unwrap().unwrap().attachments, []);
}

pub async fn what_is_missing_is_said_to_be_missing(make: impl Make) {
    let house = House::open(&make).await;
    let (records, nobody) = (house.registry.records(), || "nobody".to_owned());
    let refused = [
        records.set_password(nobody(), "new".to_owned(), house.by()).await,
        records.remove_identity(nobody(), house.by()).await,
        records.attach(nobody(), attachment("reader", ""), PolicyOrigin::Shipped, house.by()).await,
        records.detach(nobody(), attachment("reader", ""), house.by()).await,
    ];
    for (number, refused) in refused.into_iter().enumerate() {
        assert!(matches!(refused, Err(Error::Missing(_))), "{number}: {refused:?}");
    }
    assert_eq!(house.told(), []);
    let refused = house.add_token("of nobody", "nobody", HOUR).await;
    assert!(refused.is_err(), "{refused:?}");
    assert!(house.token("of nobody").await.is_none());
}

pub async fn every_change_of_who_may_do_what_is_told(make: impl Make) {
    let house = House::open(&make).await;
    let records = house.registry.records();
    let id = house.add("alice").await;
    assert_eq!(house.told(), [Change::Directory]);
    records.attach(id.clone(), attachment("admin", ""), PolicyOrigin::Shipped, house.by()).await.unwrap();
    assert_eq!(house.told(), [Change::Directory]);
    records.detach(id.clone(), attachment("admin", ""), house.by()).await.unwrap();
    assert_eq!(house.told(), [Change::Directory]);
    records.set_password(id.clone(), "new".to_owned(), house.by()).await.unwrap();
    assert_eq!(house.told(), [Change::Directory]);
    records.remove_identity(id, house.by()).await.unwrap();
    assert_eq!(house.told(), [Change::Directory]);
}

pub async fn a_refresh_token_ends(make: impl Make) {
    let house = House::open(&make).await;
    let id = house.add("alice").await;
    house.add_token("hash", &id, HOUR).await.unwrap();
    house.clock.advance(HOUR - Duration::from_micros(1));
    let found = house.token("hash").await.unwrap();
    assert_eq!((found.hash.as_str(), found.identity_id, found.service.as_str()), ("hash", id, "berth"));
    assert_eq!(found.expires_at, house.clock.now().after(Duration::from_micros(1)));
    assert!(house.token("another hash").await.is_none());
    house.clock.advance(Duration::from_micros(1));
    assert!(house.token("hash").await.is_none());
}

pub async fn refresh_tokens_that_ended_are_forgotten(make: impl Make) {
    let house = House::open(&make).await;
    let id = house.add("alice").await;
    house.add_token("short", &id, HOUR).await.unwrap();
    house.add_token("long", &id, 3 * HOUR).await.unwrap();
    house.clock.advance(2 * HOUR);
    house.add_token("new", &id, HOUR).await.unwrap();
    assert_eq!(house.number("SELECT COUNT(*) FROM refresh_tokens").await, 2);
    assert!(house.token("long").await.is_some());
}

pub async fn an_access_key_is_kept_until_it_or_its_identity_is_removed(make: impl Make) {
    let house = House::open(&make).await;
    let (alice, bob) = (house.add("alice").await, house.add("bob").await);
    for (id, identity) in [("b", &bob), ("a2", &alice), ("a1", &alice)] {
        house.add_key(id, identity).await.unwrap();
    }
    assert!(matches!(house.add_key("x", "nobody").await, Err(Error::Missing(_))));
    let house = house.reopened(&make).await;
    let records = house.registry.records();
    let listed = records.access_keys(None, AccessKeyPlace::start(), 3).await.unwrap();
    let ids: Vec<_> = listed.items.iter().map(|key| (key.user.as_str(), key.id.as_str())).collect();
    assert_eq!(ids, [("alice", "a1"), ("alice", "a2"), ("bob", "b")]);
    let key = house.key("a1").await.unwrap();
    assert_eq!((key.identity_id, key.name.as_deref()), (alice.clone(), Some("name of a1")));
    assert_eq!(key.sealed_secret[..], [0, 1, 255]);
    assert_eq!((key.created_at, key.expires_at, key.used_at), (house.clock.now(), None, None));
    house.told();
    records.remove_access_key("a1".to_owned(), house.by()).await.unwrap();
    assert_eq!(house.told(), [Change::Directory]);
    assert!(matches!(records.remove_access_key("a1".to_owned(), house.by()).await, Err(Error::Missing(_))));
    records.remove_identity(alice, house.by()).await.unwrap();
    assert!(house.key("a2").await.is_none());
    assert!(house.key("b").await.is_some());
}

pub async fn access_keys_are_listed_page_by_page_without_a_gap(make: impl Make) {
    let house = House::open(&make).await;
    let (alice, bob) = (house.add("alice").await, house.add("bob").await);
    for (id, identity) in [("z", &bob), ("b", &alice), ("a", &alice)] {
        house.add_key(id, identity).await.unwrap();
    }
    house.clock.advance(HOUR);
    house.add_key("0", &alice).await.unwrap();
    let records = house.registry.records();
    for (owner, expected) in [(None, &["a", "b", "0", "z"][..]), (Some("alice"), &["a", "b", "0"])] {
        let (mut after, mut ids) = (AccessKeyPlace::start(), Vec::new());
        loop {
            let page = records.access_keys(owner.map(str::to_owned), after, 1).await.unwrap();
            after = AccessKeyPlace::of(page.items.last().unwrap());
            ids.extend(page.items.into_iter().map(|key| key.id));
            if !page.more {
                break;
            }
        }
        assert_eq!(ids, expected);
    }
}

pub async fn a_removed_access_key_takes_its_refresh_tokens(make: impl Make) {
    let house = House::open(&make).await;
    let id = house.add("alice").await;
    house.add_key("key", &id).await.unwrap();
    house.add_token("by password", &id, HOUR).await.unwrap();
    let token = RefreshTokenRecord {
        access_key: Some("key".to_owned()),
        hash: "by key".to_owned(),
        ..house.token("by password").await.unwrap()
    };
    let records = house.registry.records();
    records.add_refresh_token(token, house.clock.now()).await.unwrap();
    assert_eq!(house.token("by key").await.unwrap().access_key.as_deref(), Some("key"));
    records.remove_access_key("key".to_owned(), house.by()).await.unwrap();
    assert!(house.token("by key").await.is_none());
    assert!(house.token("by password").await.is_some());
}

pub async fn the_last_use_of_an_access_key_only_moves_on_and_is_no_change_to_the_directory(make: impl Make) {
    let house = House::open(&make).await;
    let id = house.add("alice").await;
    house.add_key("key", &id).await.unwrap();
    house.told();
    let (first, second) = (house.clock.now(), house.clock.now().after(HOUR));
    for (noted, expected) in [(first, first), (second, second), (first, second)] {
        let uses = vec![("gone".to_owned(), noted), ("key".to_owned(), noted)];
        house.registry.records().note_uses(uses).await.unwrap();
        assert_eq!(house.key("key").await.unwrap().used_at, Some(expected));
    }
    assert_eq!(house.told(), []);
}

pub async fn signing_keys_are_listed_newest_first(make: impl Make) {
    let house = House::open(&make).await;
    for kid in ["one", "two", "three"] {
        house.clock.advance(HOUR);
        let key = SigningKeyRecord {
            kid: kid.to_owned(),
            sealed_private: vec![0, 255, kid.len() as u8].into(),
            created_at: house.clock.now(),
            retired_at: None,
        };
        house.registry.records().add_signing_key(key).await.unwrap();
    }
    let house = house.reopened(&make).await;
    let keys = house.registry.records().signing_keys().await.unwrap();
    let kids: Vec<_> = keys.iter().map(|key| key.kid.as_str()).collect();
    assert_eq!(kids, ["three", "two", "one"]);
    assert_eq!((&keys[0].sealed_private[..], keys[0].created_at), (&[0, 255, 5][..], house.clock.now()));
    assert!(keys.iter().all(|key| key.retired_at.is_none()));
}

pub async fn a_rotated_signing_key_retires_the_one_before_until_it_is_removed(make: impl Make) {
    let house = House::open(&make).await;
    let records = house.registry.records();
    let key = |kid: &str| SigningKeyRecord {
        kid: kid.to_owned(),
        sealed_private: vec![1].into(),
        created_at: house.clock.now(),
        retired_at: None,
    };
    records.rotate_signing_key(key("first"), &Actor::default()).await.unwrap();
    house.clock.advance(HOUR);
    let rotated = house.clock.now();
    records.rotate_signing_key(key("second"), &Actor::default()).await.unwrap();
    let kept = async || {
        let keys = records.signing_keys().await.unwrap();
        keys.into_iter().map(|key| (key.kid, key.retired_at)).collect::<Vec<_>>()
    };
    assert_eq!(kept().await, [("second".to_owned(), None), ("first".to_owned(), Some(rotated))]);
    assert_eq!(records.remove_signing_keys(crate::Timestamp(rotated.0 - 1)).await.unwrap(), 0);
    assert_eq!(records.remove_signing_keys(rotated).await.unwrap(), 1);
    assert_eq!(kept().await, [("second".to_owned(), None)]);
}

pub async fn a_fact_is_noted_once_and_kept(make: impl Make) {
    let house = House::open(&make).await;
    for value in ["first", "second"] {
        assert_eq!(house.registry.records().note_once("store-id", value.to_owned()).await.unwrap(), "first");
    }
    let house = house.reopened(&make).await;
    let records = house.registry.records();
    assert_eq!(records.note_once("store-id", "third".to_owned()).await.unwrap(), "first");
    assert_eq!(records.note_once("other", "other".to_owned()).await.unwrap(), "other");
}
