//! `berth admin` on a stopped server's folder, and on a running one.

#![expect(clippy::unwrap_used, reason = "these are tests, helpers included")]

mod audit;
mod collection;
mod groups;
mod keys;
mod policies;
mod repositories;
mod signing_keys;
mod users;

use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const PASSWORD: &str = "a password for tests";

/// A data folder of the test's own, and a home without logins.
struct House {
    folder: TempDir,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("data/registry")).unwrap();
        Self { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn berth(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_berth"));
        command.env_clear().env("HOME", self.path()).env("BERTH_ADMIN_PASSWORD", PASSWORD);
        command
    }

    /// `berth admin --data …`
    fn offline(&self, arguments: &str) -> Ran {
        let mut command = self.berth();
        command.args(["admin", "--data"]).arg(self.path().join("data"));
        run(command, arguments, "")
    }

    fn offline_with_input(&self, arguments: &str, input: &str) -> Ran {
        let mut command = self.berth();
        command.args(["admin", "--data"]).arg(self.path().join("data"));
        run(command, arguments, input)
    }

    fn serve(&self) -> Server<'_> {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let server = Server { house: self, child: self.spawn(&address), address };
        server.await_ready();
        run(self.berth(), &format!("login -u admin --password-stdin {}", server.address), PASSWORD)
            .succeeds();
        server
    }
}

impl House {
    fn spawn(&self, address: &str) -> Child {
        let mut command = self.berth();
        command.args(["serve", "--listen", address, "--data"]).arg(self.path().join("data"));
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }
}

/// A running server; killed when dropped.
struct Server<'h> {
    house: &'h House,
    child: Child,
    address: String,
}

impl Server<'_> {
    fn await_ready(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.get("/livez", None).is_none_or(|(status, _)| status != 200) {
            assert!(Instant::now() < deadline, "the server does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn stop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again on the same folder and address.
    fn start(&mut self) {
        self.child = self.house.spawn(&self.address);
        self.await_ready();
    }

    fn admin(&self, arguments: &str) -> Ran {
        self.admin_with_input(arguments, "")
    }

    fn admin_with_input(&self, arguments: &str, input: &str) -> Ran {
        let mut command = self.house.berth();
        command.args(["admin", "--server", &self.address]);
        run(command, arguments, input)
    }

    /// The status and body of an answer, if there is one.
    fn get(&self, path: &str, user: Option<&str>) -> Option<(u16, String)> {
        self.get_as(path, user.map(|user| (user, PASSWORD)))
    }

    /// The same, of whoever has this name and password.
    fn get_as(&self, path: &str, login: Option<(&str, &str)>) -> Option<(u16, String)> {
        let url = format!("http://{}{path}", self.address);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut request = reqwest::Client::new().get(url);
            if let Some((user, password)) = login {
                request = request.basic_auth(user, Some(password));
            }
            let answer = request.send().await.ok()?;
            Some((answer.status().as_u16(), answer.text().await.ok()?))
        })
    }
}

impl Server<'_> {
    /// The status of an answer to a bearer token, if there is one.
    fn get_with_token(&self, path: &str, token: &str) -> Option<u16> {
        let url = format!("http://{}{path}", self.address);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let asking = async { reqwest::Client::new().get(url).bearer_auth(token).send().await.ok() };
        runtime.block_on(asking).map(|answer| answer.status().as_u16())
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a command did.
struct Ran {
    arguments: String,
    output: Output,
}

fn run(mut command: Command, arguments: &str, input: &str) -> Ran {
    command.args(arguments.split_whitespace());
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that reads nothing may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    Ran { arguments: arguments.to_owned(), output: child.wait_with_output().unwrap() }
}

impl Ran {
    /// What it printed.
    #[track_caller]
    fn succeeds(self) -> String {
        let stderr = String::from_utf8_lossy(&self.output.stderr);
        assert!(self.output.status.success(), "{}: {stderr}", self.arguments);
        String::from_utf8(self.output.stdout).unwrap()
    }

    /// The sentence with which it failed, without the program's name.
    #[track_caller]
    fn fails(self) -> String {
        assert_eq!(self.output.status.code(), Some(1), "{}", self.arguments);
        let stderr = String::from_utf8(self.output.stderr).unwrap();
        stderr.trim_end().strip_prefix("berth: ").unwrap().to_owned()
    }
}
