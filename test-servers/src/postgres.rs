//! Debian's PostgreSQL on a free loopback port, run by a user who isn't root.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

/// Ends when its standard input does, and with it the server and its folder: also when the test is killed.
const SCRIPT: &str = include_str!("postgres.sh");

/// A PostgreSQL server of the test's own.
pub struct PostgresServer {
    port: u16,
    keeper: Mutex<Keeper>,
    databases: AtomicU32,
}

struct Keeper {
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    _process: Child,
}

impl PostgresServer {
    /// Starts a server and waits until it answers.
    ///
    /// # Panics
    /// When PostgreSQL is not installed or does not start.
    pub fn start() -> Self {
        Self::start_with(None)
    }

    /// Starts a server that speaks TLS with this certificate and its key, both PEM.
    ///
    /// # Panics
    /// When PostgreSQL is not installed or does not start.
    pub fn start_with_tls(certificate: &str, key: &str) -> Self {
        Self::start_with(Some((certificate, key)))
    }

    fn start_with(tls: Option<(&str, &str)>) -> Self {
        // Whoever takes the port in between makes the start fail, not the test.
        (0..5).find_map(|_| Self::try_start(tls)).expect("PostgreSQL starts; .ci/install brings it")
    }

    fn try_start(tls: Option<(&str, &str)>) -> Option<Self> {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.expect("a free port on loopback").port();
        let mut command = as_nobody_special();
        command.args(["sh", "-c", SCRIPT, "postgres.sh"]).arg(binaries()).arg(port.to_string());
        if let Some((certificate, key)) = tls {
            command.env("TLS_CERTIFICATE", certificate).env("TLS_KEY", key);
        }
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a shell");
        let commands = process.stdin.take().expect("a pipe");
        let answers = process.stdout.take().expect("a pipe");
        let mut keeper = Keeper { commands, answers: BufReader::new(answers), _process: process };
        (keeper.answer() == "ready").then(|| Self {
            port,
            keeper: Mutex::new(keeper),
            databases: AtomicU32::new(0),
        })
    }

    /// The URL of a new, empty database.
    pub fn database(&self) -> String {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql(&format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    /// The URL of a database.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://berth@127.0.0.1:{}/{database}", self.port)
    }

    /// Where it listens on loopback.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Runs a statement, on one line, as its administrator.
    pub fn sql(&self, statement: &str) {
        self.tell(&format!("sql {statement}"));
    }

    /// Ends every process of it at once, as a crash does, and starts it again.
    pub fn crash_and_restart(&self) {
        self.tell("crash");
    }

    /// Ends every process of it at once.
    pub fn crash(&self) {
        self.tell("stop");
    }

    /// Starts it again after [`Self::crash`].
    pub fn start_again(&self) {
        self.tell("start");
    }

    fn tell(&self, command: &str) {
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(keeper.commands, "{command}").expect("the server's keeper listens");
        assert_eq!(keeper.answer(), "done", "{command}");
    }
}

impl Keeper {
    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the server's keeper answers in text");
        line.trim().to_owned()
    }
}

/// The newest version that Debian has put beside others.
fn binaries() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions.max_by_key(|version| version.file_name().to_string_lossy().parse::<u32>().ok());
    newest.expect("PostgreSQL is installed; .ci/install brings it").path().join("bin")
}

/// PostgreSQL refuses to be run by root.
fn as_nobody_special() -> Command {
    let is_root =
        std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    if !is_root {
        return Command::new("env");
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]);
    command
}
