//! Where Dockerfile and context come from.

use std::fs;

use conformance_tests::Program;

use crate::workshop::{BASE, Workshop};

#[test]
fn the_dockerfile_may_lie_elsewhere_or_come_on_standard_input() {
    let workshop = Workshop::new();
    workshop.file("f", "x").file("sub/Other", format!("FROM {BASE}\nCOPY f /a\n"));
    let other = workshop.context().join("sub/Other");
    workshop.program().args(["build", "-t", "made", "-f"]).arg(other).arg(workshop.context()).succeeds();
    assert!(workshop.image().has("a"));
    workshop.build("-t made -f -").stdin(format!("FROM {BASE}\nCOPY f /b\n")).succeeds();
    assert!(workshop.image().has("b"));
    let alone =
        workshop.program().args(["build", "-t", "made", "-"]).stdin(format!("FROM {BASE}\nRUN touch /c\n"));
    alone.succeeds();
    assert!(workshop.image().has("c"));
}

#[test]
fn an_archive_on_standard_input_is_the_context() {
    let workshop = Workshop::new();
    workshop
        .file("f", "x")
        .file("no", "")
        .file(".dockerignore", "no\n")
        .dockerfile(&format!("FROM {BASE}\nCOPY . /all/\n"));
    let archive = workshop.path("context.tar");
    for flag in ["-cf", "-czf"] {
        Program::new("/bin/tar")
            .arg(flag)
            .arg(&archive)
            .arg("-C")
            .arg(workshop.context())
            .arg(".")
            .succeeds();
        workshop.program().args(["build", "-t", "made", "-"]).stdin(fs::read(&archive).unwrap()).succeeds();
        let image = workshop.image();
        assert!(image.has("all/f") && !image.has("all/no"));
    }
    workshop.nothing_is_left();
}

#[test]
fn arguments_come_from_flags_or_from_variables_of_the_same_name() {
    let workshop = Workshop::new();
    workshop.dockerfile(&format!("FROM {BASE}\nARG A=1\nARG B=2\nARG C=3\nRUN echo $A $B $C > /x\n"));
    workshop.build("-t made --build-arg A=one --build-arg B").env("B", "two").succeeds();
    assert_eq!(workshop.run("cat /x"), "one two 3\n");
}

#[test]
fn sockets_are_left_out_and_what_can_not_be_copied_is_named() {
    let workshop = Workshop::new();
    workshop.file("f", "x");
    let _socket = std::os::unix::net::UnixListener::bind(workshop.context().join("socket")).unwrap();
    workshop.make("FROM scratch\nCOPY . /\n");
    assert!(workshop.image().has("f") && !workshop.image().has("socket"));
}
