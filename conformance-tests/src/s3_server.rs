//! A real S3 server of the test's own.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::Program;
use crate::server::free_address;

/// The access key of the S3 server.
pub const ACCESS_KEY: &str = "AKIATEST";
/// Its secret.
pub const SECRET_KEY: &str = "a-secret-for-tests";
/// The bucket that is there.
pub const BUCKET: &str = "berth";

const READY_WITHIN: Duration = Duration::from_secs(20);

/// A running S3 server (versitygw) on a folder; it is killed when dropped.
pub struct S3Server {
    child: Child,
    address: SocketAddr,
    rights: Rights,
    folder: PathBuf,
}

/// What those who have the key may do.
#[derive(Debug, Clone, Copy)]
enum Rights {
    All,
    Reading,
}

impl S3Server {
    /// Starts one that keeps its objects below `folder`, with one empty bucket.
    #[track_caller]
    pub fn start(folder: &Path) -> Self {
        Self::start_for(folder, Rights::All)
    }

    /// The same, where nobody may change anything.
    #[track_caller]
    pub fn start_read_only(folder: &Path) -> Self {
        Self::start_for(folder, Rights::Reading)
    }

    #[track_caller]
    fn start_for(folder: &Path, rights: Rights) -> Self {
        std::fs::create_dir_all(folder.join("s3").join(BUCKET)).expect("a folder for the bucket");
        let address = free_address("127.0.0.1:0");
        let child = spawn(folder, address, rights);
        let mut server = Self { child, address, rights, folder: folder.to_owned() };
        server.await_ready();
        server
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it without any warning and starts it again on the same folder and port.
    #[track_caller]
    pub fn kill_and_restart(&mut self) {
        self.child.kill().expect("killing versitygw");
        self.child.wait().expect("waiting for versitygw");
        self.child = spawn(&self.folder, self.address, self.rights);
        self.await_ready();
    }

    /// Where it answers.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The `[blobs]` section of a server that keeps its blobs there.
    pub fn config(&self) -> String {
        let endpoint = self.endpoint();
        format!(
            "[blobs]\nkind = \"s3\"\nbucket = \"{BUCKET}\"\nendpoint = \"{endpoint}\"\n\
             access_key_id = \"{ACCESS_KEY}\"\nsecret_access_key = \"{SECRET_KEY}\"\n"
        )
    }

    #[track_caller]
    fn await_ready(&mut self) {
        let started = Instant::now();
        while std::net::TcpStream::connect(self.address).is_err() {
            let ended = self.child.try_wait().expect("looking at versitygw");
            assert!(ended.is_none(), "versitygw ended at its start: {ended:?}");
            assert!(started.elapsed() < READY_WITHIN, "versitygw is not ready after {READY_WITHIN:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn spawn(folder: &Path, address: SocketAddr, rights: Rights) -> Child {
    let log =
        File::options().create(true).append(true).open(folder.join("s3.log")).expect("a file for the log");
    let gateway = Program::tool("versitygw")
        .env("ROOT_ACCESS_KEY", ACCESS_KEY)
        .env("ROOT_SECRET_KEY", SECRET_KEY)
        .args(["--port", &address.to_string(), "--health", "/health", "--quiet", "--keep-alive"]);
    let gateway = match rights {
        Rights::All => gateway,
        Rights::Reading => gateway.arg("--readonly"),
    };
    let mut command = gateway.arg("posix").arg(folder.join("s3")).into_command();
    command.stdin(Stdio::null()).stdout(log.try_clone().expect("a descriptor")).stderr(log);
    command.spawn().expect("starting versitygw (.ci/install brings it)")
}

impl Drop for S3Server {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
