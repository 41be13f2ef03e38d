//! Processes that are killed, that come at once, and that find the disk full.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use conformance_tests::{Program, binary, rootfs};

use crate::support::Table;

/// Fails unless every layer and blob that is here is whole, and nothing else is left.
fn assert_sound(data: &Path) {
    let local = data.join("local");
    for blob in fs::read_dir(local.join("blobs/sha256")).unwrap() {
        let blob = blob.unwrap();
        let summed = Program::new("sha256sum").arg(blob.path()).succeeds();
        let name = blob.file_name().into_string().unwrap();
        assert!(summed.stdout.starts_with(&name), "{name} is not what its name says");
    }
    for layer in fs::read_dir(local.join("layers/sha256")).unwrap() {
        let layer = layer.unwrap().path();
        assert!(layer.join("fs").is_dir() && layer.join("layer.json").is_file(), "{}", layer.display());
    }
    for folder in ["tmp", "locks", "leases", "partial"] {
        let left: Vec<_> = fs::read_dir(local.join(folder)).unwrap().collect();
        assert!(left.is_empty(), "{folder}: {left:?}");
    }
}

/// All files of an image's layers: kind, mode, owner, length, time, target. Folders without length and time:
/// those above what an archive names get today's.
fn listing(data: &Path) -> Vec<String> {
    let find = r"cd layers/sha256 && find . -path './*/fs/*' \( -type d -printf '%P d %m %U:%G\n' -o -printf '%P %y %m %U:%G %s %T@ %l\n' \)";
    let found = Program::new("sh").current_dir(&data.join("local")).args(["-c", find]).succeeds();
    let mut lines: Vec<String> = found.stdout.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn a_pull_that_is_killed_at_any_moment_leaves_nothing_that_the_next_does_not_mend() {
    let table = Table::new();
    let reference = table.reference("team/debian:12");
    table.put_image(&reference, &rootfs::debian());
    let whole = table.folder.path().join("whole");
    let took = table.program_at(&whole).args(["pull", "-q", &reference]).succeeds().took;
    let expected = listing(&whole);
    let mut random = fastrand::Rng::with_seed(3);
    let mut killed = 0;
    while killed < 50 {
        let mut child = table
            .program()
            .args(["pull", "-q", &reference])
            .into_command()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("starting berth");
        std::thread::sleep(took.mul_f64(random.f64()));
        child.kill().expect("killing berth");
        let ended = child.wait().expect("waiting for berth").success();
        killed += u32::from(!ended);
        if ended {
            // Begun anew, or the next would have nothing to do.
            table.call(&format!("rmi {reference}")).succeeds();
        } else if killed % 10 == 0 {
            table.call(&format!("pull -q {reference}")).succeeds();
            assert_sound(&table.data());
            let listed = listing(&table.data());
            assert_eq!(listed.len(), expected.len(), "after {killed}");
            for (own, expected) in listed.iter().zip(&expected) {
                assert_eq!(own, expected, "after {killed}");
            }
            table.call(&format!("rmi {reference}")).succeeds();
            assert_sound(&table.data());
        }
    }
}

#[test]
fn two_processes_that_pull_the_same_at_once_download_it_once() {
    let table = Table::new();
    let reference = table.reference("team/debian:12");
    let digest = table.put_image(&reference, &rootfs::debian());
    let sent = || {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(table.berth.metric("berth_http_sent_bytes_total"))
    };
    let before = sent();
    std::thread::scope(|scope| {
        let pulls: Vec<_> =
            (0..3).map(|_| scope.spawn(|| table.call(&format!("pull -q {reference}")).succeeds())).collect();
        for pull in pulls {
            assert_eq!(pull.join().expect("a pull").line(), digest);
        }
    });
    assert_sound(&table.data());
    let packed: u64 = fs::read_dir(table.data().join("local/blobs/sha256"))
        .unwrap()
        .map(|blob| blob.unwrap().metadata().unwrap().len())
        .sum();
    let (sent, packed) = (sent() - before, packed as f64);
    assert!(sent >= packed && sent < packed * 1.05, "{sent} bytes sent for {packed}");
}

#[test]
fn a_full_disk_is_said_and_nothing_half_made_is_used() {
    let table = Table::new();
    let reference = table.reference("team/debian:12");
    table.put_image(&reference, &rootfs::debian());
    let small = table.folder.path().join("small");
    fs::create_dir(&small).unwrap();
    let script = r#"set -e
mount -t tmpfs -o size=100m tmpfs "$2"
export BERTH_DATA="$2"
if "$1" pull "$3" 2>"$2.said"; then echo pulled; exit 1; fi
test "$("$1" images -q)" = ""
test "$(ls "$2/local/tmp" "$2/local/layers/sha256" | grep -c fs)" = 0
mount -o remount,size=2g "$2"
"$1" pull -q "$3"
"$1" images -q
"#;
    let ran = Program::new("unshare")
        .args(["--mount", "sh", "-c", script, "sh"])
        .arg(binary::berth())
        .arg(&small)
        .arg(&reference)
        .home(table.folder.path())
        .deadline(Duration::from_secs(300))
        .succeeds();
    assert_eq!(ran.stdout.lines().count(), 2, "{ran}");
    let said = fs::read_to_string(table.folder.path().join("small.said")).unwrap();
    assert!(said.contains("the disk is full; make room and try again"), "{said}");
}
