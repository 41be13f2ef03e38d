//! The shipped policies, and the decisions they lead to.

use std::sync::Arc;

use super::*;
use crate::{Caller, Scope, parse_scopes};

fn alice(attachments: &[(&str, &str)]) -> Identity {
    let attachments = attachments.iter().map(|(policy, prefix)| {
        let (policy, prefix): (ShippedPolicy, RepositoryPrefix) =
            (policy.parse().unwrap(), prefix.parse().unwrap());
        let document = policy.document(&prefix, &account()).unwrap().into();
        Attached { attachment: Attachment { policy: policy.into(), prefix }, through: None, document }
    });
    Identity { attachments: attachments.collect(), ..identity("alice") }
}

fn allowed(caller: &Caller, action: Action, repository: Option<&RepositoryName>) -> bool {
    decide(caller, action, repository.map(without_policy), &nowhere(&account())).allowed
}

const fn without_policy(name: &RepositoryName) -> Target<'_> {
    Target { name, policy: None }
}

fn caller(attachments: &[(&str, &str)]) -> Caller {
    Caller::Identity(Arc::new(alice(attachments)))
}

fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

#[test]
fn a_prefix_covers_whole_components_only() {
    for (prefix, repository, covered) in [
        ("", "anything/at/all", true),
        ("team-a/", "team-a/app", true),
        ("team-a/", "team-a/app/web", true),
        ("team-a/", "team-a", false),
        ("team-a/", "team-ab/app", false),
        ("team-a/", "x/team-a/app", false),
        ("team-a", "team-a", true),
        ("team-a", "team-a/app", true),
        ("team-a", "team-ab", false),
        ("team-a", "team-ab/app", false),
        ("team-a/app", "team-a/app", true),
        ("team-a/app", "team-a/apple", false),
    ] {
        let reader = caller(&[("reader", prefix)]);
        let found = allowed(&reader, Action::BatchGetImage, Some(&name(repository)));
        assert_eq!(found, covered, "'{prefix}' and {repository}");
    }
}

#[test]
fn a_prefix_that_no_name_begins_with_is_refused() {
    for prefix in ["/", "/a", "a//", "A/", "a*", "*", "a/../", " ", "a-"] {
        assert!(prefix.parse::<RepositoryPrefix>().is_err(), "{prefix:?}");
    }
}

/// For each shipped policy on `team-a/`: the actions that it allows on a repository of its own.
#[test]
fn each_shipped_policy_allows_what_its_table_says() {
    use Action::*;
    let pull = [
        BatchGetImage,
        GetDownloadUrlForLayer,
        BatchCheckLayerAvailability,
        ListImages,
        ListImageReferrers,
        DescribeRepositories,
        GetAuthorizationToken,
    ];
    let push = [InitiateLayerUpload, UploadLayerPart, CompleteLayerUpload, PutImage, CreateRepository];
    let rest = [BatchDeleteImage, DeleteRepository];
    for (policy, actions) in [
        ("reader", pull.to_vec()),
        ("developer", [&pull[..], &push].concat()),
        ("admin", [&pull[..], &push, &rest].concat()),
    ] {
        let caller = caller(&[(policy, "team-a/")]);
        for action in Action::ALL {
            let own = allowed(&caller, action, Some(&name("team-a/app")));
            assert_eq!(own, actions.contains(&action), "{policy} {action}");
            let other = allowed(&caller, action, Some(&name("team-b/app")));
            assert!(!other, "{policy} {action}");
        }
    }
}

#[test]
fn only_the_admin_of_everything_administers() {
    for action in [Action::ManageUsers, Action::ReadMetrics] {
        assert!(allowed(&caller(&[("admin", "")]), action, None));
        assert!(!allowed(&caller(&[("admin", "team-a/")]), action, None));
        assert!(!allowed(&caller(&[("developer", "")]), action, None));
        assert!(!allowed(&caller(&[("admin", "")]), action, Some(&name("a"))));
    }
}

#[test]
fn an_action_on_a_repository_needs_one() {
    let admin = caller(&[("admin", "")]);
    for action in Action::ALL {
        let listed = matches!(action, Action::DescribeRepositories | Action::GetAuthorizationToken);
        let expected = listed || action.is_administrative();
        assert_eq!(allowed(&admin, action, None), expected, "{action}");
    }
}

#[test]
fn the_catalog_is_open_to_all_who_have_anything_attached() {
    assert!(allowed(&caller(&[("reader", "team-a/")]), Action::DescribeRepositories, None));
    assert!(!allowed(&caller(&[]), Action::DescribeRepositories, None));
}

#[test]
fn anonymous_and_disabled_callers_may_do_nothing() {
    let disabled = Caller::Identity(Arc::new(Identity { disabled: true, ..alice(&[("admin", "")]) }));
    for action in Action::ALL {
        for repository in [None, Some(&name("a"))] {
            assert!(!allowed(&Caller::Anonymous, action, repository), "{action}");
            assert!(!allowed(&disabled, action, repository), "{action}");
        }
    }
}

#[test]
fn every_decision_says_why() {
    let app = name("team-b/app");
    let both = caller(&[("developer", "team-a/"), ("reader", "")]);
    let disabled = Caller::Identity(Arc::new(Identity { disabled: true, ..alice(&[]) }));
    for (caller, action, repository, sentence) in [
        (
            &both,
            Action::PutImage,
            Some(&name("team-a/app")),
            "allowed: developer on team-a/ attached to alice",
        ),
        (&both, Action::BatchGetImage, Some(&app), "allowed: reader on every repository attached to alice"),
        (
            &both,
            Action::PutImage,
            Some(&app),
            "denied: no policy attached to alice allows ecr:PutImage on team-b/app",
        ),
        (&both, Action::ManageUsers, None, "denied: no policy attached to alice allows berth:ManageUsers"),
        (&disabled, Action::PutImage, Some(&app), "denied: alice is disabled"),
        (
            &Caller::Anonymous,
            Action::PutImage,
            Some(&app),
            "denied: without a login only a repository's own policy allows anything",
        ),
    ] {
        let account = account();
        let target = repository.map(without_policy);
        assert_eq!(decide(caller, action, target, &nowhere(&account)).to_string(), sentence);
    }
}

#[test]
fn a_token_is_granted_the_words_behind_which_anything_is_allowed() {
    let asked = parse_scopes([
        "repository:team-a/app:pull,push,delete repository:team-b/app:pull,push registry:catalog:*",
    ]);
    for (caller, granted) in [
        (caller(&[("developer", "team-a/")]), vec!["repository:team-a/app:pull,push", "registry:catalog:*"]),
        // A reader's push word carries BatchCheckLayerAvailability: the push itself is then DENIED,
        // with a sentence, instead of asked for a better token again and again.
        (caller(&[("reader", "team-b")]), vec!["repository:team-b/app:pull,push", "registry:catalog:*"]),
        (
            caller(&[("admin", "")]),
            vec![
                "repository:team-a/app:pull,push,delete",
                "repository:team-b/app:pull,push",
                "registry:catalog:*",
            ],
        ),
        (caller(&[]), vec![]),
        (Caller::Anonymous, vec![]),
    ] {
        let written: Vec<_> = granted_scopes(&caller, &asked, |_| None, &nowhere(&account()))
            .iter()
            .map(Scope::to_string)
            .collect();
        assert_eq!(written, granted);
    }
}

#[test]
fn a_decision_through_a_group_names_it() {
    let mut member = alice(&[("reader", "")]);
    member.attachments[0].through = Some("devs".parse().unwrap());
    let (caller, app, account) = (Caller::Identity(Arc::new(member)), name("app"), account());
    assert_eq!(
        decide(&caller, Action::BatchGetImage, Some(without_policy(&app)), &nowhere(&account)).to_string(),
        "allowed: reader on every repository attached to the group devs, which alice is in"
    );
}
