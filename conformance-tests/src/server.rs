//! A `berth serve` of the test's own: a temporary data folder, a free port on loopback, its log kept.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use wait_timeout::ChildExt;

use crate::s3_server::S3Server;
use crate::stores::{Blobs, Stores};
use crate::tls::Certificate;
use crate::{Client, Program, binary};

/// The password of `admin` on every server that tests start.
pub const ADMIN_PASSWORD: &str = "a password for tests: not $ecret";

const READY_WITHIN: Duration = Duration::from_secs(20);
const STOPPED_WITHIN: Duration = Duration::from_secs(40);

/// What a server is started with.
#[derive(Default)]
pub struct Options {
    config: String,
    data: Option<PathBuf>,
    certificate: Option<Certificate>,
    ipv6: bool,
    stores: Option<Stores>,
    environment: Vec<(&'static str, String)>,
}

/// A running server, killed when dropped. Its log is shown when the test fails.
pub struct Berth {
    child: Child,
    address: SocketAddr,
    authority: Option<reqwest::Certificate>,
    data: PathBuf,
    config: PathBuf,
    folder: TempDir,
    ready_at: &'static str,
    s3: Option<S3Server>,
    environment: Vec<(&'static str, String)>,
}

impl Options {
    /// Adds lines of TOML to the server's config.
    #[must_use]
    pub fn config(mut self, lines: &str) -> Self {
        self.config.push_str(lines);
        self.config.push('\n');
        self
    }

    /// Keeps the data there, instead of in a temporary folder.
    #[must_use]
    pub fn data(mut self, data: &Path) -> Self {
        self.data = Some(data.to_owned());
        self
    }

    /// Serves TLS with this certificate.
    #[must_use]
    pub fn tls(mut self, certificate: Certificate) -> Self {
        self.certificate = Some(certificate);
        self
    }

    /// Keeps what it is given there, whatever the environment asks for.
    #[must_use]
    pub fn stores(mut self, stores: Stores) -> Self {
        self.stores = Some(stores);
        self
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &'static str, value: &str) -> Self {
        self.environment.push((name, value.to_owned()));
        self
    }

    /// Listens on `::1` instead of `127.0.0.1`.
    #[must_use]
    pub fn on_ipv6(mut self) -> Self {
        self.ipv6 = true;
        self
    }

    /// Starts the server and returns when it is ready.
    #[track_caller]
    pub fn start(self) -> Berth {
        self.start_ready_at("/readyz")
    }

    /// The same for a server that has its probes elsewhere: it is ready when this path is answered.
    #[track_caller]
    pub fn start_ready_at(mut self, path: &'static str) -> Berth {
        let folder = tempfile::Builder::new().prefix("berth-test-").tempdir().expect("a temporary folder");
        let authority = self.certificate.as_ref().map(|files| {
            let (certificate, key) = (files.certificate.display(), files.key.display());
            self.config.push_str(&format!("[tls]\ncert = \"{certificate}\"\nkey = \"{key}\"\n"));
            let pem = std::fs::read(&files.authority).expect("reading the authority's certificate");
            reqwest::Certificate::from_pem(&pem).expect("a certificate")
        });
        let data = self.data.unwrap_or_else(|| folder.path().join("data"));
        let stores = self.stores.unwrap_or_else(Stores::of_environment);
        let s3 = match stores.blobs {
            Blobs::Local => None,
            Blobs::S3 => Some(S3Server::start(folder.path())),
        };
        self.config.push_str(&s3.as_ref().map(S3Server::config).unwrap_or_default());
        self.config.push_str(&stores.metadata.config(&data));
        let config = folder.path().join("berth.toml");
        std::fs::write(&config, self.config).expect("writing the config");
        let address = free_address(if self.ipv6 { "[::1]:0" } else { "127.0.0.1:0" });
        let environment = self.environment;
        let child = spawn(&config, &data, address, folder.path(), &environment);
        let ready_at = path;
        let mut berth = Berth { child, address, authority, data, config, folder, ready_at, s3, environment };
        berth.await_ready();
        berth
    }
}

impl Berth {
    /// Starts a server as one gets it without any config.
    #[track_caller]
    pub fn start() -> Self {
        Options::default().start()
    }

    /// Where it listens, as clients write it in a reference: `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// `berth admin …`, run by whoever is logged in to this server in `home`.
    pub fn admin_command(&self, home: &Path, arguments: &str) -> Program {
        let berth = Program::new(binary::berth()).home(home).args(["admin", "--server", &self.url()]);
        berth.args(arguments.split_whitespace())
    }

    /// `berth fsck` of its stores.
    pub fn fsck(&self, flags: &[&str]) -> Program {
        self.fsck_on(&self.data, flags)
    }

    /// The same, as another machine would do it, which has this data folder.
    pub fn fsck_on(&self, data: &Path, flags: &[&str]) -> Program {
        let berth = Program::new(binary::berth()).arg("fsck").arg("--config").arg(&self.config);
        berth.arg("--data").arg(data).args(flags)
    }

    /// Its address as a URL.
    pub fn url(&self) -> String {
        let scheme = if self.authority.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// A reference to something on this server, as clients write it.
    pub fn reference(&self, rest: &str) -> String {
        format!("{}/{rest}", self.address)
    }

    /// The S3 server that it keeps its blobs on, if it does.
    pub fn s3(&self) -> Option<&S3Server> {
        self.s3.as_ref()
    }

    /// Its data folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Its configuration, without where its data is.
    pub fn config_file(&self) -> &Path {
        &self.config
    }

    /// Its process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// A client that presents nothing.
    pub fn anonymous(&self) -> Client {
        Client::new(self.url(), self.authority.as_ref(), None)
    }

    /// A client of the administrator.
    pub fn admin(&self) -> Client {
        self.user("admin", ADMIN_PASSWORD)
    }

    /// A client of a user.
    pub fn user(&self, name: &str, password: &str) -> Client {
        Client::new(self.url(), self.authority.as_ref(), Some((name.to_owned(), password.to_owned())))
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(log_file(self.folder.path())).unwrap_or_default()
    }

    /// Returns once its log says so.
    pub async fn until_logged(&self, words: &str) {
        let deadline = Instant::now() + READY_WITHIN;
        while !self.log().contains(words) {
            assert!(Instant::now() < deadline, "{words:?} is in the log");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What `berth admin gc --accept-restore` of the administrator prints; the login goes to `home`.
    pub fn accept_restore(&self, home: &Path) -> String {
        let login =
            Program::new(binary::berth()).home(home).args(["login", "-u", "admin", "--password-stdin"]);
        login.arg(self.host()).stdin(ADMIN_PASSWORD).succeeds();
        self.admin_command(home, "gc --accept-restore").succeeds().stdout
    }

    /// Ends it without any warning, as a power cut would end it for its callers.
    pub fn kill(&mut self) {
        self.child.kill().expect("killing the server");
        self.child.wait().expect("waiting for the server");
    }

    /// Asks it to stop, and returns how it ended.
    #[track_caller]
    pub fn stop(&mut self) -> ExitStatus {
        self.ask_to_stop();
        self.await_end()
    }

    /// Asks it to stop, and does not wait until it has.
    pub fn ask_to_stop(&self) {
        let process = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(process, Signal::TERM).expect("asking the server to stop");
    }

    /// Waits for the end of a server that was asked to stop, and returns how it ended.
    #[track_caller]
    pub fn await_end(&mut self) -> ExitStatus {
        let status = self.child.wait_timeout(STOPPED_WITHIN).expect("waiting for the server");
        status.expect("the server stops within its own deadline")
    }

    /// Starts it again on the same data and port, after `kill` or `stop`.
    #[track_caller]
    pub fn start_again(&mut self) {
        self.child = spawn(&self.config, &self.data, self.address, self.folder.path(), &self.environment);
        self.await_ready();
    }

    /// From its next start on, its environment has these variables beside the usual ones.
    pub fn set_environment(&mut self, environment: &[(&'static str, String)]) {
        self.environment = environment.to_vec();
    }

    /// Whether the process still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("looking at the server").is_none()
    }

    /// The sum of a metric over all its labels; 0 when it isn't there yet.
    pub async fn metric(&self, name: &str) -> f64 {
        let text = self.admin().get("/metrics").await.assert(200).text();
        let value = |line: &str| {
            let rest = line.strip_prefix(name)?;
            rest.starts_with([' ', '{']).then(|| rest.rsplit(' ').next()?.parse::<f64>().ok())?
        };
        text.lines().filter_map(value).sum()
    }

    /// The same for a server that may come to its end before it is ready; whether it is.
    #[track_caller]
    pub fn start_again_or_die(&mut self) -> bool {
        self.child = spawn(&self.config, &self.data, self.address, self.folder.path(), &self.environment);
        self.is_ready_before_its_end().is_ok()
    }

    #[track_caller]
    fn await_ready(&mut self) {
        if let Err(status) = self.is_ready_before_its_end() {
            panic!("berth serve ended at its start: {status}");
        }
    }

    #[track_caller]
    fn is_ready_before_its_end(&mut self) -> Result<(), ExitStatus> {
        let started = Instant::now();
        let client = self.anonymous();
        loop {
            if let Some(status) = self.child.try_wait().expect("looking at the server") {
                return Err(status);
            }
            if std::net::TcpStream::connect(self.address).is_ok() && is_ready(&client, self.ready_at) {
                return Ok(());
            }
            assert!(started.elapsed() < READY_WITHIN, "berth serve is not ready after {READY_WITHIN:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Berth {
    #[expect(clippy::print_stderr, reason = "a failing test shows what its server said")]
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            eprintln!("---- the log of berth at {} ----\n{}", self.address, tail(&log));
        }
    }
}

/// An address that nothing listens on; `any` is one with port 0.
pub fn free_address(any: &str) -> SocketAddr {
    let listener = TcpListener::bind(any).expect("a free port");
    listener.local_addr().expect("the port's number")
}

fn spawn(
    config: &Path,
    data: &Path,
    address: SocketAddr,
    folder: &Path,
    environment: &[(&str, String)],
) -> Child {
    let log = File::options().create(true).append(true).open(log_file(folder)).expect("a file for the log");
    Command::new(binary::berth())
        .args(["serve", "--listen", &address.to_string()])
        .arg("--config")
        .arg(config)
        .arg("--data")
        .arg(data)
        .env("BERTH_ADMIN_PASSWORD", ADMIN_PASSWORD)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a descriptor"))
        .stderr(log)
        .spawn()
        .expect("starting berth serve")
}

fn log_file(folder: &Path) -> PathBuf {
    folder.join("berth.log")
}

/// The end of a log, as much as a reader of a failure can use.
pub(crate) fn tail(log: &str) -> &str {
    let from = log.char_indices().rev().nth(8000).map_or(0, |(at, _)| at);
    &log[from..]
}

/// Asks once, from a thread of its own: the test may be inside a runtime or not.
fn is_ready(client: &Client, path: &str) -> bool {
    std::thread::scope(|scope| {
        let ask = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let answer = client.request(reqwest::Method::GET, path).send().await;
                answer.is_ok_and(|answer| matches!(answer.status().as_u16(), 200 | 401))
            })
        };
        scope.spawn(ask).join().expect("asking whether the server is ready")
    })
}
