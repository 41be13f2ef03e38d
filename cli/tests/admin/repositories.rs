//! `berth admin repo`

use crate::House;

#[test]
fn a_repository_is_made_shown_listed_and_removed() {
    let house = House::new();
    house.offline("repo create team-a/app --immutable-except dev-* --description Ours").succeeds();
    let again = house.offline("repo create team-a/app").fails();
    assert_eq!(again, "making the repository team-a/app: repository team-a/app exists already");
    let server = house.serve();
    server.admin("repo create team-a/other --immutable").succeeds();
    let list = server.admin("repo list").succeeds();
    let lines: Vec<_> =
        list.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        lines,
        [
            "NAME IMAGES TAGS POLICY DESCRIPTION",
            "team-a/app 0 immutable except dev-* - Ours",
            "team-a/other 0 immutable -",
        ]
    );
    server.admin("repo public team-a/app").succeeds();
    assert!(server.admin("repo show team-a/app --format json").succeeds().contains("\"own_policy\":true"));
    server.admin("repo rm team-a/app").succeeds();
    assert_eq!(
        server.admin("repo rm team-a/app").fails(),
        "removing the repository team-a/app: repository team-a/app is not known"
    );
    server.admin("repo create team-a/app").succeeds();
    assert_eq!(
        server.admin("repo policy team-a/app show").fails(),
        "showing the policy of team-a/app: a policy of the repository team-a/app does not exist"
    );
}

const PULL: &str = r#"{
  "Version": "2012-10-17",
  "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}]
}
"#;

#[test]
fn policies_of_a_repository_that_is_not_there_are_refused() {
    let house = House::new();
    let not_known = "repository team-a/app is not known";
    for (arguments, tried) in [
        ("repo policy team-a/app put -", "putting the policy of team-a/app"),
        ("repo policy team-a/app show", "showing the policy of team-a/app"),
        ("repo policy team-a/app rm", "removing the policy of team-a/app"),
        ("repo public team-a/app", "making team-a/app public"),
        ("repo public team-a/app --off", "making team-a/app private again"),
    ] {
        assert_eq!(house.offline_with_input(arguments, PULL).fails(), format!("{tried}: {not_known}"));
    }
    let server = house.serve();
    assert_eq!(
        server.admin("repo public team-a/app").fails(),
        format!("making team-a/app public: {not_known}")
    );
}
