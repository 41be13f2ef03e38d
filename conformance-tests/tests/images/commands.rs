//! What the commands print, and what they say when they can't.

use std::fs;

use conformance_tests::rootfs;

use crate::support::Table;

#[test]
fn an_image_is_pulled_listed_shown_and_removed() {
    let table = Table::new();
    let (reference, digest) = table.put_busybox("team/app:1");
    let pulled = table.call(&format!("pull {reference}")).succeeds();
    assert_eq!(pulled.stdout, format!("{digest}\n"));
    pulled.says("Pull complete").says(&format!("Status: Downloaded newer image for {reference}"));
    table.call(&format!("pull {reference}")).succeeds().says("Status: Image is up to date");
    assert_eq!(table.call(&format!("pull -q {reference}")).succeeds().stdout, format!("{digest}\n"));

    let shown = table.call(&format!("inspect {reference}")).succeeds().json();
    let id = shown[0]["Id"].as_str().unwrap().to_owned();
    assert_eq!(shown[0]["RepoTags"][0], reference.as_str());
    assert_eq!(shown[0]["RepoDigests"][0], format!("{}@{digest}", reference.rsplit_once(':').unwrap().0));
    assert_eq!(shown[0]["Config"]["Cmd"][0], "/bin/sh");
    assert_eq!((&shown[0]["Os"], &shown[0]["RootFS"]["Type"]), (&"linux".into(), &"layers".into()));
    let lower = shown[0]["GraphDriver"]["Data"]["LowerDir"].as_str().unwrap();
    assert_eq!(fs::read(format!("{lower}/bin/busybox")).unwrap(), fs::read("/bin/busybox").unwrap());
    assert_eq!(fs::read_link(format!("{lower}/bin/sh")).unwrap().as_os_str(), "busybox");

    let listed = table.call("images").succeeds();
    let mut lines = listed.stdout.lines();
    let heading = lines.next().unwrap();
    assert_eq!(
        heading.split_whitespace().collect::<Vec<_>>(),
        ["REPOSITORY", "TAG", "IMAGE", "ID", "CREATED", "SIZE"]
    );
    let cells: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    assert_eq!(cells[..3], [reference.rsplit_once(':').unwrap().0, "1", &id[7..19]]);
    let format = ["images", "--no-trunc", "--format", "{{.ID}} {{.Digest}}"];
    assert_eq!(table.program().args(format).succeeds().line(), format!("{id} {digest}"));
    let format = ["inspect", "-f", "{{.Id}} {{json .Config.Cmd}}", &id[7..15]];
    assert_eq!(table.program().args(format).succeeds().line(), format!("{id} [\"/bin/sh\"]"));

    table.call(&format!("tag {reference} app")).succeeds();
    assert_eq!(table.call("images -q").succeeds().line(), &id[7..19]);
    table.call(&format!("rmi {reference}")).succeeds().says(&format!("Untagged: {reference}"));
    table.call("rmi app").succeeds().says("Untagged: app:latest").says(&format!("Deleted: {id}"));
    assert_eq!(table.call("images -q").succeeds().line(), "");
    let left = |folder: &str| fs::read_dir(table.data().join("local").join(folder)).unwrap().count();
    assert_eq!((left("blobs/sha256"), left("layers/sha256"), left("tmp")), (0, 0, 0));
}

#[test]
fn what_cannot_be_done_is_said_in_one_sentence() {
    let table = Table::new();
    let host = table.berth.host();
    let (reference, _) = table.put_busybox("team/app:1");
    let stranger = tempfile::tempdir().unwrap();
    for (arguments, words) in [
        (format!("pull {host}/team/missing"), "has no latest in team/missing".to_owned()),
        (format!("pull {host}/team/app:2"), format!("{host} has no 2 in team/app")),
        (format!("pull --platform linux/s390x {reference}"), "not for linux/s390x".to_owned()),
        ("pull 127.0.0.1:1/team/app".to_owned(), "check that a registry is listening there".to_owned()),
        ("inspect nothing".to_owned(), "there is no such image here: nothing".to_owned()),
        ("rmi nothing".to_owned(), "there is no such image here: nothing".to_owned()),
        ("history nothing".to_owned(), "there is no such image here: nothing".to_owned()),
        (
            format!("push {host}/team/other"),
            format!("name one so with 'berth tag IMAGE {host}/team/other:latest'"),
        ),
        ("load -i /dev/null".to_owned(), "there is no image in it".to_owned()),
    ] {
        let said = table.call(&arguments).fails();
        assert_eq!(said.code(), Some(1), "{said}");
        // Without anything to show, docker shows a list of nothing, too.
        assert_eq!(said.stdout, if arguments.starts_with("inspect") { "[]\n" } else { "" }, "{said}");
        let last = said.stderr.lines().last().unwrap_or_default();
        assert!(last.starts_with("berth: ") && last.contains(&words), "{said}");
    }
    let said = table.call(&format!("pull {reference}")).home(stranger.path()).fails();
    said.says(&format!("run 'berth login {host}'"));
    assert_eq!(table.call("pull App").fails().says("capital letters").code(), Some(2));
    assert_eq!(table.call("pull --platform a/b/c/d app").fails().code(), Some(2));
}

#[test]
fn an_image_of_several_layers_is_saved_and_loaded_as_it_was() {
    let table = Table::new();
    let reference = table.reference("team/debian:12");
    table.put_image(&reference, &rootfs::debian());
    table.call(&format!("pull -q {reference}")).succeeds();
    let shown = |table: &Table| {
        table.call(&format!("inspect -f {{{{.Id}}}}{{{{.Size}}}} {reference}")).succeeds().line().to_owned()
    };
    let before = shown(&table);
    let history = table.call(&format!("history -q {reference}")).succeeds();
    assert_eq!(history.stdout, "");
    let archive = table.folder.path().join("debian.tar");
    table.call(&format!("save {reference} -o")).arg(&archive).succeeds();
    table.call(&format!("rmi {reference}")).succeeds();
    table.call("load -i").arg(&archive).succeeds().says(&format!("Loaded image: {reference}"));
    assert_eq!(shown(&table), before);
    let piped = table.call("load").stdin_file(&archive).succeeds();
    assert_eq!(piped.line(), format!("Loaded image: {reference}"));
}
