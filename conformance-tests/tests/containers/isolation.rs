//! What a container can't see or do, and what limits hold.

use std::fs;

use crate::machine::{IMAGE, Machine};

#[test]
fn it_has_dockers_fourteen_capabilities_a_filter_and_no_more() {
    let machine = Machine::new();
    let status = machine.shell("", "cat /proc/self/status").succeeds().stdout;
    let line = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":\t"));
        line.unwrap_or_else(|| panic!("no {name} in {status}")).to_owned()
    };
    for (name, value) in [
        ("CapInh", "0000000000000000"),
        ("CapPrm", "00000000a80425fb"),
        ("CapEff", "00000000a80425fb"),
        ("CapBnd", "00000000a80425fb"),
        ("CapAmb", "0000000000000000"),
        ("NoNewPrivs", "0"),
        ("Seccomp", "2"),
    ] {
        assert_eq!(line(name), value, "{name}");
    }
}

#[test]
fn an_ordinary_user_has_no_capabilities() {
    let machine = Machine::new();
    let status =
        machine.shell("-u app", "grep -E 'CapPrm|CapEff|CapInh|CapAmb' /proc/self/status").succeeds();
    assert!(status.stdout.lines().all(|line| line.ends_with("\t0000000000000000")), "{status}");
}

#[test]
fn capabilities_are_added_and_dropped() {
    let machine = Machine::new();
    let effective =
        |flags| machine.shell(flags, "grep CapEff /proc/self/status").succeeds().line()[8..].to_owned();
    assert_eq!(effective("--cap-drop ALL"), "0000000000000000");
    assert_eq!(effective("--cap-drop ALL --cap-add CHOWN"), "0000000000000001");
    machine.shell("", "mount -t tmpfs x /tmp").fails();
    machine.shell("--cap-add SYS_ADMIN", "mount -t tmpfs x /tmp").succeeds();
    machine.shell("--cap-add FLY", "true").fails().says("'FLY' is no capability");
}

#[test]
fn it_sees_its_own_processes_network_and_name_alone() {
    let machine = Machine::new();
    let processes = machine.shell("", "ps | wc -l || ps").run();
    let listed = machine.shell("", "ls -d /proc/[0-9]*").succeeds();
    assert!(listed.stdout.lines().count() <= 2, "{processes} {listed}");
    let links = machine.shell("", "ls /sys/class/net; ip addr").succeeds();
    assert!(links.stdout.starts_with("lo\n") && links.stdout.contains("127.0.0.1/8"), "{links}");
    assert_eq!(machine.shell("--hostname inside", "hostname").succeeds().stdout, "inside\n");
}

#[test]
fn it_sees_no_file_of_the_host() {
    let machine = Machine::new();
    let secret = machine.folder().join("secret");
    fs::write(&secret, "secret").expect("writing a file");
    let path = secret.display();
    machine.shell("", &format!("cat {path}")).fails();
    machine.shell("", &format!("cat /proc/1/root{path}")).fails();
    machine.shell("", &format!("cat ../../../../../..{path}")).fails();
}

#[test]
fn masked_paths_say_nothing_and_protected_ones_take_nothing() {
    let machine = Machine::new();
    let masked = machine
        .shell("", "cat /proc/kcore /proc/keys /proc/timer_list 2>/dev/null | head -c 1; ls /sys/firmware");
    assert_eq!(masked.succeeds().stdout, "");
    for path in ["/proc/sysrq-trigger", "/proc/sys/kernel/hostname", "/proc/irq/default_smp_affinity"] {
        machine.shell("", &format!("echo x > {path}")).fails();
    }
    machine.shell("", "touch /sys/x").fails();
}

#[test]
fn control_groups_are_its_own_and_cant_be_changed() {
    let machine = Machine::new();
    let script = "echo 1 > /sys/fs/cgroup/memory/memory.limit_in_bytes || touch /sys/fs/cgroup/x || echo no";
    machine.shell("-m 64m", script).succeeds().says("read-only");
}

#[test]
fn limits_of_memory_and_processes_hold() {
    let machine = Machine::new();
    let outcome = machine
        .shell("-m 16m --memory-swap 16m", "dd if=/dev/zero of=/dev/null bs=64M count=1; echo $?")
        .succeeds();
    assert_eq!(outcome.stdout, "137\n");
    let script = "for n in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait; echo all";
    let outcome = machine.shell("--pids-limit 4", script).run();
    assert!(!outcome.stdout.contains("all"), "{outcome}");
    machine.shell("--ulimit nofile=64:64", "test $(ulimit -n) = 64").succeeds();
}

#[test]
fn a_limit_that_cant_be_raised_is_left_with_a_warning() {
    let machine = Machine::new();
    let before = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    let outcome = machine.shell("--ulimit nofile=64:1073741816", "ulimit -n").succeeds();
    let status = fs::read_to_string("/proc/self/status").expect("reading a status");
    let rights = status.lines().find_map(|line| line.strip_prefix("CapEff:\t")).expect("there is a line");
    let may_raise = u64::from_str_radix(rights, 16).expect("a number") & (1 << 24) != 0;
    assert_eq!(outcome.stdout, "64\n");
    if !may_raise && before.is_some_and(|maximum| maximum < 1_073_741_816) {
        outcome.says("nofile can't be raised");
    }
}

#[test]
fn a_disk_of_the_host_cant_be_opened_even_by_who_makes_its_node() {
    let machine = Machine::new();
    let outcome = machine.shell("", "mknod /tmp/disk b 254 0 && head -c 1 /tmp/disk").fails();
    outcome.says("operation not permitted");
    machine.shell("", "head -c 1 /dev/urandom > /dev/null && echo x > /dev/null").succeeds();
}

#[test]
fn nobody_elses_can_look_into_the_data_folder() {
    use std::os::unix::fs::PermissionsExt;
    let machine = Machine::new();
    machine.sleeper("web", "");
    let mode =
        |path: &str| fs::metadata(machine.data().join(path)).expect("reading a folder").permissions().mode();
    assert_eq!(mode("local/containers") & 0o777, 0o700);
    assert_eq!(mode("local/volumes") & 0o777, 0o700);
}

#[test]
fn no_new_privileges_read_only_and_memory_are_as_asked() {
    let machine = Machine::new();
    let flags = "--security-opt no-new-privileges --read-only --tmpfs /scratch:size=1m";
    let script = "grep NoNewPrivs /proc/self/status; touch /x; touch /scratch/x && echo made";
    let outcome = machine.shell(flags, script).succeeds();
    assert_eq!(outcome.stdout, "NoNewPrivs:\t1\nmade\n");
    outcome.says("read-only file system");
}

#[test]
fn a_privileged_one_has_all_that_the_host_gives() {
    let machine = Machine::new();
    let outcome = machine
        .shell(
            "--privileged",
            "grep -E 'Seccomp:|CapEff' /proc/self/status; mount -t tmpfs x /tmp && echo mounted",
        )
        .succeeds();
    assert!(outcome.stdout.contains("Seccomp:\t0") && outcome.stdout.contains("mounted"), "{outcome}");
}

#[test]
fn the_hosts_network_is_there_for_who_asks_for_it() {
    let machine = Machine::new();
    let links = |path| {
        let mut names: Vec<String> = fs::read_dir(path)
            .expect("listing links")
            .map(|entry| entry.expect("a link").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names.join("\n")
    };
    let run = machine.call(&format!("run --rm --network host {IMAGE} ls /sys/class/net")).succeeds();
    assert_eq!(run.line(), links("/sys/class/net"));
}

#[test]
fn all_capabilities_still_have_a_filter() {
    let machine = Machine::new();
    let outcome = machine.shell("--cap-add ALL", "grep Seccomp: /proc/self/status").succeeds();
    assert_eq!(outcome.line(), "Seccomp:\t2");
}
