//! What can't be built, and how that is said.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::workshop::{BASE, Workshop};

#[test]
fn a_command_that_fails_shows_its_last_lines_its_line_and_its_code() {
    let workshop = Workshop::new();
    let outcome =
        workshop.fails(&format!("FROM {BASE}\nRUN true\nRUN echo the-reason >&2; \\\n  exit 7\nRUN true\n"));
    let said = &outcome.stderr;
    assert!(said.contains("the-reason\n------\n"), "{said}");
    assert!(
        said.contains("   3 | >>> RUN echo the-reason") && said.contains("   4 | >>>   exit 7"),
        "{said}"
    );
    let last = said.lines().last().unwrap();
    assert!(last.starts_with("berth: building ") && last.contains("Dockerfile lines 3 to 4: "), "{last}");
    assert!(last.ends_with("ended with exit code 7"), "{last}");
    assert_eq!(outcome.stdout, "");
}

#[test]
fn what_is_wrong_is_told_with_its_line_and_what_to_do() {
    let workshop = Workshop::new();
    for (text, words) in [
        (
            format!("FROM {BASE}\nRUM x\n"),
            vec!["Dockerfile line 2: unknown instruction: RUM", "did you mean RUN"],
        ),
        (
            format!("FROM {BASE}\nCOPY missing /\n"),
            vec!["Dockerfile line 2", "\"/missing\" is not in the context"],
        ),
        ("FROM 127.0.0.1:1/none\n".to_owned(), vec!["the image 127.0.0.1:1/none"]),
        (format!("FROM {BASE}\nRUN /bin/nothing-here\n"), vec!["Dockerfile line 2", "exit code 127"]),
        (format!("FROM {BASE}\nRUN [\"nothing-here\"]\n"), vec!["Dockerfile line 2", "nothing-here"]),
        (format!("FROM {BASE}\nUSER nobody\nRUN true\n"), vec!["Dockerfile line 3", "nobody"]),
        ("ARG B\nFROM $B\n".to_owned(), vec!["line 2", "--build-arg B="]),
        (format!("FROM --platform=linux/s390x {BASE}\n"), vec!["line 1", "linux/s390x"]),
        (format!("FROM {BASE}\nADD https://example.com/x /\n"), vec!["line 2", "https://example.com/x"]),
        (
            format!("FROM {BASE}\nADD github.com/example/x.git /\n"),
            vec!["line 2", "ADD of github.com/example/x.git: "],
        ),
        (
            format!("FROM {BASE}\nADD someone@example.com:x/y.git /\n"),
            vec!["line 2", "ADD of someone@example.com:x/y.git: "],
        ),
        (format!("FROM {BASE}\nRUN --security=insecure true\n"), vec!["line 2", "--security=insecure"]),
        (
            format!("FROM {BASE} AS a\nCOPY --from=b /x /\nFROM {BASE} AS b\nCOPY --from=a /x /\n"),
            vec!["circular"],
        ),
        (String::new(), vec!["cannot be empty"]),
    ] {
        let outcome = workshop.fails(&text);
        for word in words {
            outcome.says(word);
        }
    }
}

#[test]
fn a_dockerfile_that_is_huge_or_no_text_is_refused_with_its_line() {
    let workshop = Workshop::new();
    for (text, words) in [
        (vec![b'x'; 10 << 20], ["Dockerfile line 1: ", "65535"]),
        (b"FROM scratch\nLABEL a=\xff\xfe\n".to_vec(), ["Dockerfile line 2: ", "0xFF is not UTF-8"]),
    ] {
        workshop.file("Dockerfile", text);
        let outcome = workshop.build("-t made").run();
        assert_eq!(outcome.code(), Some(1), "{outcome}");
        for word in words {
            outcome.says(word);
        }
        assert_eq!(outcome.stderr.lines().count(), 1, "{outcome}");
    }
}

#[test]
fn a_context_that_is_none_is_told() {
    let workshop = Workshop::new();
    let build = |context: &str| workshop.program().args(["build", context]).run();
    build("/nowhere").says("building /nowhere: ");
    build("/etc/passwd").says("it is no folder");
    workshop.build("").run().says("Dockerfile");
}

#[test]
fn ctrl_c_ends_the_command_and_leaves_nothing() {
    let workshop = Workshop::new();
    let mut build = Build::begin(&workshop, &format!("FROM {BASE}\nRUN echo begun; sleep 1000\n"));
    build.hears(" begun\n");
    build.interrupt();
    workshop.nothing_is_left();
}

#[test]
fn ctrl_c_ends_the_wait_for_a_cache_that_another_build_has_locked() {
    let workshop = Workshop::new();
    let text = |word: &str| {
        format!("FROM {BASE}\nRUN --mount=type=cache,sharing=locked,target=/c echo {word}; sleep 1000\n")
    };
    let mut first = Build::begin(&workshop, &text("begun"));
    first.hears(" begun\n");
    let second = Build::begin(&workshop, &text("never"));
    let caches = workshop.data().join("local/caches");
    let deadline = Instant::now() + Duration::from_secs(60);
    while !second.has_open(&caches) {
        assert!(Instant::now() < deadline, "it came to no cache");
        std::thread::sleep(Duration::from_millis(10));
    }
    second.interrupt();
    first.interrupt();
    workshop.nothing_is_left();
}

#[test]
fn a_killed_build_is_cleared_up_by_the_next() {
    let workshop = Workshop::new();
    let mut build = Build::begin(&workshop, &format!("FROM {BASE}\nRUN echo begun; sleep 1000\n"));
    build.hears(" begun\n");
    build.child.kill().unwrap();
    build.child.wait().unwrap();
    workshop.make(&format!("FROM {BASE}\nRUN true\n"));
    workshop.nothing_is_left();
}

/// A build that isn't waited for.
struct Build {
    child: Child,
    said: BufReader<ChildStderr>,
}

impl Build {
    fn begin(workshop: &Workshop, dockerfile: &str) -> Self {
        workshop.dockerfile(dockerfile);
        let mut child = Command::new(conformance_tests::binary::berth())
            .arg("build")
            .arg(workshop.context())
            .env("BERTH_DATA", workshop.data())
            .env("HOME", workshop.path(""))
            .stderr(Stdio::piped())
            .spawn()
            .expect("starting berth build");
        let said = BufReader::new(child.stderr.take().expect("its standard error"));
        Self { child, said }
    }

    /// Reads what it says until a line ends like this.
    fn hears(&mut self, end: &str) {
        let mut line = String::new();
        while !line.ends_with(end) {
            line.clear();
            assert!(self.said.read_line(&mut line).expect("a line") > 0, "it ended too soon");
        }
    }

    /// Whether it has opened something in this folder.
    fn has_open(&self, folder: &Path) -> bool {
        let files = fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("its open files");
        files
            .flatten()
            .filter_map(|file| fs::read_link(file.path()).ok())
            .any(|path| path.starts_with(folder))
    }

    /// It ends soon after ctrl-C, and says why.
    fn interrupt(mut self) {
        let asked = Instant::now();
        kill_process(Pid::from_child(&self.child), Signal::INT).expect("interrupting it");
        let mut rest = String::new();
        self.said.read_to_string(&mut rest).expect("what it says");
        assert_eq!(self.child.wait().expect("how it ended").code(), Some(1));
        assert!(rest.ends_with("interrupted\n"), "{rest}");
        assert!(asked.elapsed() < Duration::from_secs(10));
    }
}
