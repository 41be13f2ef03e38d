//! `berth admin group` and `berth admin explain`

use crate::{House, PASSWORD};

#[test]
fn a_user_may_what_her_groups_may_until_she_leaves() {
    let house = House::new();
    let server = house.serve();
    server.admin_with_input("user add alice --password-stdin", PASSWORD).succeeds();
    server.admin("group add team-a").succeeds();
    server.admin("policy attach developer --group team-a --prefix team-a/").succeeds();
    let tags = || server.get("/v2/team-a/app/tags/list", Some("alice")).map(|(status, _)| status);
    assert_eq!(tags(), Some(403));
    server.admin("group join team-a alice").succeeds();
    // Allowed, and not there.
    assert_eq!(tags(), Some(404));
    assert_eq!(
        server.admin("explain alice ecr:PutImage team-a/app").succeeds().trim_end(),
        "allowed: Push of developer on team-a/ attached to the group team-a, which alice is in"
    );
    server.admin("group leave team-a alice").succeeds();
    assert_eq!(tags(), Some(403));
    server.admin("group join team-a alice").succeeds();
    server.admin("group rm team-a").succeeds();
    assert_eq!(tags(), Some(403));
}

#[test]
fn groups_are_listed_with_who_is_in_them_and_what_they_may() {
    let house = House::new();
    for arguments in [
        "user add alice",
        "group add team-a",
        "group add empty",
        "user add bob --group team-a",
        "group join team-a alice",
        "group join team-a alice",
        "policy attach reader --group team-a",
        "policy attach developer --group team-a --prefix team-a/",
    ] {
        house.offline(arguments).succeeds();
    }
    let lines = "NAME     MEMBERS      POLICIES\n\
                 empty\n\
                 team-a   alice, bob   developer on team-a/, reader\n";
    assert_eq!(house.offline("group list").succeeds(), lines);
    assert!(house.offline("user show bob").succeeds().contains("team-a"));
    house.offline("user rm bob").succeeds();
    house.offline("policy detach reader --group team-a").succeeds();
    let json = house.offline("group list --format jsonl").succeeds();
    assert!(
        json.contains(r#""members":["alice"],"policies":[{"policy":"developer","prefix":"team-a/"}]"#),
        "{json}"
    );
}

#[test]
fn what_can_not_be_done_to_groups_is_said() {
    let house = House::new();
    house.offline("user add alice").succeeds();
    house.offline("group add team-a").succeeds();
    for (arguments, sentence) in [
        ("group add team-a", "adding the group team-a: group team-a exists already"),
        ("user add carol --group team-b", "adding the user carol: group team-b does not exist"),
        ("group rm team-b", "removing the group team-b: group team-b does not exist"),
        ("group join team-b alice", "putting alice into the group team-b: group team-b does not exist"),
        ("group join team-a bob", "putting bob into the group team-a: user bob does not exist"),
        (
            "group leave team-a alice",
            "taking alice out of the group team-a: the membership in group team-a does not exist",
        ),
        ("policy attach own --group team-a", "attaching own to the group team-a: policy own does not exist"),
        (
            "policy attach reader --group team-b",
            "attaching reader to the group team-b: group team-b does not exist",
        ),
    ] {
        assert_eq!(house.offline(arguments).fails(), sentence, "{arguments}");
    }
    let everything = r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    house.offline_with_input("policy put own -", everything).succeeds();
    house.offline("policy attach own --group team-a").succeeds();
    assert_eq!(
        house.offline("policy rm own").fails(),
        "removing the policy own: policy own is attached to group team-a; detach it first"
    );
}

#[test]
fn a_decision_is_explained_with_the_statement_that_made_it() {
    let house = House::new();
    let own = r#"{"Version":"2012-10-17","Statement":[
        {"Sid":"NotFromOutside","Effect":"Deny","Action":"ecr:Put*","Resource":"*",
         "Condition":{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}}},
        {"Effect":"Allow","Action":"ecr:PutImage","Resource":"arn:aws:ecr:*:*:repository/b"}]}"#;
    house.offline("user add alice").succeeds();
    house.offline_with_input("policy put own -", own).succeeds();
    house.offline("policy attach own --user alice").succeeds();
    house.offline("policy attach developer --user alice --prefix team-a/").succeeds();
    for (arguments, sentence) in [
        (
            "ecr:PutImage team-a/app --from 10.1.2.3",
            "allowed: Push of developer on team-a/ attached to alice",
        ),
        ("ecr:PutImage b --from 10.1.2.3", "allowed: Statement[1] of own attached to alice"),
        ("ecr:PutImage team-a/app --from 11.1.2.3", "denied: NotFromOutside of own attached to alice"),
        ("ecr:PutImage c --from 10.1.2.3", "denied: no policy attached to alice allows ecr:PutImage on c"),
        ("ecr:DescribeRepositories", "allowed: LogInAndList of developer on team-a/ attached to alice"),
        ("berth:ManageUsers", "denied: no policy attached to alice allows berth:ManageUsers"),
    ] {
        let said = house.offline(&format!("explain alice {arguments}")).succeeds();
        assert_eq!(said.trim_end(), sentence, "{arguments}");
    }
    assert_eq!(
        house.offline("explain alice ecr:PutImage b --from 10.0.0.1 --format jsonl").succeeds().trim_end(),
        r#"{"allowed":true,"policy":"own","statement":"Statement[1]","sentence":"allowed: Statement[1] of own attached to alice"}"#
    );
    house.offline("repo create b").succeeds();
    let anonymous = "explain anonymous ecr:BatchGetImage b";
    assert_eq!(
        house.offline(anonymous).succeeds().trim_end(),
        "denied: without a login only a repository's own policy allows anything"
    );
    house.offline("repo public b").succeeds();
    let said = house.offline(anonymous).succeeds();
    assert!(said.starts_with("allowed: "), "{said}");
    assert_eq!(
        house.offline("explain bob ecr:PutImage b").fails(),
        "explaining what bob may do: user bob does not exist"
    );
}

#[test]
fn a_list_longer_than_a_page_is_shown_whole() {
    let house = House::new();
    house.offline("group add first").succeeds();
    let database = rusqlite::Connection::open(house.path().join("data/registry/metadata.db")).unwrap();
    let many = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 2100)
                INSERT INTO user_groups (name, created_at) SELECT 'group-' || n, 0 FROM numbers";
    assert_eq!(database.execute(many, []).unwrap(), 2100);
    drop(database);
    let offline = house.offline("group list --format jsonl").succeeds();
    assert_eq!(offline.lines().count(), 2101);
    let server = house.serve();
    assert_eq!(server.admin("group list --format jsonl").succeeds(), offline);
}
