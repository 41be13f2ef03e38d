//! `berth admin policy`

use crate::{House, PASSWORD};

const PULL_DEMO: &str = r#"{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "PullOwn",
      "Effect": "Allow",
      "Action": ["ecr:BatchGetImage", "ecr:ListImages"],
      "Resource": "arn:aws:ecr:*:*:repository/${aws:username}/*"
    },
    {"Sid": "NoSecrets", "Effect": "Deny", "Action": "*", "Resource": "arn:aws:ecr:*:*:repository/*/secret"}
  ]
}
"#;

#[test]
fn a_document_is_kept_shown_attached_and_removed() {
    let house = House::new();
    house.offline_with_input("policy put own -", PULL_DEMO).succeeds();
    assert_eq!(house.offline("policy show own").succeeds(), PULL_DEMO);
    let list = house.offline("policy list").succeeds();
    let names: Vec<_> = list.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names, ["NAME", "reader", "developer", "admin", "own"]);
    house.offline_with_input("user add alice --password-stdin", PASSWORD).succeeds();
    house.offline("policy attach own --user alice").succeeds();
    assert!(house.offline("user show alice").succeeds().contains("own"));
    assert_eq!(
        house.offline("policy rm own").fails(),
        "removing the policy own: policy own is attached to alice; detach it first"
    );
    house.offline("policy detach own --user alice").succeeds();
    house.offline("policy rm own").succeeds();
    assert_eq!(house.offline("policy show own").fails(), "showing the policy own: policy own does not exist");
}

#[test]
fn a_shipped_document_can_be_put_under_another_name() {
    let house = House::new();
    let reader = house.offline("policy show reader").succeeds();
    house.offline_with_input("policy put my-reader -", &reader).succeeds();
    assert_eq!(house.offline("policy show my-reader").succeeds(), reader);
}

#[test]
fn what_can_not_be_done_to_policies_is_said() {
    let house = House::new();
    house.offline_with_input("user add alice --password-stdin", PASSWORD).succeeds();
    for (arguments, input, sentence) in [
        (
            "policy put own -",
            r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Maybe"}]}"#,
            "putting the policy own: Statement[1].Effect: expected \"Allow\" or \"Deny\", found 'Maybe'",
        ),
        (
            "policy put reader -",
            PULL_DEMO,
            "putting the policy reader: the policy reader comes with Berth and can't be replaced or removed; \
             choose another name",
        ),
        (
            "policy rm admin",
            "",
            "removing the policy admin: the policy admin comes with Berth and can't be replaced or removed; \
             choose another name",
        ),
        ("policy rm own", "", "removing the policy own: policy own does not exist"),
        ("policy attach own --user alice", "", "attaching own to alice: policy own does not exist"),
        (
            "policy attach own --user alice --prefix team-a/",
            "",
            "attaching own to alice: the policy own says itself which repositories it is about; leave out \
             the prefix",
        ),
        ("policy attach reader --user bob", "", "attaching reader to bob: user bob does not exist"),
    ] {
        assert_eq!(house.offline_with_input(arguments, input).fails(), sentence, "{arguments}");
    }
}

#[test]
fn a_changed_document_is_in_force_at_the_next_request() {
    let house = House::new();
    let server = house.serve();
    server.admin_with_input("user add alice --password-stdin", PASSWORD).succeeds();
    server.admin_with_input("policy put own -", PULL_DEMO).succeeds();
    let tags = |repository: &str| {
        let (status, body) = server.get(&format!("/v2/{repository}/tags/list"), Some("alice")).unwrap();
        (status, body.split('"').find(|part| part.contains("attached")).unwrap_or_default().to_owned())
    };
    let nothing = "no policy attached to alice allows ecr:ListImages on alice/app; ask an administrator";
    assert_eq!(tags("alice/app"), (403, nothing.to_owned()));
    server.admin("policy attach own --user alice").succeeds();
    // Allowed, and not there.
    assert_eq!(tags("alice/app").0, 404);
    assert_eq!(tags("bob/app").0, 403);
    let denied = "a policy attached to alice denies ecr:ListImages on alice/secret; ask an administrator";
    assert_eq!(tags("alice/secret"), (403, denied.to_owned()));
    let from_elsewhere = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*",
        "Condition":{"NotIpAddress":{"aws:SourceIp":"127.0.0.0/8"}}}}"#;
    server.admin_with_input("policy put own -", from_elsewhere).succeeds();
    assert_eq!(tags("alice/app"), (403, nothing.to_owned()));
    server.admin_with_input("policy put own -", &from_elsewhere.replace("NotIp", "Ip")).succeeds();
    assert_eq!(tags("alice/app").0, 404);
    server.admin("policy detach own --user alice").succeeds();
    assert_eq!(tags("alice/app"), (403, nothing.to_owned()));
    let sentence = server.admin_with_input("policy put own -", "{}").fails();
    assert_eq!(sentence, "putting the policy own: the document: expected the element Statement, found none");
    server.admin("policy rm own").succeeds();
}
