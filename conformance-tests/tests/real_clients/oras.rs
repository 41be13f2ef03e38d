//! oras.

use std::path::Path;

use conformance_tests::{ADMIN_PASSWORD, Program};

use crate::support::{Table, busybox_layout, digest, stranger};

fn oras(home: &Path, arguments: &str) -> Program {
    Program::tool("oras").home(home).current_dir(home).args(arguments.split_whitespace())
}

/// An image in the registry with a signature and a bill of materials attached, and its digest.
fn image_with_two_referrers(table: &Table, repository: &str) -> String {
    let (layout, digest) = busybox_layout(&table.home().join("layout"));
    let image = table.reference(&format!("{repository}:1"));
    let copy = oras(table.home(), "cp --to-plain-http --from-oci-layout");
    copy.arg(format!("{}:1", layout.folder().display())).arg(&image).succeeds();
    std::fs::write(table.home().join("about.json"), r#"{"about": "it"}"#).expect("writing a file");
    for kind in ["application/vnd.example.signature", "application/vnd.example.sbom"] {
        let attach = oras(table.home(), "attach --plain-http --artifact-type").arg(kind).arg(&image);
        attach.arg("about.json:application/json").succeeds();
    }
    digest
}

fn referrers(table: &Table, arguments: &str, reference: &str) -> Vec<String> {
    let discover =
        oras(table.home(), "discover --plain-http --format json").args(arguments.split_whitespace());
    let found = discover.arg(reference).succeeds().json();
    let key = if found["referrers"].is_array() { "referrers" } else { "manifests" };
    let found = found[key].as_array().unwrap_or_else(|| panic!("no list: {found}")).iter();
    let mut types: Vec<_> =
        found.map(|one| one["artifactType"].as_str().expect("a type").to_owned()).collect();
    types.sort();
    types
}

#[test]
fn oras_logs_in_with_the_right_password_and_not_with_a_wrong_one() {
    let (berth, home) = stranger();
    let login = |password: &str| {
        let login = oras(home.path(), "login --plain-http --username admin --password-stdin");
        login.arg(berth.host()).stdin(password)
    };
    login("wrong").fails().says("unauthorized: wrong user name or password");
    login(ADMIN_PASSWORD).succeeds().says("Login Succeeded");
}

#[test]
fn oras_pushes_an_artifact_of_files_and_pulls_them_back() {
    let table = Table::new();
    let reference = table.reference("team/files:1");
    std::fs::write(table.home().join("a.txt"), "one").unwrap();
    std::fs::write(table.home().join("b.txt"), "two").unwrap();
    let push = oras(table.home(), "push --plain-http --artifact-type application/vnd.example.files");
    push.arg(&reference).args(["a.txt:text/plain", "b.txt"]).succeeds();
    let back = table.home().join("back");
    oras(table.home(), "pull --plain-http --output").arg(&back).arg(&reference).succeeds();
    assert_eq!(std::fs::read_to_string(back.join("a.txt")).unwrap(), "one");
    assert_eq!(std::fs::read_to_string(back.join("b.txt")).unwrap(), "two");
}

#[test]
fn oras_discovers_the_referrers_of_an_image_and_filters_them_by_type() {
    let table = Table::new();
    let digest = image_with_two_referrers(&table, "team/app");
    let both = ["application/vnd.example.sbom", "application/vnd.example.signature"];
    assert_eq!(referrers(&table, "", &table.reference("team/app:1")), both);
    assert_eq!(referrers(&table, "", &table.reference(&format!("team/app@{digest}"))), both);
    let filter = "--artifact-type application/vnd.example.sbom";
    assert_eq!(referrers(&table, filter, &table.reference("team/app:1")), ["application/vnd.example.sbom"]);
}

#[test]
fn oras_makes_no_fallback_tag_because_the_registry_lists_referrers() {
    let table = Table::new();
    image_with_two_referrers(&table, "team/app");
    let tags = oras(table.home(), "repo tags --plain-http").arg(table.reference("team/app")).succeeds();
    assert_eq!(tags.line(), "1");
}

#[test]
fn oras_copies_an_image_with_its_referrers_to_another_repository() {
    let table = Table::new();
    let digest = image_with_two_referrers(&table, "team-a/app");
    let copy = oras(table.home(), "cp --recursive --from-plain-http --to-plain-http");
    copy.arg(table.reference("team-a/app:1")).arg(table.reference("team-b/app:1")).succeeds();
    assert_eq!(referrers(&table, "", &table.reference(&format!("team-b/app@{digest}"))).len(), 2);
}

#[test]
fn oras_deletes_a_manifest_and_a_blob() {
    let table = Table::new();
    std::fs::write(table.home().join("a.txt"), "one").unwrap();
    let reference = table.reference("team/files:1");
    let push =
        oras(table.home(), "push --plain-http --artifact-type application/vnd.example.files --format json");
    push.arg(&reference).arg("a.txt").succeeds();
    let manifest = oras(table.home(), "manifest fetch --plain-http").arg(&reference).succeeds().json();
    let blob = table.reference(&format!("team/files@{}", digest(&manifest["layers"][0])));
    oras(table.home(), "blob delete --plain-http --force")
        .arg(&blob)
        .fails()
        .says("delete the manifest first");
    oras(table.home(), "manifest delete --plain-http --force").arg(&reference).succeeds();
    oras(table.home(), "manifest fetch --plain-http").arg(&reference).fails().says("not found");
    oras(table.home(), "blob delete --plain-http --force").arg(&blob).succeeds();
    oras(table.home(), "blob fetch --plain-http --descriptor").arg(&blob).fails().says("not found");
}
