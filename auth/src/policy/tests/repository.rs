//! What is attached to a user, beside what the repository's own policy says.

use std::sync::Arc;

use super::*;
use crate::{Caller, Scope, parse_scopes};

/// Alice with this document, if any.
fn alice(attached: &str) -> Caller {
    let mut identity = identity("alice");
    if !attached.is_empty() {
        let document = IdentityPolicy::parse(&document(attached), &account()).unwrap().into();
        let attachment = Attachment { policy: "own".parse().unwrap(), prefix: RepositoryPrefix::all() };
        identity.attachments.push(Attached { attachment, through: None, document });
    }
    Caller::Identity(Arc::new(identity))
}

fn of_repository(text: &str) -> Option<RepositoryPolicy> {
    (!text.is_empty()).then(|| RepositoryPolicy::parse(&document(text), &account()).unwrap())
}

const ALLOWED_BY_OWN: &str = "allowed: own attached to alice";
const ALLOWED_BY_APP: &str = "allowed: the policy of the repository app";
const DENIED_BY_OWN: &str = "denied: own attached to alice";
const DENIED_BY_APP: &str = "denied: the policy of the repository app";
const ALICE_NOTHING: &str = "denied: no policy attached to alice allows ecr:BatchGetImage on app";
const NOBODY_NOTHING: &str = "denied: without a login only a repository's own policy allows anything";
const PULL: &str = "ecr:BatchGetImage";

#[test]
fn both_documents_decide_together() {
    let (yes, no) = (format!("Allow {PULL} on *"), format!("Deny {PULL} on *"));
    let (all, none) = (format!("Allow {PULL} for *"), format!("Deny {PULL} for *"));
    let (own, others) = (format!("Allow {PULL} for alice"), format!("Allow {PULL} for bob"));
    let known = format!("Allow {PULL} for 000000000000");
    let push = "Allow ecr:PutImage for *".to_owned();
    for (attached, policy, expected) in [
        ("", "", ALICE_NOTHING),
        (&yes, "", ALLOWED_BY_OWN),
        (&no, "", DENIED_BY_OWN),
        ("", &all, ALLOWED_BY_APP),
        ("", &own, ALLOWED_BY_APP),
        ("", &known, ALLOWED_BY_APP),
        ("", &others, ALICE_NOTHING),
        ("", &push, ALICE_NOTHING),
        ("", &none, DENIED_BY_APP),
        (&yes, &all, ALLOWED_BY_OWN),
        (&yes, &none, DENIED_BY_APP),
        (&no, &all, DENIED_BY_OWN),
        (&no, &none, DENIED_BY_OWN),
    ] as [(&str, &str, &str); 13]
    {
        let (caller, policy, name, account) =
            (alice(attached), of_repository(policy), "app".parse().unwrap(), account());
        let target = Target { name: &name, policy: policy.as_ref() };
        let decision = decide(&caller, Action::BatchGetImage, Some(target), &nowhere(&account));
        assert_eq!(decision.to_string(), expected, "'{attached}' and '{policy:?}'");
    }
}

#[test]
fn whoever_has_not_logged_in_may_do_what_a_repository_allows_everyone() {
    for (policy, expected) in [
        ("", NOBODY_NOTHING),
        ("Allow ecr:BatchGetImage for *", ALLOWED_BY_APP),
        ("Allow ecr:BatchGetImage for alice", NOBODY_NOTHING),
        ("Allow ecr:BatchGetImage for 000000000000", NOBODY_NOTHING),
        ("Allow ecr:PutImage for *", NOBODY_NOTHING),
        ("Allow ecr:BatchGetImage for !alice", ALLOWED_BY_APP),
        ("Allow ecr:* for *; Deny ecr:Batch* for *", DENIED_BY_APP),
        ("Allow ecr:BatchGetImage for * if IpAddress aws:SourceIp 10.0.0.0/8", NOBODY_NOTHING),
        ("Allow ecr:BatchGetImage for * if Bool aws:SecureTransport false", ALLOWED_BY_APP),
    ] {
        let (policy_read, name, account) = (of_repository(policy), "app".parse().unwrap(), account());
        let target = Target { name: &name, policy: policy_read.as_ref() };
        let decision = decide(&Caller::Anonymous, Action::BatchGetImage, Some(target), &nowhere(&account));
        assert_eq!(decision.to_string(), expected, "{policy}");
    }
}

#[test]
fn a_repository_allows_a_disabled_user_nothing() {
    let disabled = Caller::Identity(Arc::new(Identity { disabled: true, ..identity("alice") }));
    let (policy, name, account) = (of_repository("Allow ecr:* for *"), "app".parse().unwrap(), account());
    let target = Target { name: &name, policy: policy.as_ref() };
    let decision = decide(&disabled, Action::BatchGetImage, Some(target), &nowhere(&account));
    assert_eq!(decision.to_string(), "denied: alice is disabled");
}

#[test]
fn everyone_pulls_from_a_public_repository_and_does_nothing_else() {
    use Action::*;
    let (policy, name, account) =
        (RepositoryPolicy::parse(PUBLIC_PULL, &account()).unwrap(), "app".parse().unwrap(), account());
    let target = Target { name: &name, policy: Some(&policy) };
    let pull = [
        BatchGetImage,
        GetDownloadUrlForLayer,
        BatchCheckLayerAvailability,
        ListImages,
        ListImageReferrers,
        DescribeRepositories,
    ];
    for caller in [Caller::Anonymous, alice("")] {
        for action in Action::ALL {
            let decision = decide(&caller, action, Some(target), &nowhere(&account));
            assert_eq!(decision.allowed, pull.contains(&action), "{action}");
        }
    }
}

#[test]
fn a_token_says_what_repositories_allow() {
    let (public, account) = (of_repository(&format!("Allow {PULL} for *")), account());
    let asked =
        parse_scopes(["repository:app:pull,push repository:other:pull,push,delete registry:catalog:*"]);
    let policy_of = |name: &RepositoryName| public.as_ref().filter(|_| name.as_str() == "app");
    for caller in [Caller::Anonymous, alice("")] {
        let granted = granted_scopes(&caller, &asked, policy_of, &nowhere(&account));
        let written: Vec<_> = granted.iter().map(Scope::to_string).collect();
        assert_eq!(written, ["repository:app:pull"]);
    }
}
