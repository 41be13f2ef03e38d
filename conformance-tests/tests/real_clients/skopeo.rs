//! Debian's skopeo.

use std::path::Path;

use conformance_tests::{ADMIN_PASSWORD, Program};
use serde_json::json;

use crate::support::{Table, busybox_layout, debian_layout, stranger, two_platform_layout};

fn skopeo(home: &Path, arguments: &str) -> Program {
    Program::new("skopeo").home(home).args(arguments.split_whitespace())
}

fn from(layout: &Path) -> String {
    format!("oci:{}:1", layout.display())
}

fn to(table: &Table, rest: &str) -> String {
    format!("docker://{}", table.reference(rest))
}

#[test]
fn skopeo_logs_in_with_the_right_password_and_not_with_a_wrong_one() {
    let (berth, home) = stranger();
    let login = |password: &str| {
        let login = skopeo(home.path(), "login --tls-verify=false --username admin --password-stdin");
        login.arg(berth.host()).stdin(password)
    };
    login("wrong").fails().says("invalid username/password");
    login(ADMIN_PASSWORD).succeeds().says("Login Succeeded");
}

#[test]
fn skopeo_brings_back_the_very_bytes_it_pushed() {
    let table = Table::new();
    let (layout, digest) = debian_layout(&table.home().join("layout"));
    let (image, back) = (to(&table, "team/debian:12"), table.home().join("back"));
    skopeo(table.home(), "copy --dest-tls-verify=false").arg(from(layout.folder())).arg(&image).succeeds();
    let seen = skopeo(table.home(), "inspect --tls-verify=false").arg(&image).succeeds().json();
    assert_eq!(seen["Digest"], digest);
    let copy = skopeo(table.home(), "copy --src-tls-verify=false").arg(&image);
    copy.arg(format!("oci:{}:1", back.display())).succeeds();
    for blob in std::fs::read_dir(layout.folder().join("blobs/sha256")).unwrap() {
        let name = blob.unwrap().file_name();
        assert!(back.join("blobs/sha256").join(&name).exists(), "{} came back", name.display());
    }
}

#[test]
fn skopeo_copies_between_repositories_without_sending_a_layer() {
    let table = Table::new();
    let (layout, digest) = debian_layout(&table.home().join("layout"));
    let (source, target) = (to(&table, "team-a/debian:12"), to(&table, "team-b/debian:12"));
    skopeo(table.home(), "copy --dest-tls-verify=false").arg(from(layout.folder())).arg(&source).succeeds();
    // skopeo 1.9 knows where a layer is only from its cache: a pull fills it.
    let before = table.received();
    let copy = skopeo(table.home(), "copy --src-tls-verify=false --dest-tls-verify=false");
    copy.arg(&source).arg(&target).succeeds();
    let sent = table.received() - before;
    assert!(sent < 20_000, "{sent} bytes sent");
    let seen = skopeo(table.home(), "inspect --tls-verify=false").arg(&target).succeeds().json();
    assert_eq!(seen["Digest"], digest);
}

#[test]
fn skopeo_pushes_an_index_with_all_its_platforms() {
    let table = Table::new();
    let (layout, index, children) = two_platform_layout(&table.home().join("layout"));
    let image = to(&table, "team/both:1");
    skopeo(table.home(), "copy --all --dest-tls-verify=false")
        .arg(from(layout.folder()))
        .arg(&image)
        .succeeds();
    let raw = skopeo(table.home(), "inspect --raw --tls-verify=false").arg(&image).succeeds().json();
    let found: Vec<_> = raw["manifests"].as_array().unwrap().iter().map(|child| &child["digest"]).collect();
    assert_eq!(json!(found), json!(children));
    let by_digest = to(&table, &format!("team/both@{index}"));
    skopeo(table.home(), "inspect --raw --tls-verify=false").arg(by_digest).succeeds();
    for architecture in ["amd64", "arm64"] {
        let inspect =
            skopeo(table.home(), &format!("--override-arch {architecture} inspect --tls-verify=false"));
        assert_eq!(inspect.arg(&image).succeeds().json()["Architecture"], architecture);
    }
}

#[test]
fn skopeo_lists_tags_and_deletes_an_image() {
    let table = Table::new();
    let (layout, _) = busybox_layout(&table.home().join("layout"));
    for tag in ["b", "a", "C"] {
        let image = to(&table, &format!("team/busybox:{tag}"));
        skopeo(table.home(), "copy --dest-tls-verify=false").arg(from(layout.folder())).arg(image).succeeds();
    }
    let list = || skopeo(table.home(), "list-tags --tls-verify=false").arg(to(&table, "team/busybox"));
    assert_eq!(list().succeeds().json()["Tags"], json!(["C", "a", "b"]));
    skopeo(table.home(), "delete --tls-verify=false").arg(to(&table, "team/busybox:a")).succeeds();
    let gone = skopeo(table.home(), "inspect --tls-verify=false").arg(to(&table, "team/busybox:b")).fails();
    gone.says("manifest unknown");
}
