//! Containers that nobody is attached to, and every command about them.

use std::fs;
use std::time::{Duration, Instant};

use conformance_tests::{Program, binary};

use crate::machine::{IMAGE, Machine};

#[test]
fn one_runs_is_listed_stopped_started_and_removed() {
    let machine = Machine::new();
    machine.sleeper("web", "--label tier=front");
    let listed = machine.call("ps --format {{.Names}}|{{.State}}|{{.Image}}").succeeds();
    assert_eq!(listed.line(), format!("web|running|{IMAGE}"));
    assert!(machine.inspect("web")["State"]["Pid"].as_i64().is_some_and(|pid| pid > 1));

    assert_eq!(machine.call("stop web").succeeds().line(), "web");
    assert_eq!(machine.call("ps -q").succeeds().line(), "");
    assert!(machine.call("ps -a").succeeds().stdout.contains("Exited (0)"));
    assert_eq!(machine.inspect("web")["State"]["ExitCode"], 0);

    machine.call("start web").succeeds();
    assert_eq!(machine.inspect("web")["State"]["Running"], true);
    machine.call("rm web").fails().says("running");
    machine.call("rm -f web").succeeds();
    machine.call("inspect web").fails();
}

#[test]
fn what_was_written_stays_until_it_is_removed() {
    let machine = Machine::new();
    let run = format!("run -d --network none --name web {IMAGE} sh -c");
    machine.call(&run).arg("test -e /kept && exit 5; touch /kept").succeeds();
    assert_eq!(machine.call("wait web").succeeds().line(), "0");
    machine.call("start web").succeeds();
    assert_eq!(machine.call("wait web").succeeds().line(), "5");
}

#[test]
fn a_container_that_ignores_its_signal_is_killed_when_its_time_is_over() {
    let machine = Machine::new();
    machine.call(&format!("run -d --network none --name web {IMAGE} sleep 1000")).succeeds();
    let started = Instant::now();
    machine.call("stop -t 1 web").succeeds();
    assert!(started.elapsed() < Duration::from_secs(8));
    assert_eq!(machine.inspect("web")["State"]["ExitCode"], 137);
}

#[test]
fn signals_reach_the_command() {
    let machine = Machine::new();
    let run = format!("run -d --network none --name web {IMAGE} sh -c");
    let script = "trap 'echo heard; exit 9' HUP; echo ready; while true; do sleep 0.1; done";
    machine.call(&run).arg(script).succeeds();
    // Before it set its trap, the signal would be lost: it is the first process.
    machine.until("logs web", |printed| printed.stdout == "ready\n");
    machine.call("kill -s HUP web").succeeds();
    assert_eq!(machine.call("wait web").succeeds().line(), "9");
    assert_eq!(machine.call("logs web").succeeds().stdout, "ready\nheard\n");
    machine.call("kill web").fails().says("not running");
}

#[test]
fn what_whoever_started_it_ignores_the_command_does_not() {
    let machine = Machine::new();
    // As nohup does. What is ignored from the start, a shell never traps.
    let run = machine.at_home(Program::new("/usr/bin/env")).arg("--ignore-signal=HUP").arg(binary::berth());
    let run = run.args(format!("run --rm --network none {IMAGE} grep SigIgn /proc/self/status").split(' '));
    let ignored = run.succeeds();
    let ignored =
        u64::from_str_radix(ignored.line().trim_start_matches("SigIgn:").trim(), 16).expect("a mask");
    // Signals 32 and 33 are the C library's own, which lets nobody change them.
    assert_eq!(ignored & !(0b11 << 31), 0, "{ignored:#x}");
}

#[test]
fn logs_keep_streams_times_and_order_and_follow_until_the_end() {
    let machine = Machine::new();
    let run = format!("run -d --network none --name web {IMAGE} sh -c");
    machine.call(&run).arg("echo one; echo two >&2; sleep 1; echo three; printf four").succeeds();
    let followed = machine.call("logs -f web").succeeds();
    assert_eq!((followed.stdout.as_str(), followed.stderr.as_str()), ("one\nthree\nfour", "two\n"));
    assert_eq!(machine.call("logs --tail 1 web").succeeds().stdout, "four");
    let timed = machine.call("logs -t --tail 2 web").succeeds();
    assert!(timed.stdout.lines().all(|line| line.starts_with("20") && line.contains("Z ")), "{timed}");
    assert_eq!(
        machine.call("logs --since 2001-01-01T00:00:00Z --until 2002-01-01T00:00:00Z web").succeeds().stdout,
        ""
    );
    assert!(machine.call("logs --since 1h web").succeeds().stdout.contains("three"));
}

#[test]
fn a_log_never_grows_past_its_limit() {
    let machine = Machine::new();
    let flags = "--log-opt max-size=10k --log-opt max-file=2";
    machine.call(&format!("run --network none --name web {flags} {IMAGE} seq 5000")).succeeds();
    let folder = machine.data().join("local/containers").join(machine.inspect("web")["Id"].as_str().unwrap());
    let logs = fs::read_dir(folder).unwrap().filter_map(Result::ok);
    let logs: Vec<u64> = logs
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("log"))
        .map(|entry| entry.metadata().unwrap().len())
        .collect();
    assert!(logs.len() == 2 && logs.iter().sum::<u64>() < 110_000, "{logs:?}");
    assert_eq!(machine.call("logs --tail 1 web").succeeds().stdout, "5000\n");
}

#[test]
fn exec_runs_one_more_command_in_it() {
    let machine = Machine::new();
    machine.sleeper("web", "-e OF=container -w /tmp --hostname inside");
    let exec = machine.call("exec web sh -c").arg("echo $OF $MORE; pwd; hostname; id -u; exit 4").run();
    assert_eq!((exec.code(), exec.stdout.as_str()), (Some(4), "container\n/tmp\ninside\n0\n"));
    let exec = machine.call("exec -e MORE=x -u app -w / web sh -c").arg("echo $MORE; pwd; id -G").succeeds();
    assert_eq!(exec.stdout, "x\n/\n1000 4 10\n");
    assert_eq!(machine.call("exec -i web cat").stdin("through").succeeds().stdout, "through");
    assert_eq!(machine.call("exec web nothing").run().code(), Some(127));
    assert_eq!(machine.call("exec web /etc/passwd").run().code(), Some(126));
    machine.call("exec -d web sh -c").arg("echo done > /tmp/done; sleep 1000").succeeds();
    machine.until("exec web cat /tmp/done", |outcome| outcome.stdout == "done\n");
    machine.call("stop -t 0 web").succeeds();
    machine.call("exec web true").fails().says("not running");
}

#[test]
fn restart_policies_start_it_again_until_somebody_stops_it() {
    let machine = Machine::new();
    let run = |name: &str, policy: &str, code: &str| {
        machine
            .call(&format!("run -d --network none --restart {policy} --name {name} {IMAGE} sh -c"))
            .arg(format!("echo run; exit {code}"))
            .succeeds();
    };
    run("twice", "on-failure:2", "3");
    assert_eq!(machine.call("wait twice").succeeds().line(), "3");
    assert_eq!(machine.call("logs twice").succeeds().stdout, "run\nrun\nrun\n");
    assert_eq!(machine.inspect("twice")["RestartCount"], 2);
    run("well", "on-failure", "0");
    assert_eq!(machine.call("wait well").succeeds().line(), "0");
    run("always", "always", "0");
    machine.until("logs always", |outcome| outcome.stdout.lines().count() >= 3);
    machine.call("stop always").succeeds();
    assert_eq!(machine.inspect("always")["State"]["Status"], "exited");
}

#[test]
fn one_that_stands_still_goes_on_when_told() {
    let machine = Machine::new();
    machine.sleeper("web", "");
    machine.call("pause web").succeeds();
    assert_eq!(machine.inspect("web")["State"]["Status"], "paused");
    machine.call("exec web true").fails().says("unpause");
    machine.call("unpause web").succeeds();
    machine.call("exec web true").succeeds();
    machine.call("pause web").succeeds();
    machine.call("stop -t 5 web").succeeds();
}

#[test]
fn a_name_can_be_another_and_an_id_is_enough() {
    let machine = Machine::new();
    let id =
        machine.call(&format!("create --network none --name old {IMAGE} true")).succeeds().line().to_owned();
    machine.call("rename old new").succeeds();
    assert_eq!(machine.inspect(&id[..10])["Name"], "/new");
    machine.call("inspect old").fails();
    assert_eq!(machine.call("start -a new").run().code(), Some(0));
}

#[test]
fn after_its_monitor_was_killed_the_truth_is_told_and_nothing_is_left() {
    let machine = Machine::new();
    machine.sleeper("web", "");
    machine.sleeper("fleeting", "--rm");
    let pids: Vec<i64> =
        ["web", "fleeting"].map(|name| machine.inspect(name)["State"]["Pid"].as_i64().unwrap()).to_vec();
    for process in fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
        let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        let Ok(pid) = process.file_name().to_string_lossy().parse::<i32>() else { continue };
        if line.contains("isolated-process") && line.contains(&machine.data().display().to_string()) {
            let pid = rustix::process::Pid::from_raw(pid).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
            let deadline = Instant::now() + Duration::from_secs(20);
            while rustix::process::test_kill_process(pid).is_ok() && !is_zombie(pid.as_raw_nonzero().get()) {
                assert!(Instant::now() < deadline, "it is killed and still there");
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
    let listed = machine.call("ps -a --format {{.Names}}|{{.State}}").succeeds();
    assert_eq!(listed.line(), "web|exited");
    assert_eq!(machine.inspect("web")["State"]["ExitCode"], 137);
    for pid in pids {
        let pid = i32::try_from(pid).unwrap();
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists() || is_zombie(pid));
    }
    machine.call("start web").succeeds();
    machine.call("rm -f web").succeeds();
}

fn is_zombie(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "))
}

#[test]
fn twenty_of_one_image_share_its_layers() {
    let machine = Machine::new();
    for number in 0..20 {
        machine.sleeper(&format!("web-{number}"), "");
    }
    assert_eq!(machine.call("ps -q").succeeds().stdout.lines().count(), 20);
    for number in 0..20 {
        let exec = machine.call(&format!("exec web-{number} sha256sum /bin/busybox")).succeeds();
        assert!(exec.stdout.contains("/bin/busybox"));
    }
    let names: Vec<String> = (0..20).map(|number| format!("web-{number}")).collect();
    machine.call("stop -t 5").args(&names).succeeds();
}

#[test]
fn what_is_in_use_is_not_removed_with_its_image() {
    let machine = Machine::new();
    machine.sleeper("web", "");
    machine.call(&format!("rmi {IMAGE}")).fails().says("uses it");
    machine.call("rm -f web").succeeds();
    machine.call(&format!("rmi {IMAGE}")).succeeds();
}
