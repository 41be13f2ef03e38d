//! Hostile images and commands: each test is one attack that has been tried on other runtimes.

use std::fs;

use serde_json::json;

use crate::machine::{IMAGE, Machine};

/// CVE-2024-21626: a working folder that is a descriptor of the runtime's leads out of the container.
#[test]
fn a_working_folder_that_is_a_descriptor_is_refused() {
    let machine = Machine::new();
    for number in 0..20 {
        for folder in [format!("/proc/self/fd/{number}"), format!("/proc/self/fd/{number}/../../..")] {
            let config = json!({"WorkingDir": folder, "Cmd": ["/bin/ls"]});
            let name = format!("descriptor-{number}-{}", folder.len());
            machine.add_image(&name, &config, |_| {});
            let outcome = machine.call(&format!("run --rm --network none {name}")).run();
            assert_eq!(outcome.code(), Some(125), "{folder}: {outcome}");
        }
    }
}

/// CVE-2024-21626, for `exec`.
#[test]
fn exec_in_a_working_folder_that_is_a_descriptor_is_refused() {
    let machine = Machine::new();
    machine.sleeper("web", "");
    for number in 3..20 {
        let exec = machine.call(&format!("exec -w /proc/self/fd/{number} web ls")).run();
        assert!(exec.code() == Some(125) || exec.code() == Some(126), "{number}: {exec}");
    }
}

/// CVE-2024-21626: nothing but the standard descriptors is open in a container.
#[test]
fn no_descriptor_of_the_runtime_leaks() {
    let machine = Machine::new();
    // The fourth is that with which `ls` lists them.
    let list = "ls /proc/self/fd";
    assert_eq!(machine.shell("", list).succeeds().stdout, "0\n1\n2\n3\n");
    assert_eq!(machine.shell("--init", list).succeeds().stdout, "0\n1\n2\n3\n");
    let of_first = "ls /proc/1/fd";
    assert_eq!(machine.shell("--init --cap-add SYS_PTRACE", of_first).succeeds().stdout, "0\n1\n2\n");
    machine.sleeper("web", "");
    assert_eq!(machine.call("exec web ls /proc/self/fd").succeeds().stdout, "0\n1\n2\n3\n");
}

/// CVE-2019-5736: an entrypoint that is the runtime's own binary, overwritten while it runs.
#[test]
fn the_own_binary_cant_be_overwritten() {
    let machine = Machine::new();
    let binary = conformance_tests::binary::berth();
    let before = fs::read(binary).expect("reading the binary");
    machine.add_image("overwriter", &json!({}), |layer| {
        layer.file("bin/self", 0o755, b"#!/proc/self/exe\n");
    });
    // Whatever this does, it doesn't change the binary.
    let _ = machine.call("run --rm --network none overwriter /bin/self").run();
    machine.sleeper("web", "--init --cap-add SYS_PTRACE");
    let script = "for n in 1 2 3 4 5; do \
                      for exe in /proc/[0-9]*/exe; do echo broken >> $exe; (echo broken > $exe); done; \
                  done 2>&1 | grep -c -i 'read-only'";
    let outcome = machine.call("exec web sh -c").arg(script).succeeds();
    assert!(outcome.line().parse::<u32>().is_ok_and(|refusals| refusals > 0), "{outcome}");
    assert!(fs::read(binary).expect("reading the binary") == before, "the binary was changed");
}

/// CVE-2021-30465, CVE-2025-31133, CVE-2025-52565: places for mounts that are links out of the container.
#[test]
fn mounts_never_follow_links_out_of_the_root() {
    let machine = Machine::new();
    let outside = machine.folder().join("outside");
    fs::create_dir(&outside).expect("making a folder");
    fs::write(outside.join("file"), "untouched").expect("writing a file");
    let target = outside.display().to_string();
    machine.add_image("links", &json!({}), |layer| {
        for name in ["link", "etc/hostname", "etc/hosts", "etc/resolv.conf"] {
            layer.link(name, &format!("{target}/file"));
        }
        layer.link("folder", &target);
        layer.link("up", &format!("../../../../../../../../..{target}"));
    });
    for place in ["/link", "/folder", "/folder/made", "/up/made"] {
        let source = machine.folder().join("source");
        fs::create_dir_all(&source).expect("making a folder");
        let volume = format!("{}:{place}", source.display());
        let _ = machine.call(&format!("run --rm --network none -v {volume} links true")).run();
        let _ = machine.call(&format!("run --rm --network none --tmpfs {place} links true")).run();
    }
    let left: Vec<_> = fs::read_dir(&outside).expect("listing a folder").collect();
    assert_eq!(left.len(), 1, "nothing was made outside: {left:?}");
    assert_eq!(fs::read_to_string(outside.join("file")).expect("reading a file"), "untouched");
}

/// CVE-2025-31133, CVE-2025-52565: an image whose `/dev` and its devices are links.
#[test]
fn devices_of_an_image_that_are_links_are_not_followed() {
    let machine = Machine::new();
    let outside = machine.folder().join("outside");
    fs::write(&outside, "untouched").expect("writing a file");
    let target = outside.display().to_string();
    machine.add_image("devices", &json!({}), |layer| {
        for name in ["dev/null", "dev/console", "dev/ptmx", "dev/pts", "dev/shm"] {
            layer.link(name, &target);
        }
    });
    let run =
        machine.call("run --rm --network none devices sh -c").arg("echo x > /dev/null; ls -l /dev/null");
    assert!(run.succeeds().stdout.starts_with("crw-rw-rw-"));
    assert_eq!(fs::read_to_string(&outside).expect("reading a file"), "untouched");
}

/// CVE-2019-16884, CVE-2025-52881: an image that has a `/proc` or `/sys` of its own.
#[test]
fn proc_and_sys_are_the_kernels_whatever_the_image_has_there() {
    let machine = Machine::new();
    machine.add_image("volumes", &json!({"Volumes": {"/proc": {}}}), |_| {});
    machine.call("run --rm --network none volumes true").fails();
    let folder = machine.folder().display().to_string();
    machine.shell(&format!("-v {folder}:/proc"), "true").fails();
    machine.shell(&format!("-v {folder}:/proc/sys"), "true").fails();
    for name in ["proc", "sys"] {
        let image = format!("{name}-link");
        // The archive names the folder first: the link takes its place.
        machine.add_image(&image, &json!({}), |layer| layer.link(name, "tmp"));
        machine.call(&format!("run --rm --network none {image} true")).fails();
    }
}

/// CVE-2022-29162: capabilities that a program with file capabilities would inherit.
#[test]
fn no_capability_is_inheritable_for_run_or_exec() {
    let machine = Machine::new();
    machine.sleeper("web", "--cap-add NET_ADMIN");
    let exec = machine.call("exec web grep CapInh /proc/self/status").succeeds();
    assert_eq!(exec.line(), "CapInh:\t0000000000000000");
    let exec = machine.call("exec web grep -E CapEff|CapBnd|Seccomp: /proc/self/status").succeeds();
    assert_eq!(exec.stdout, "CapEff:\t00000000a80435fb\nCapBnd:\t00000000a80435fb\nSeccomp:\t2\n");
}

/// CVE-2024-40635: a user number so large that it becomes another.
#[test]
fn a_user_out_of_range_is_an_error_and_never_root() {
    let machine = Machine::new();
    machine.add_image("users", &json!({"User": "4294967296"}), |layer| {
        layer.file("etc/passwd", 0o644, b"root:x:0:0::/:\nlarge:x:4294967296:0::/:\n1000:x:0:0::/:\n");
    });
    assert_eq!(machine.call("run --rm --network none users id").run().code(), Some(125));
    for user in ["4294967296", "-1", "large", "0:4294967296", "2147483648"] {
        let run =
            machine.call("run --rm --network none").arg(format!("--user={user}")).args(["users", "id"]).run();
        assert_eq!(run.code(), Some(125), "{user}: {run}");
    }
    let numeric_name = machine.call("run --rm --network none -u 1000 users id -u").succeeds();
    assert_eq!(numeric_name.line(), "1000");
}

/// CVE-2023-25173: groups of the user that a container has or hasn't.
#[test]
fn supplementary_groups_are_exact() {
    let machine = Machine::new();
    let groups = |flags: &str| {
        machine.shell(flags, "grep Groups /proc/self/status").succeeds().line().trim_end().to_owned()
    };
    assert_eq!(groups(""), "Groups:\t0 4");
    assert_eq!(groups("-u app"), "Groups:\t4 10 1000");
    assert_eq!(groups("-u app:app"), "Groups:\t1000");
    assert_eq!(groups("-u 1000 --group-add 33 --group-add adm"), "Groups:\t4 10 33 1000");
}

#[test]
fn files_that_name_users_may_be_anything() {
    let machine = Machine::new();
    machine.add_image("strange", &json!({}), |layer| {
        layer.link("etc/passwd", "/proc/self/environ");
        layer.link("etc/group", "/dev/zero");
    });
    let _ = machine.call("run --rm --network none strange true").run();
    let _ = machine.call("run --rm --network none -u 5 strange id -u").run();
    machine.call(&format!("run --rm --network none {IMAGE} true")).succeeds();
}
