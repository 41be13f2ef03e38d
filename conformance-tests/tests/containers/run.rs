//! `berth run` in the foreground: what runs, as whom, with what, and how it ends.

use std::fs;

use serde_json::json;

use crate::machine::{IMAGE, Machine};

#[test]
fn a_command_runs_with_the_images_files_and_passes_on_its_output() {
    let machine = Machine::new();
    let outcome = machine.shell("", "echo out; echo err >&2; cat /etc/group | head -n 1").succeeds();
    assert_eq!(outcome.stdout, "out\nroot:x:0:root\n");
    assert_eq!(outcome.stderr, "err\n");
}

#[test]
fn the_exit_code_is_the_commands_own() {
    let machine = Machine::new();
    assert_eq!(machine.shell("", "exit 7").run().code(), Some(7));
    let killed = machine.shell("--init", "kill -9 $$").run();
    assert_eq!(killed.code(), Some(137));
}

#[test]
fn what_cant_be_run_is_told_by_125_126_and_127() {
    let machine = Machine::new();
    let run = |rest: &str| machine.call(&format!("run --rm --network none {rest}")).run();
    assert_eq!(run(&format!("{IMAGE} /bin/nothing")).code(), Some(127));
    let unknown = run(&format!("{IMAGE} nothing"));
    assert_eq!(unknown.code(), Some(127));
    unknown.says("'nothing'");
    assert_eq!(run(&format!("{IMAGE} /etc/passwd")).code(), Some(126));
    assert_eq!(run(&format!("{IMAGE} /etc")).code(), Some(126));
    assert_eq!(run(&format!("-m 1 {IMAGE} true")).code(), Some(125));
    assert_eq!(
        run(&format!("--mount type=bind,source=/there-is-none,target=/x {IMAGE} true")).code(),
        Some(125)
    );
    assert_eq!(run(&format!("--no-such-flag {IMAGE} true")).code(), Some(125));
    let no_image = machine.call("run --rm --network none --pull never nothing true").run();
    assert_eq!(no_image.code(), Some(125));
    no_image.says("nothing");
}

#[test]
fn a_script_whose_interpreter_is_missing_is_told_by_127_and_what_is_no_program_by_126() {
    let machine = Machine::new();
    machine.add_image("scripts", &json!({}), |layer| {
        layer.file("bin/lost", 0o755, b"#!/bin/lost-interpreter\n");
        layer.file("bin/noise", 0o755, b"\x01\x02\x03 noise\n");
    });
    let run = |command: &str| machine.call(&format!("run --rm --network none scripts {command}")).run();
    assert_eq!(run("lost").code(), Some(127));
    assert_eq!(run("noise").code(), Some(126));
}

#[test]
fn entrypoint_and_command_are_combined_as_docker_does() {
    let machine = Machine::new();
    let config = json!({"Entrypoint": ["/bin/echo", "entry"], "Cmd": ["image"]});
    machine.add_image("both", &config, |_| {});
    let run = |rest: &str| machine.call(&format!("run --rm --network none {rest}")).succeeds().stdout;
    assert_eq!(run("both"), "entry image\n");
    assert_eq!(run("both line"), "entry line\n");
    assert_eq!(run("--entrypoint /bin/echo both other"), "other\n");
    let without = machine.call("run --rm --network none --entrypoint").arg("").args(["both", "echo", "x"]);
    assert_eq!(without.succeeds().stdout, "x\n");
}

#[test]
fn environment_working_folder_and_user_are_as_asked() {
    let machine = Machine::new();
    let script = "echo $A $B $HOME $HOSTNAME; pwd; id -u; id -g; id -G";
    let outcome = machine
        .shell("-e A=1 -e B -w /made/for/this -u app --hostname somewhere", script)
        .env("B", "2")
        .succeeds();
    assert_eq!(outcome.stdout, "1 2 /home/app somewhere\n/made/for/this\n1000\n1000\n1000 4 10\n");
    assert_eq!(machine.shell("-u 4242:77", "id -u; id -G; echo $HOME").succeeds().stdout, "4242\n77\n/\n");
}

#[test]
fn input_is_passed_on_whole_and_ends() {
    let machine = Machine::new();
    let input: Vec<u8> = (0..2_000_000_u32).map(|number| (number % 251) as u8).collect();
    let expected = conformance_tests::content::sha256(&input);
    let outcome =
        machine.call(&format!("run --rm -i --network none {IMAGE} sha256sum")).stdin(input).succeeds();
    assert_eq!(outcome.stdout.split_whitespace().next(), Some(expected.trim_start_matches("sha256:")));
    assert_eq!(machine.shell("", "cat; echo end").succeeds().stdout, "end\n");
}

#[test]
fn much_output_arrives_whole() {
    let machine = Machine::new();
    let outcome = machine.shell("", "seq 200000").succeeds();
    let expected: String = (1..=200_000).map(|number| format!("{number}\n")).collect();
    assert!(outcome.stdout == expected, "{} of {} bytes", outcome.stdout.len(), expected.len());
}

#[test]
fn volumes_keep_what_is_written_and_start_with_the_images_files() {
    let machine = Machine::new();
    machine.add_image("filled", &json!({"Volumes": {"/srv": {}}}), |layer| {
        layer.folder("srv/");
        layer.file("srv/from-image", 0o640, b"hello");
    });
    let run = |rest: &str, script: &str| {
        machine.call(&format!("run --rm --network none {rest} sh -c")).arg(script).succeeds().stdout
    };
    assert_eq!(run("-v kept:/srv filled", "cat /srv/from-image; echo more > /srv/more"), "hello");
    assert_eq!(run(&format!("-v kept:/x {IMAGE}"), "cat /x/more; stat -c %a /x/from-image"), "more\n640\n");
    assert_eq!(run("filled", "ls /srv"), "from-image\n");
    let volumes = fs::read_dir(machine.data().join("local/volumes")).expect("listing volumes").count();
    assert_eq!(volumes, 1, "only the one with a name is left");
}

#[test]
fn folders_of_the_host_are_mounted_and_can_be_protected() {
    let machine = Machine::new();
    let host = machine.folder().join("of-host");
    fs::create_dir(&host).expect("making a folder");
    fs::write(host.join("file"), "host").expect("writing a file");
    let of_host = host.display();
    assert_eq!(
        machine.shell(&format!("-v {of_host}:/x"), "cat /x/file; echo c > /x/new").succeeds().stdout,
        "host"
    );
    assert_eq!(fs::read_to_string(host.join("new")).expect("reading a file"), "c\n");
    machine.shell(&format!("-v {of_host}:/x:ro"), "echo c > /x/new").fails().says("read-only");
    machine.shell(&format!("-v {of_host}/made:/x"), "touch /x/y").succeeds();
    assert!(host.join("made/y").exists());
}

#[test]
fn names_are_taken_once() {
    let machine = Machine::new();
    machine.sleeper("web", "");
    let again = machine.call(&format!("run -d --network none --name web {IMAGE} true")).run();
    assert_eq!(again.code(), Some(125));
    again.says("'web' is in use");
}

#[test]
fn nothing_of_it_is_left_when_it_was_to_be_removed() {
    let machine = Machine::new();
    machine.shell("-v /anonymous --name gone", "true").succeeds();
    machine.shell("", "exit 3").fails();
    machine.call(&format!("run --rm --network none {IMAGE} /nothing")).fails();
    for folder in ["containers", "names", "volumes", "held"] {
        let left = fs::read_dir(machine.data().join("local").join(folder)).expect("listing a folder").count();
        assert_eq!(left, 0, "{folder}");
    }
}
