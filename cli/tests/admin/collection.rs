//! `berth admin gc`, `berth admin repo undelete`, `history` and `usage`

use crate::House;

#[test]
fn a_removed_repository_is_forecast_and_comes_back() {
    let house = House::new();
    let server = house.serve();
    assert_eq!(server.admin("gc --dry-run").succeeds().trim(), "Nothing; all that is here is needed");
    assert_eq!(server.admin("gc --wait").succeeds().trim(), "Freed 0B in 0 manifests and 0 blobs");
    assert_eq!(
        server.admin("gc --wait --format json").succeeds().trim(),
        r#"{"manifests":0,"blobs":0,"bytes":0}"#
    );
    server.admin("gc").succeeds();
    server.admin("repo create team-a/app").succeeds();
    assert_eq!(
        server.admin("repo undelete team-a/app").fails(),
        "bringing back the repository team-a/app: repository team-a/app exists already"
    );
    server.admin("repo rm team-a/app").succeeds();
    server.admin("repo undelete team-a/app").succeeds();
    server.admin("repo show team-a/app").succeeds();
    let usage = server.admin("repo usage").succeeds();
    let lines: Vec<Vec<_>> = usage.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[1], ["team-a/app", "0", "0B", "0B", "0B"]);
    assert_eq!(lines[2], ["in", "all", "0", "0B", "-", "-"]);
}

#[test]
fn what_was_never_there_does_not_come_back() {
    let house = House::new();
    house.offline("repo create team-a/app").succeeds();
    assert_eq!(house.offline("repo undelete team-a/app --list --format json").succeeds().trim(), "[]");
    assert_eq!(
        house.offline("repo undelete team-a/app v1").fails(),
        "bringing back v1 of team-a/app: something deleted under v1 in team-a/app that is not collected yet does \
         not exist"
    );
    assert_eq!(
        house.offline("repo history team-b/app v1").fails(),
        "asking what team-b/app:v1 pointed at: repository team-b/app is not known"
    );
    assert_eq!(
        house.offline("gc --wait").fails(),
        "collecting what nobody needs: that takes the blob store, too; start the server, log in and leave \
         --data out"
    );
}

const RULES: &str = r#"{"rules":[{"rulePriority":1,"selection":{"tagStatus":"untagged",
  "countType":"sinceImagePushed","countUnit":"days","countNumber":14},"action":{"type":"expire"}}]}
"#;

#[test]
fn a_retention_policy_is_put_shown_previewed_and_removed() {
    let house = House::new();
    house.offline("repo create team-a/app").succeeds();
    house.offline_with_input("repo retention team-a/ put -", RULES).succeeds();
    let server = house.serve();
    assert_eq!(server.admin("repo retention team-a/ show").succeeds(), RULES);
    assert_eq!(server.admin("repo retention team-a/app preview --format json").succeeds().trim(), "[]");
    assert_eq!(
        server.admin("repo retention team-a/ preview").fails(),
        "asking what of team-a/ would expire: name one repository; that is done one by one"
    );
    assert_eq!(
        server.admin("repo retention team-a/app apply").succeeds().trim(),
        "0 tags expired, and 0 images with their last one"
    );
    server.admin("repo retention team-a/ rm").succeeds();
    assert_eq!(
        server.admin("repo retention team-a/app preview").fails(),
        "asking what of team-a/app would expire: a retention policy for team-a/app does not exist"
    );
    assert_eq!(
        server.admin_with_input("repo retention * put -", "{}").fails(),
        "putting the retention policy of *: the retention policy is not one: missing field `rules` at line 1 \
         column 2"
    );
}

#[test]
fn how_long_a_repository_keeps_untagged_images_is_set() {
    let house = House::new();
    house.offline("repo create team-a/app").succeeds();
    house.offline("repo untagged team-a/app 14d").succeeds();
    let wrong = "setting how long team-a/app keeps untagged images: \"long\" is no time to keep untagged images \
                 for; write 14d, never or default";
    assert_eq!(house.offline("repo untagged team-a/app long").fails(), wrong);
    let server = house.serve();
    server.admin("repo untagged team-a/app never").succeeds();
    assert_eq!(server.admin("repo untagged team-a/app long").fails(), wrong);
}
