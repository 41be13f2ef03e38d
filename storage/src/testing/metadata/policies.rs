//! Policies that are kept, and groups that have some.

use std::time::Duration;

use super::{House, Make};
use crate::{
    AttachmentRecord, Change, Error, GroupRecord, MembershipRecord, NewIdentity, PolicyOrigin, PolicyRecord,
};

const MINUTE: Duration = Duration::from_secs(60);

impl House {
    async fn put_policy(&self, name: &str, document: &str) {
        let records = self.registry.records();
        records.put_policy(name.to_owned(), document.to_owned(), self.by()).await.unwrap();
    }

    async fn policy(&self, name: &str) -> Option<PolicyRecord> {
        self.registry.records().policy(name.to_owned()).await.unwrap()
    }

    async fn remove_policy(&self, name: &str) -> Result<(), Error> {
        self.registry.records().remove_policy(name.to_owned(), self.by()).await
    }

    async fn person(&self, name: &str) -> String {
        let (name, password) = (name.to_owned(), "hash".to_owned());
        let new = NewIdentity { name, password, attachments: vec![], groups: vec![] };
        self.registry.records().add_identity(new, self.by()).await.unwrap()
    }

    async fn add_group(&self, name: &str) -> Result<(), Error> {
        self.registry.records().add_group(name.to_owned(), self.by()).await
    }

    async fn join(&self, group: &str, id: &str) -> Result<(), Error> {
        self.registry.records().join_group(group.to_owned(), id.to_owned(), self.by()).await
    }

    async fn attach(&self, group: &str, policy: &str, origin: PolicyOrigin) -> Result<(), Error> {
        self.registry.records().attach_to_group(group.to_owned(), attachment(policy), origin, self.by()).await
    }

    async fn groups(&self) -> Vec<GroupRecord> {
        self.registry.records().groups(String::new(), 100).await.unwrap().items
    }

    async fn memberships(&self, id: &str) -> Vec<MembershipRecord> {
        self.registry.records().identity(id.to_owned()).await.unwrap().unwrap().groups
    }
}

fn attachment(policy: &str) -> AttachmentRecord {
    AttachmentRecord { policy: policy.to_owned(), prefix: String::new() }
}

#[track_caller]
fn is_missing(outcome: &Result<(), Error>) {
    assert!(matches!(outcome, Err(Error::Missing(_))), "{outcome:?}");
}

pub async fn a_policy_is_kept_as_it_was_given_until_it_is_replaced(make: impl Make) {
    let house = House::open(&make).await;
    let first = house.clock.now();
    house.put_policy("own", "{ \"as\": \"given\" }").await;
    let house = house.reopened(&make).await;
    let kept = house.policy("own").await.unwrap();
    assert_eq!((kept.name.as_str(), kept.document.as_str()), ("own", "{ \"as\": \"given\" }"));
    assert_eq!((kept.created_at, kept.updated_at), (first, first));
    house.clock.advance(MINUTE);
    house.put_policy("own", "{}").await;
    let replaced = house.policy("own").await.unwrap();
    assert_eq!(replaced.document, "{}");
    assert_eq!((replaced.created_at, replaced.updated_at), (first, first.after(MINUTE)));
    assert_eq!(house.policy("other").await, None);
}

pub async fn policies_are_listed_in_order_of_name(make: impl Make) {
    let house = House::open(&make).await;
    for name in ["c", "a", "b"] {
        house.put_policy(name, "{}").await;
    }
    let policies = house.registry.records().policies(String::new(), 100).await.unwrap().items;
    assert_eq!(policies.iter().map(|policy| policy.name.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
}

pub async fn a_policy_that_somebody_has_is_not_removed_and_who_has_it_is_said(make: impl Make) {
    let house = House::open(&make).await;
    house.put_policy("own", "{}").await;
    let alice = house.person("alice").await;
    house.registry.records().attach(alice, attachment("own"), PolicyOrigin::Kept, house.by()).await.unwrap();
    house.add_group("team").await.unwrap();
    house.attach("team", "own", PolicyOrigin::Kept).await.unwrap();
    house.told();
    let refused = house.remove_policy("own").await;
    let Err(Error::PolicyAttached { policy, to }) = refused else { panic!("{refused:?}") };
    assert_eq!((policy.as_str(), to.as_str()), ("own", "alice, group team"));
    assert!(house.policy("own").await.is_some());
    assert_eq!(house.told(), []);
}

pub async fn a_policy_that_nobody_has_any_more_is_removed(make: impl Make) {
    let house = House::open(&make).await;
    house.put_policy("own", "{}").await;
    let (alice, records) = (house.person("alice").await, house.registry.records());
    records.attach(alice.clone(), attachment("own"), PolicyOrigin::Kept, house.by()).await.unwrap();
    records.detach(alice, attachment("own"), house.by()).await.unwrap();
    house.remove_policy("own").await.unwrap();
    assert_eq!(house.policy("own").await, None);
    is_missing(&house.remove_policy("own").await);
}

pub async fn only_a_document_that_is_kept_is_attached(make: impl Make) {
    let house = House::open(&make).await;
    let (alice, records) = (house.person("alice").await, house.registry.records());
    house.add_group("team").await.unwrap();
    is_missing(&records.attach(alice, attachment("own"), PolicyOrigin::Kept, house.by()).await);
    is_missing(&house.attach("team", "own", PolicyOrigin::Kept).await);
    house.attach("team", "reader", PolicyOrigin::Shipped).await.unwrap();
    house.put_policy("own", "{}").await;
    is_missing(&records.attach("nobody".to_owned(), attachment("own"), PolicyOrigin::Kept, house.by()).await);
    assert_eq!(house.number("SELECT COUNT(*) FROM attachments").await, 0);
}

pub async fn an_identity_comes_with_the_documents_of_its_own_and_of_its_groups_each_once(make: impl Make) {
    let house = House::open(&make).await;
    for name in ["both", "group", "own", "nobodys"] {
        house.put_policy(name, &format!("of {name}")).await;
    }
    let (alice, records) = (house.person("alice").await, house.registry.records());
    house.add_group("team").await.unwrap();
    house.join("team", &alice).await.unwrap();
    for policy in ["own", "both"] {
        records.attach(alice.clone(), attachment(policy), PolicyOrigin::Kept, house.by()).await.unwrap();
    }
    for policy in ["both", "group"] {
        house.attach("team", policy, PolicyOrigin::Kept).await.unwrap();
    }
    let documents = records.identity(alice).await.unwrap().unwrap().documents;
    let documents: Vec<_> = documents.iter().map(|kept| kept.document.as_str()).collect();
    assert_eq!(documents, ["of both", "of group", "of own"]);
}

pub async fn groups_are_listed_in_order_with_who_is_in_them_and_what_these_may(make: impl Make) {
    let house = House::open(&make).await;
    let (bob, alice) = (house.person("bob").await, house.person("alice").await);
    for group in ["team-b", "team-a"] {
        house.add_group(group).await.unwrap();
    }
    for id in [&bob, &alice] {
        house.join("team-a", id).await.unwrap();
    }
    for policy in ["reader", "developer"] {
        house.attach("team-a", policy, PolicyOrigin::Shipped).await.unwrap();
    }
    let house = house.reopened(&make).await;
    let created_at = house.clock.now();
    let attachments = vec![attachment("developer"), attachment("reader")];
    let members = vec!["alice".to_owned(), "bob".to_owned()];
    let full =
        GroupRecord { name: "team-a".to_owned(), created_at, members, attachments: attachments.clone() };
    let empty = GroupRecord { name: "team-b".to_owned(), created_at, members: vec![], attachments: vec![] };
    assert_eq!(house.groups().await, [full, empty]);
    assert_eq!(
        house.memberships(&alice).await,
        [MembershipRecord { group: "team-a".to_owned(), attachments }]
    );
}

pub async fn a_groups_name_that_is_taken_is_refused(make: impl Make) {
    let house = House::open(&make).await;
    house.add_group("team").await.unwrap();
    let alice = house.person("alice").await;
    house.join("team", &alice).await.unwrap();
    let again = house.add_group("team").await;
    assert!(matches!(again, Err(Error::Exists(_))), "{again:?}");
    assert_eq!(house.groups().await[0].members, ["alice"]);
}

pub async fn joining_and_attaching_twice_changes_nothing(make: impl Make) {
    let house = House::open(&make).await;
    let alice = house.person("alice").await;
    house.add_group("team").await.unwrap();
    for _ in 0..2 {
        house.join("team", &alice).await.unwrap();
        house.attach("team", "reader", PolicyOrigin::Shipped).await.unwrap();
    }
    let group = house.groups().await.remove(0);
    assert_eq!((group.members, group.attachments), (vec!["alice".to_owned()], vec![attachment("reader")]));
}

pub async fn who_left_a_group_is_in_it_no_more(make: impl Make) {
    let house = House::open(&make).await;
    let (alice, bob) = (house.person("alice").await, house.person("bob").await);
    house.add_group("team").await.unwrap();
    for id in [&alice, &bob] {
        house.join("team", id).await.unwrap();
    }
    let records = house.registry.records();
    records.leave_group("team".to_owned(), alice.clone(), house.by()).await.unwrap();
    assert_eq!(house.memberships(&alice).await, []);
    assert_eq!(house.groups().await[0].members, ["bob"]);
    is_missing(&records.leave_group("team".to_owned(), alice, house.by()).await);
}

pub async fn a_removed_group_takes_its_memberships_and_what_was_attached(make: impl Make) {
    let house = House::open(&make).await;
    let alice = house.person("alice").await;
    house.add_group("team").await.unwrap();
    house.join("team", &alice).await.unwrap();
    house.attach("team", "reader", PolicyOrigin::Shipped).await.unwrap();
    house.registry.records().remove_group("team".to_owned(), house.by()).await.unwrap();
    assert_eq!(house.memberships(&alice).await, []);
    house.add_group("team").await.unwrap();
    let anew = house.groups().await.remove(0);
    assert_eq!((anew.members, anew.attachments), (vec![], vec![]));
}

pub async fn a_removed_identity_is_in_no_group(make: impl Make) {
    let house = House::open(&make).await;
    let alice = house.person("alice").await;
    house.add_group("team").await.unwrap();
    house.join("team", &alice).await.unwrap();
    house.registry.records().remove_identity(alice, house.by()).await.unwrap();
    assert_eq!(house.groups().await[0].members, [""; 0]);
    assert_eq!(house.number("SELECT COUNT(*) FROM group_members").await, 0);
}

pub async fn what_is_missing_of_a_group_is_said_to_be_missing(make: impl Make) {
    let house = House::open(&make).await;
    let (alice, records) = (house.person("alice").await, house.registry.records());
    house.add_group("team").await.unwrap();
    house.told();
    is_missing(&records.remove_group("none".to_owned(), house.by()).await);
    is_missing(&house.join("none", &alice).await);
    is_missing(&house.join("team", "nobody").await);
    is_missing(&records.leave_group("none".to_owned(), alice.clone(), house.by()).await);
    is_missing(&records.leave_group("team".to_owned(), alice, house.by()).await);
    is_missing(&house.attach("none", "reader", PolicyOrigin::Shipped).await);
    is_missing(&records.detach_from_group("none".to_owned(), attachment("reader"), house.by()).await);
    is_missing(&records.detach_from_group("team".to_owned(), attachment("reader"), house.by()).await);
    assert_eq!(house.told(), []);
}

pub async fn every_change_of_what_a_policy_or_a_group_allows_is_told(make: impl Make) {
    let house = House::open(&make).await;
    let (alice, records) = (house.person("alice").await, house.registry.records());
    house.add_group("team").await.unwrap();
    house.told();
    house.put_policy("own", "{}").await;
    assert_eq!(house.told(), [Change::Directory]);
    house.join("team", &alice).await.unwrap();
    assert_eq!(house.told(), [Change::Directory]);
    house.attach("team", "own", PolicyOrigin::Kept).await.unwrap();
    assert_eq!(house.told(), [Change::Directory]);
    records.detach_from_group("team".to_owned(), attachment("own"), house.by()).await.unwrap();
    assert_eq!(house.told(), [Change::Directory]);
    records.attach(alice.clone(), attachment("own"), PolicyOrigin::Kept, house.by()).await.unwrap();
    assert_eq!(house.told(), [Change::Directory]);
    records.leave_group("team".to_owned(), alice, house.by()).await.unwrap();
    assert_eq!(house.told(), [Change::Directory]);
    records.remove_group("team".to_owned(), house.by()).await.unwrap();
    assert_eq!(house.told(), [Change::Directory]);
}
