//! What a build gives back.

use std::fs;

use conformance_tests::{ADMIN_PASSWORD, Berth};
use serde_json::{Value, json};

use crate::workshop::{BASE, Workshop};

#[test]
fn the_id_is_the_result_and_files_can_say_more() {
    let workshop = Workshop::new();
    workshop.dockerfile(&format!("FROM {BASE}\nRUN true\n"));
    let (id, metadata) = (workshop.path("id"), workshop.path("metadata"));
    let build = workshop.program().args(["build", "-q", "-t", "one", "-t", "two:2", "--iidfile"]).arg(&id);
    let outcome = build.arg("--metadata-file").arg(&metadata).arg(workshop.context()).succeeds();
    assert_eq!(outcome.stderr, "");
    assert_eq!(fs::read_to_string(&id).unwrap(), outcome.line());
    let metadata: Value = serde_json::from_slice(&fs::read(&metadata).unwrap()).unwrap();
    assert_eq!(metadata["containerimage.config.digest"], json!(outcome.line()));
    assert_eq!(metadata["image.name"], json!("docker.io/library/one:latest,docker.io/library/two:2"));
    for name in ["one", "two:2"] {
        let inspected = workshop.program().args(["inspect", name]).succeeds().json();
        assert_eq!(inspected[0]["Id"], json!(outcome.line()));
    }
}

#[test]
fn progress_is_lines_for_people_or_json() {
    let workshop = Workshop::new();
    workshop.dockerfile(&format!("FROM {BASE}\nRUN echo hello\n"));
    let plain = workshop.build("--progress plain").succeeds();
    plain.says("#1 [2/2] RUN echo hello");
    let json = workshop.build("--progress json --no-cache").succeeds();
    let events: Vec<Value> = json.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["began", "output", "done"]);
    assert_eq!(events[1]["line"], json!("hello"));
}

#[test]
fn an_image_is_pushed_under_its_names_and_builds_start_from_what_a_registry_has() {
    let workshop = Workshop::new();
    let berth = Berth::start();
    let login = ["login", "-u", "admin", "--password-stdin", &berth.host()];
    workshop.program().args(login).stdin(ADMIN_PASSWORD).succeeds();
    let name = berth.reference("team/app:1");
    workshop.dockerfile(&format!("FROM {BASE}\nRUN echo pushed > /x\n"));
    workshop.build(&format!("-t {name} --push")).succeeds();
    // Another machine, which has nothing.
    workshop.dockerfile(&format!("FROM {name}\nRUN cat /x > /y\n"));
    let build =
        workshop.program().env("BERTH_DATA", workshop.path("elsewhere")).args(["build", "-q", "-t", "made"]);
    build.arg(workshop.context()).succeeds();
    let run = ["run", "--rm", "--network", "none", "made", "cat", "/y"];
    let ran = workshop.program().env("BERTH_DATA", workshop.path("elsewhere")).args(run).succeeds();
    assert_eq!(ran.stdout, "pushed\n");
}

#[test]
fn an_archive_is_written_that_can_be_loaded_elsewhere() {
    let workshop = Workshop::new();
    workshop.dockerfile(&format!("FROM {BASE}\nRUN echo archived > /x\n"));
    for kind in ["oci", "docker"] {
        let archive = workshop.path(&format!("{kind}.tar"));
        let output = format!("type={kind},dest={}", archive.display());
        workshop.program().args(["build", "-t", "made", "-o", &output]).arg(workshop.context()).succeeds();
        let other = workshop.path(&format!("other-{kind}"));
        workshop.program().env("BERTH_DATA", &other).args(["load", "-i"]).arg(&archive).succeeds();
        let run = ["run", "--rm", "--network", "none", "made", "cat", "/x"];
        assert_eq!(workshop.program().env("BERTH_DATA", &other).args(run).succeeds().stdout, "archived\n");
    }
}
