//! What a power cut would take: before an answer that acknowledges bytes, their file was fsynced, then renamed,
//! then its folder fsynced, then the database; seen in the system calls of the real binary.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use conformance_tests::client::Ask;
use conformance_tests::content::Blob;
use conformance_tests::stores::{Blobs, Metadata, Stores};
use conformance_tests::{Options, Program};
use reqwest::Method;
use rustix::process::{Pid, Signal, kill_process};

const PATIENCE: Duration = Duration::from_secs(30);
const CALLS: &str = "trace=fsync,fdatasync,rename,renameat,renameat2,write,writev,sendto,sendmsg";

/// A system call: from which line of the record to which it went on.
#[derive(Debug)]
struct Call {
    began: usize,
    ended: usize,
    text: String,
}

/// The calls in a record of strace, which splits those that others interrupted into two lines.
fn calls(record: &str) -> Vec<Call> {
    let mut calls = Vec::new();
    let mut unfinished: Vec<(&str, usize, String)> = Vec::new();
    for (number, line) in record.lines().enumerate() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if let Some(text) = rest.strip_suffix("<unfinished ...>") {
            unfinished.push((thread, number, text.to_owned()));
        } else if let Some((_, end)) = rest.split_once(" resumed>") {
            let Some(at) = unfinished.iter().position(|(other, ..)| *other == thread) else { continue };
            let (_, began, start) = unfinished.remove(at);
            calls.push(Call { began, ended: number, text: format!("{start}{end}") });
        } else {
            calls.push(Call { began: number, ended: number, text: rest.to_owned() });
        }
    }
    calls
}

/// What a call is, and how it is known.
type Step<'s> = (&'s str, &'s dyn Fn(&str) -> bool);

/// Fails unless the calls have successors of these kinds, each beginning after the one before has ended.
#[track_caller]
fn in_order(calls: &[Call], steps: &[Step<'_>]) {
    let mut after = 0;
    for (what, is_it) in steps {
        let found = calls.iter().filter(|call| call.began >= after && is_it(&call.text));
        let Some(found) = found.min_by_key(|call| call.ended) else {
            let all: Vec<_> = calls.iter().map(|call| format!("{}: {}", call.began, call.text)).collect();
            panic!("{what} does not come after line {after} of\n{}", all.join("\n"));
        };
        after = found.ended + 1;
    }
}

/// Writes down what a process asks the kernel for.
fn watch(process: u32, record: &Path) -> Child {
    let log = record.with_extension("log");
    let program = Program::new("strace").args(["-f", "-y", "-s", "24", "-e", CALLS, "-o"]).arg(record);
    let mut command = program.args(["-p", &process.to_string()]).into_command();
    let said = fs::File::create(&log).expect("a file for what strace says");
    let child = command.stdin(Stdio::null()).stderr(said).spawn().expect("starting strace");
    let started = Instant::now();
    while !fs::read_to_string(&log).unwrap_or_default().contains("attached") {
        assert!(
            started.elapsed() < PATIENCE,
            "strace attaches: {}",
            fs::read_to_string(&log).unwrap_or_default()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

fn end(mut strace: Child) {
    let process = i32::try_from(strace.id()).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(process, Signal::INT).expect("asking strace to end");
    strace.wait().expect("waiting for strace");
}

#[tokio::test]
async fn bytes_are_durable_before_they_are_acknowledged() {
    let stores = Stores { blobs: Blobs::Local, metadata: Metadata::Sqlite };
    // No scrub and no sweep come between.
    let berth = Options::default().stores(stores).config("[scrub]\nbytes_per_second = 0").start();
    let client = berth.admin();
    let repository = client.repository("team/app").await;
    let folder = tempfile::tempdir().expect("a folder");
    let blob = Blob::random(1, 100_000);
    let session = repository.open_upload().await;

    let record = folder.path().join("patch");
    let strace = watch(berth.process(), &record);
    repository.patch(&session, 0, &blob.bytes).await.assert(202);
    end(strace);
    let ok = |text: &str| text.trim_end().ends_with("= 0");
    let synced = |text: &str, path: &str| {
        (text.starts_with("fsync(") || text.starts_with("fdatasync(")) && text.contains(path) && ok(text)
    };
    let committed = |text: &str| synced(text, "/metadata.db-wal>");
    let answered = |status: &'static str| move |text: &str| text.contains(&format!("\"HTTP/1.1 {status}"));
    let patched = calls(&fs::read_to_string(&record).expect("the record"));
    in_order(
        &patched,
        &[
            ("fsync of the staged file", &|text| synced(text, "/blobs/uploads/")),
            ("fsync of the folder of staged files", &|text| synced(text, "/blobs/uploads>")),
            ("the database's commit", &committed),
            ("the answer", &answered("202")),
        ],
    );

    let record = folder.path().join("put");
    let strace = watch(berth.process(), &record);
    let put = repository.request(Method::PUT, &session).query(&[("digest", &blob.digest)]);
    put.answer().await.assert(201);
    end(strace);
    let finished = calls(&fs::read_to_string(&record).expect("the record"));
    let hex = blob.digest.strip_prefix("sha256:").expect("sha256");
    let shard = format!("/blobs/sha256/{}>", &hex[..2]);
    in_order(
        &finished,
        &[
            ("fsync of the staged file", &|text| synced(text, "/blobs/uploads/")),
            ("its renaming", &|text| text.starts_with("rename") && text.contains(hex) && ok(text)),
            ("fsync of its folder", &|text| synced(text, &shard)),
            ("the database's commit", &committed),
            ("the answer", &answered("201")),
        ],
    );
}
