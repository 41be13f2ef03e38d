//! The commands of `docs/tutorial.md`, word for word, in a network of their own.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use conformance_tests::{Program, binary};

const PAGE: &str = include_str!("../../docs/tutorial.md");
const PATIENCE: Duration = Duration::from_secs(120);

/// The page's commands as one script that tells where the output of a line begins and ends of which the
/// page says what it prints; and what that is.
fn script() -> (String, Vec<&'static str>) {
    let (mut script, mut expected) = ("ip link set lo up\n".to_owned(), Vec::new());
    let mut is_command = false;
    for line in PAGE.lines() {
        match (is_command, line) {
            (false, "```sh") => is_command = true,
            (true, "```") => is_command = false,
            (true, line) => match line.split_once("   # ") {
                None => script.extend([line, "\n"]),
                Some((command, prints)) => {
                    let number = expected.len();
                    writeln!(script, "echo; echo BEGIN {number}\n{command}\necho; echo END {number}")
                        .expect("writing to a string");
                    expected.push(prints);
                }
            },
            (false, _) => {}
        }
    }
    (script, expected)
}

#[test]
fn the_tutorial_works_word_for_word() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name);
    for name in ["bin", "home", "work"] {
        fs::create_dir(path(name)).expect("making a folder");
    }
    symlink(binary::berth(), path("bin/berth")).expect("a link to berth");
    let (script, expected) = script();
    assert!(expected.len() > 5, "the page says what its commands print");
    fs::write(path("page.sh"), script).expect("writing the script");
    let search = format!("{}:{}", path("bin").display(), std::env::var("PATH").expect("a PATH"));
    // What the page leaves running when it fails ends with it.
    let alone = ["--net", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", "-e"];
    let run = Program::new("unshare").args(alone).arg(path("page.sh"));
    let ended =
        run.home(&path("home")).env("PATH", &search).current_dir(&path("work")).deadline(PATIENCE).succeeds();
    for (number, expected) in expected.iter().enumerate() {
        let (_, rest) = ended.stdout.split_once(&format!("BEGIN {number}\n")).expect("its beginning");
        let (printed, _) = rest.split_once(&format!("\nEND {number}\n")).expect("its end");
        assert!(printed.contains(expected), "{expected:?} is in {printed:?}");
    }
    assert_eq!(fs::read_dir(path("work")).expect("the folder").count(), 0, "nothing is left");
}
