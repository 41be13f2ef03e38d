//! The audit: written with the change or not at all, read in order, trimmed.

use std::time::Duration;

use berth_oci::Digest;

use super::{House, Make, name, reference};
use crate::testing::{Image, digest_of, image, push_blob, push_image};
use crate::{
    Actor, AttachmentRecord, AuditPage, AuditRecord, By, Creation, Error, Images, NewIdentity, NewRepository,
    PolicyOrigin, Refusal, SigningKeyRecord, TagMutability, Timestamp,
};

const HOUR: Duration = Duration::from_secs(3600);
const ALL: AuditPage = AuditPage { since: Timestamp(0), after: 0, limit: 1000 };

/// Somebody of whom everything is known.
fn alice() -> Actor {
    Actor {
        identity: Some("id-of-alice".into()),
        user: Some("alice".into()),
        access_key: Some("BKALICE".into()),
        address: Some("10.1.2.3".parse().unwrap()),
        request: Some("request-1".into()),
    }
}

impl House {
    async fn audit(&self, page: AuditPage) -> Vec<AuditRecord> {
        self.registry.records().audit(page).await.unwrap()
    }

    /// What was written down so far: actions, and what else there is to say.
    async fn deeds(&self) -> Vec<(String, String, String)> {
        let said = |text: Option<String>| text.unwrap_or_default();
        let records = self.audit(ALL).await.into_iter();
        records.map(|record| (record.action, said(record.subject), said(record.detail))).collect()
    }

    /// Makes so many groups, an hour apart.
    async fn make_groups(&self, count: usize) {
        for number in 0..count {
            self.registry.records().add_group(format!("group-{number}"), self.by()).await.unwrap();
            self.clock.advance(HOUR);
        }
    }

    /// Which groups' making is still written down.
    async fn kept(&self) -> Vec<String> {
        self.deeds().await.into_iter().map(|(_, group, _)| group).collect()
    }

    async fn push_as(&self, image: &Image, tags: &[&str], actor: &Actor) -> Result<(), Error> {
        self.registry.put_manifest(image.pushed(&name("app"), tags), actor).await
    }
}

fn deeds(expected: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    let owned = |(action, subject, detail): &(&str, &str, &str)| {
        ((*action).into(), (*subject).into(), (*detail).into())
    };
    expected.iter().map(owned).collect()
}

pub async fn a_push_is_written_down_with_who_did_it_and_whence(make: impl Make) {
    let house = House::open(&make).await;
    let image = push_image(&house.registry, &name("app"), &[b"config"], &[]).await.unwrap();
    let before = house.audit(ALL).await;
    let actions: Vec<_> = before.iter().map(|record| record.action.as_str()).collect();
    assert_eq!(actions, ["repo.create", "blob.put", "manifest.put"]);
    assert!(before.iter().all(|record| record.repository.as_deref() == Some("app")));
    assert!(before.iter().all(|record| record.identity.is_none() && record.outcome == "done"));
    house.push_as(&image, &["v1", "latest"], &alice()).await.unwrap();
    let record = house.audit(ALL).await.pop().unwrap();
    let expected = AuditRecord {
        id: before[2].id + 1,
        at: house.clock.now(),
        action: "manifest.put".to_owned(),
        outcome: "done".to_owned(),
        identity: Some("id-of-alice".to_owned()),
        user: Some("alice".to_owned()),
        access_key: Some("BKALICE".to_owned()),
        address: Some("10.1.2.3".to_owned()),
        request: Some("request-1".to_owned()),
        repository: Some("app".to_owned()),
        digest: Some(image.digest().to_string()),
        tags: vec!["v1".to_owned(), "latest".to_owned()],
        subject: None,
        detail: None,
        times: 1,
    };
    assert_eq!(record, expected);
}

pub async fn a_moved_tag_is_written_down_with_what_it_named_before(make: impl Make) {
    let house = House::open(&make).await;
    let first = push_image(&house.registry, &name("app"), &[b"one"], &["v1", "v2"]).await.unwrap();
    push_image(&house.registry, &name("app"), &[b"two"], &["v1", "v3"]).await.unwrap();
    let record = house.audit(ALL).await.pop().unwrap();
    assert_eq!(record.detail, Some(format!("v1 was {}", first.digest())));
}

pub async fn what_is_deleted_is_written_down_with_its_tags(make: impl Make) {
    let house = House::open(&make).await;
    let image = push_image(&house.registry, &name("app"), &[b"config"], &["v1", "v2"]).await.unwrap();
    let blob: Digest = push_blob(&house.registry, &name("app"), b"no image's").await.unwrap();
    let delete =
        async |what: &str| house.registry.delete_manifest(&name("app"), &reference(what), &alice()).await;
    delete("v1").await.unwrap();
    delete(image.digest().as_str()).await.unwrap();
    house.registry.delete_blob(&name("app"), &blob, &alice()).await.unwrap();
    let records = house.audit(ALL).await;
    let last: Vec<_> = records[records.len() - 3..]
        .iter()
        .map(|record| (record.action.as_str(), record.digest.clone().unwrap(), record.tags.join(" ")))
        .collect();
    let digest = image.digest().to_string();
    assert_eq!(
        last,
        [
            ("tag.delete", digest.clone(), "v1".to_owned()),
            ("manifest.delete", digest, "v2".to_owned()),
            ("blob.delete", blob.to_string(), String::new()),
        ]
    );
    assert!(records[records.len() - 3..].iter().all(|record| record.user.as_deref() == Some("alice")));
}

pub async fn a_mounted_blob_is_written_down_with_its_source(make: impl Make) {
    let house = House::open(&make).await;
    let blob = push_blob(&house.registry, &name("one"), b"layer").await.unwrap();
    let (one, two) = (name("one"), name("two"));
    house.registry.mount(&two, &one, &blob, Creation::Allowed, &alice()).await.unwrap();
    let record = house.audit(ALL).await.pop().unwrap();
    let said = (record.action.as_str(), record.repository.as_deref(), record.detail.as_deref());
    assert_eq!(said, ("blob.mount", Some("two"), Some("from one")));
    assert_eq!(record.digest, Some(blob.to_string()));
}

pub async fn every_change_of_who_may_do_what_is_written_down(make: impl Make) {
    let house = House::open(&make).await;
    let (records, by, now) = (house.registry.records(), || house.by(), house.clock.now());
    let reader = || AttachmentRecord { policy: "reader".to_owned(), prefix: "a/".to_owned() };
    let (team, bob, own) = (|| "team".to_owned(), || "bob".to_owned(), || "own".to_owned());
    records.add_group(team(), by()).await.unwrap();
    let new = NewIdentity {
        name: bob(),
        password: "hash".to_owned(),
        attachments: vec![(reader(), PolicyOrigin::Shipped)],
        groups: vec![team()],
    };
    let id = records.add_identity(new, by()).await.unwrap();
    records.set_password(id.clone(), "other hash".to_owned(), by()).await.unwrap();
    records.set_disabled(id.clone(), Some(now), by()).await.unwrap();
    records.set_disabled(id.clone(), None, by()).await.unwrap();
    records.detach(id.clone(), reader(), by()).await.unwrap();
    records.put_policy(own(), "{}".to_owned(), by()).await.unwrap();
    let attachment = AttachmentRecord { policy: own(), prefix: String::new() };
    records.attach_to_group(team(), attachment.clone(), PolicyOrigin::Kept, by()).await.unwrap();
    records.detach_from_group(team(), attachment, by()).await.unwrap();
    records.remove_policy(own(), by()).await.unwrap();
    house.add_key("BK1", &id).await.unwrap();
    records.remove_access_key("BK1".to_owned(), by()).await.unwrap();
    records.leave_group(team(), id.clone(), by()).await.unwrap();
    records.remove_identity(id, by()).await.unwrap();
    records.remove_group(team(), by()).await.unwrap();
    let key = SigningKeyRecord {
        kid: "kid".to_owned(),
        sealed_private: vec![1].into(),
        created_at: now,
        retired_at: None,
    };
    records.rotate_signing_key(key, &Actor::default()).await.unwrap();
    let expected = deeds(&[
        ("group.add", "team", ""),
        ("user.add", "bob", ""),
        ("policy.attach", "reader", "user bob on a/"),
        ("group.join", "team", "bob"),
        ("user.passwd", "bob", ""),
        ("user.disable", "bob", ""),
        ("user.enable", "bob", ""),
        ("policy.detach", "reader", "user bob on a/"),
        ("policy.put", "own", ""),
        ("policy.attach", "own", "group team"),
        ("policy.detach", "own", "group team"),
        ("policy.rm", "own", ""),
        ("key.create", "BK1", "of bob, called name of BK1"),
        ("key.rm", "BK1", "of bob"),
        ("group.leave", "team", "bob"),
        ("user.rm", "bob", ""),
        ("group.rm", "team", ""),
        ("signing-key.rotate", "kid", ""),
    ]);
    assert_eq!(house.deeds().await, expected);
}

pub async fn every_change_of_a_repository_is_written_down(make: impl Make) {
    let house = House::open(&make).await;
    let (records, policy) = (house.registry.records(), "{}".to_owned());
    let tags = TagMutability::Immutable(vec!["dev-*".parse().unwrap()]);
    let new = NewRepository { name: name("app"), description: None, tags };
    records.add_repository(new, house.by()).await.unwrap();
    records.put_repository_policy(name("app"), policy.clone(), house.by()).await.unwrap();
    records.remove_repository_policy(name("app"), house.by()).await.unwrap();
    records.swap_repository_policy(name("app"), None, Some(policy), house.by()).await.unwrap();
    records.remove_repository(name("app"), Images::None, house.by()).await.unwrap();
    let expected = deeds(&[
        ("repo.create", "", "tags immutable except dev-*"),
        ("repo.policy.put", "", ""),
        ("repo.policy.rm", "", ""),
        ("repo.policy.put", "", ""),
        ("repo.rm", "", ""),
    ]);
    assert_eq!(house.deeds().await, expected);
    assert!(house.audit(ALL).await.iter().all(|record| record.repository.as_deref() == Some("app")));
}

pub async fn what_changed_nothing_is_not_written_down(make: impl Make) {
    let house = House::open(&make).await;
    let records = house.registry.records();
    push_image(&house.registry, &name("app"), &[b"config"], &["v1"]).await.unwrap();
    records.add_group("team".to_owned(), house.by()).await.unwrap();
    let before = house.audit(ALL).await.len();
    assert!(house.registry.delete_manifest(&name("app"), &reference("v2"), &alice()).await.is_err());
    let policy = Some("{}".to_owned());
    records.swap_repository_policy(name("app"), policy.clone(), policy, house.by()).await.unwrap();
    let reader = AttachmentRecord { policy: "reader".to_owned(), prefix: String::new() };
    for _ in 0..2 {
        let (team, reader) = ("team".to_owned(), reader.clone());
        records.attach_to_group(team, reader, PolicyOrigin::Shipped, house.by()).await.unwrap();
    }
    assert_eq!(house.audit(ALL).await.len(), before + 1);
}

pub async fn a_unit_that_failed_leaves_no_record(make: impl Make) {
    let house = House::open(&make).await;
    let records = house.registry.records();
    let refused = house.push_as(&image(&[digest_of(b"not here")]), &["v1"], &alice()).await;
    assert!(matches!(refused, Err(Error::ManifestBlobUnknown(_))), "{refused:?}");
    let new = NewIdentity {
        name: "bob".to_owned(),
        password: "hash".to_owned(),
        attachments: vec![],
        groups: vec!["nowhere".to_owned()],
    };
    assert!(records.add_identity(new, house.by()).await.is_err());
    assert!(records.remove_group("nowhere".to_owned(), house.by()).await.is_err());
    assert_eq!(house.audit(ALL).await, []);
}

pub async fn refusals_are_written_down_as_such(make: impl Make) {
    let house = House::open(&make).await;
    let refusal = |action, repository: Option<&str>, times| Refusal {
        by: By { actor: alice(), at: house.clock.now() },
        action,
        repository: repository.map(name),
        detail: "why".to_owned(),
        times,
    };
    let refusals = vec![refusal("login", None, 7), refusal("ecr:PutImage", Some("app"), 1)];
    house.registry.records().note_refusals(refusals).await.unwrap();
    let found = house.audit(ALL).await;
    let said: Vec<_> = found
        .iter()
        .map(|record| (record.action.as_str(), record.repository.as_deref(), record.times))
        .collect();
    assert_eq!(said, [("login", None, 7), ("ecr:PutImage", Some("app"), 1)]);
    for record in found {
        let said = (record.outcome.as_str(), record.user.as_deref(), record.detail.as_deref());
        assert_eq!(said, ("refused", Some("alice"), Some("why")));
    }
}

pub async fn the_audit_is_read_page_by_page_in_the_order_of_writing(make: impl Make) {
    let house = House::open(&make).await;
    house.make_groups(5).await;
    let mut page = AuditPage { limit: 2, ..ALL };
    let mut sizes = Vec::new();
    let mut ids = Vec::new();
    loop {
        let found = house.audit(page).await;
        sizes.push(found.len());
        ids.extend(found.iter().map(|record| record.id));
        let Some(last) = found.last() else { break };
        page.after = last.id;
    }
    assert_eq!(sizes, [2, 2, 1, 0]);
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
}

pub async fn the_audit_is_read_since_a_moment_whatever_order_it_was_written_in(make: impl Make) {
    let house = House::open(&make).await;
    let begin = house.clock.now();
    let at = |seconds| By { actor: Actor::default(), at: begin.after(Duration::from_secs(seconds)) };
    for seconds in [0, 100, 120, 110, 90, 130] {
        house.registry.records().add_group(format!("at-{seconds}"), at(seconds)).await.unwrap();
    }
    let since = async |seconds, after| {
        let found = house.audit(AuditPage { since: at(seconds).at, after, limit: 1000 }).await;
        found.into_iter().map(|record| record.subject.unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(since(110, 0).await, ["at-120", "at-110", "at-130"]);
    assert_eq!(since(131, 0).await, [""; 0]);
    let second = house.audit(ALL).await[1].id;
    assert_eq!(since(0, second).await, ["at-120", "at-110", "at-90", "at-130"]);
}

pub async fn records_that_are_too_old_are_trimmed(make: impl Make) {
    let house = House::with(&make, |options| options.audit_keep = 3 * HOUR).await;
    house.make_groups(6).await;
    let swept = house.registry.sweep().await.unwrap();
    assert_eq!(swept.audit_records, 3);
    assert_eq!(house.kept().await, ["group-3", "group-4", "group-5"]);
    assert_eq!(house.registry.sweep().await.unwrap().audit_records, 0);
}

pub async fn records_that_are_too_many_are_trimmed_the_oldest_first(make: impl Make) {
    let house = House::with(&make, |options| options.audit_most = 2).await;
    house.make_groups(6).await;
    assert_eq!(house.registry.sweep().await.unwrap().audit_records, 4);
    assert_eq!(house.kept().await, ["group-4", "group-5"]);
}

pub async fn the_newest_record_stays_so_that_no_id_is_given_twice(make: impl Make) {
    let house = House::with(&make, |options| options.audit_keep = HOUR).await;
    house.make_groups(2).await;
    house.clock.advance(HOUR);
    house.registry.sweep().await.unwrap();
    let newest = house.audit(ALL).await;
    assert_eq!(newest.len(), 1);
    house.registry.records().add_group("later".to_owned(), house.by()).await.unwrap();
    assert!(house.audit(ALL).await[1].id > newest[0].id);
}
