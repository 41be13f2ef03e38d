//! `berth admin repo`

use crate::House;

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
