//! Other people's programs, run with a deadline, a home of their own and their output kept.

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use wait_timeout::ChildExt;

const DEADLINE: Duration = Duration::from_secs(180);

/// One call of a program. Only PATH, HOME and what the test sets reach its environment.
pub struct Program {
    command: Command,
    line: String,
    stdin: Vec<u8>,
    deadline: Duration,
}

/// What a program said and how it ended.
pub struct Outcome {
    line: String,
    status: ExitStatus,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
    /// How long it ran.
    pub took: Duration,
}

impl Program {
    /// A call of `program`, which must exist: a component that is missing fails the test.
    pub fn new(program: impl AsRef<Path>) -> Self {
        let program = program.as_ref();
        let mut command = Command::new(program);
        command.env_clear();
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        Self { command, line: program.display().to_string(), stdin: Vec::new(), deadline: DEADLINE }
    }

    /// A call of a tool that `.ci/install` puts into a folder of its own.
    pub fn tool(name: &str) -> Self {
        Self::new(tools().join(name))
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.line.push(' ');
        self.line.push_str(&argument.as_ref().to_string_lossy());
        self.command.arg(argument);
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(self, arguments: impl IntoIterator<Item = A>) -> Self {
        arguments.into_iter().fold(self, Program::arg)
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Gives it a home: its HOME, and where docker's and its relatives' credentials are.
    #[must_use]
    pub fn home(self, home: &Path) -> Self {
        self.env("HOME", home)
            .env("DOCKER_CONFIG", home.join(".docker"))
            .env("REGISTRY_AUTH_FILE", home.join("auth.json"))
            .env("XDG_RUNTIME_DIR", home)
    }

    /// Sets its working folder.
    #[must_use]
    pub fn current_dir(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Feeds it standard input.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Feeds it a file as standard input.
    #[must_use]
    pub fn stdin_file(mut self, file: &Path) -> Self {
        self.line = format!("{} <{}", self.line, file.display());
        self.command.stdin(File::open(file).expect("opening a file to feed to a program"));
        self
    }

    /// Kills it after this long; three minutes otherwise.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Runs it to its end.
    #[must_use]
    pub fn run(mut self) -> Outcome {
        let mut stdout = tempfile::tempfile().expect("a temporary file");
        let mut stderr = tempfile::tempfile().expect("a temporary file");
        if !self.stdin.is_empty() {
            let mut input = tempfile::tempfile().expect("a temporary file");
            input.write_all(&self.stdin).expect("writing standard input");
            input.seek(SeekFrom::Start(0)).expect("rewinding standard input");
            self.command.stdin(input);
        } else if !self.line.contains(" <") {
            self.command.stdin(Stdio::null());
        }
        let started = Instant::now();
        let mut child = self
            .command
            .stdout(stdout.try_clone().expect("a descriptor"))
            .stderr(stderr.try_clone().expect("a descriptor"))
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{}: {error} (.ci/install brings what the tests need)", self.line)
            });
        let status = child.wait_timeout(self.deadline).expect("waiting for a program");
        let took = started.elapsed();
        if status.is_none() {
            child.kill().expect("ending a program that hangs");
            child.wait().expect("waiting for a program");
        }
        let (stdout, stderr) = (text(&mut stdout), text(&mut stderr));
        let Some(status) = status else {
            panic!("{} was still running after {took:?}\n{stdout}\n{stderr}", self.line);
        };
        Outcome { line: self.line, status, stdout, stderr, took }
    }

    /// Runs it and fails the test unless it succeeds.
    pub fn succeeds(self) -> Outcome {
        let outcome = self.run();
        assert!(outcome.status.success(), "expected success: {outcome}");
        outcome
    }

    /// Runs it and fails the test unless it fails.
    pub fn fails(self) -> Outcome {
        let outcome = self.run();
        assert!(!outcome.status.success(), "expected failure: {outcome}");
        outcome
    }

    /// The command, for a program that the test keeps running.
    pub fn into_command(self) -> Command {
        self.command
    }
}

impl Outcome {
    /// Its exit code; `None` when a signal ended it.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Standard output without the white space around it.
    pub fn line(&self) -> &str {
        self.stdout.trim()
    }

    /// Standard output, parsed.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("not JSON ({error}): {self}"))
    }

    /// Fails the test unless either output contains `words`, whatever their case.
    #[track_caller]
    pub fn says(&self, words: &str) -> &Self {
        let said = format!("{}\n{}", self.stdout, self.stderr).to_lowercase();
        assert!(said.contains(&words.to_lowercase()), "expected {words:?}: {self}");
        self
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, status, stdout, stderr, took } = self;
        write!(out, "{line}\n{status} after {took:?}\n{stdout}\n{stderr}")
    }
}

/// Where `.ci/install` puts tools that are no packages: `BERTH_TOOLS`, or a folder in the user's cache.
fn tools() -> PathBuf {
    std::env::var_os("BERTH_TOOLS").map_or_else(|| cache().join("berth-tools"), PathBuf::from).join("bin")
}

/// The user's cache folder.
pub(crate) fn cache() -> PathBuf {
    if let Some(cache) = std::env::var_os("XDG_CACHE_HOME") {
        return cache.into();
    }
    PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache")
}

fn text(file: &mut File) -> String {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0)).expect("rewinding an output");
    file.read_to_end(&mut bytes).expect("reading an output");
    String::from_utf8_lossy(&bytes).into_owned()
}
