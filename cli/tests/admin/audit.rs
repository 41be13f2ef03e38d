//! `berth admin audit`

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStderr, ChildStdout, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::{House, PASSWORD};

/// The lines of a stream as they come.
fn lines(stream: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// `berth admin audit --follow`, and what it says.
struct Follower {
    child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

impl Follower {
    fn of(house: &House, address: &str) -> Self {
        let mut command = house.berth();
        command.args(["admin", "--server", address, "audit", "--follow", "--format", "jsonl"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout: ChildStdout = child.stdout.take().unwrap();
        let stderr: ChildStderr = child.stderr.take().unwrap();
        Self { child, stdout: lines(stdout), stderr: lines(stderr) }
    }

    /// Waits for a line with this in it; those before it are passed over.
    #[track_caller]
    fn awaits(lines: &Receiver<String>, wanted: &str) {
        loop {
            let line = lines.recv_timeout(Duration::from_secs(30));
            if line.unwrap_or_else(|_| panic!("{wanted} did not come")).contains(wanted) {
                return;
            }
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn what_was_done_is_a_table_for_people_and_lines_for_programs() {
    let house = House::new();
    let server = house.serve();
    server.admin("group add team-a").succeeds();
    server.admin_with_input("user add alice --password-stdin --group team-a", PASSWORD).succeeds();
    let table = server.admin("audit --since 1h").succeeds();
    let mut table = table.lines();
    let words: Vec<_> = table.next().unwrap().split_whitespace().collect();
    assert_eq!(words, ["TIME", "USER", "ADDRESS", "ACTION", "OUTCOME", "WHAT"]);
    let last: Vec<_> = table.next_back().unwrap().split_whitespace().skip(1).collect();
    assert_eq!(last, ["admin", "127.0.0.1", "group.join", "done", "team-a", "alice"]);
    let lines = server.admin("audit --format jsonl").succeeds();
    let added = lines.lines().find(|line| line.contains("user.add") && line.contains("alice")).unwrap();
    let added: serde_json::Value = serde_json::from_str(added).unwrap();
    assert_eq!((&added["user"], &added["subject"]), (&"admin".into(), &"alice".into()));
    assert!(added["request"].is_string() && added["identity"].is_string(), "{added}");
    assert!(!lines.contains(PASSWORD));
    let json = server.admin("audit --format json --since 2000-01-01T00:00:00Z").succeeds();
    let json: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
    assert_eq!(json.len(), lines.lines().count());
    assert_eq!(server.admin("audit --since 2999-01-01T00:00:00Z --format jsonl").succeeds(), "");
}

#[test]
fn a_follower_hears_what_happens_also_after_a_restart_and_ends_at_ctrl_c() {
    let house = House::new();
    let mut server = house.serve();
    let mut follower = Follower::of(&house, &server.address);
    server.admin("group add before").succeeds();
    Follower::awaits(&follower.stdout, "\"subject\":\"before\"");
    server.stop();
    Follower::awaits(&follower.stderr, "trying again until it answers");
    server.start();
    Follower::awaits(&follower.stderr, "the server answers again");
    server.admin("group add after").succeeds();
    Follower::awaits(&follower.stdout, "\"subject\":\"after\"");
    let pid = rustix::process::Pid::from_child(&follower.child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert!(follower.child.wait().unwrap().success());
}

#[test]
fn the_audit_of_a_stopped_server_is_read_from_its_folder() {
    let house = House::new();
    house.offline("group add team-a").succeeds();
    let lines = house.offline("audit --format jsonl").succeeds();
    let last: serde_json::Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!((&last["action"], &last["user"]), (&"group.add".into(), &"berth admin --data".into()));
    let sentence = "reading the audit: nothing happens in a stopped server's folder; leave --follow out";
    assert_eq!(house.offline("audit --follow").fails(), sentence);
}

#[test]
fn a_follower_of_one_json_document_is_wrong_usage() {
    let house = House::new();
    let ran = house.offline("audit --follow --format json");
    assert_eq!(ran.output.status.code(), Some(2));
    assert_eq!(house.offline("audit --since yesterday").output.status.code(), Some(2));
}

#[test]
fn a_user_for_a_missing_group_is_not_made() {
    let house = House::new();
    let server = house.serve();
    let sentence = "adding the user carol: group nowhere does not exist";
    assert_eq!(server.admin("user add carol --group nowhere").fails(), sentence);
    assert_eq!(server.admin("user show carol").fails(), "showing the user carol: user carol does not exist");
}
