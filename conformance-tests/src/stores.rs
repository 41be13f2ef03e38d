//! Where a server under test keeps what it is given, and the servers that this takes.
//!
//! `BERTH_TEST_BLOBS=s3` runs any test that names no store of its own over S3. Another kind of
//! database is another field here, and combines with it.

use std::net::SocketAddr;
use std::path::Path;
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

/// Which stores a server is started on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stores {
    /// Where bytes are kept.
    pub blobs: Blobs,
}

/// Where bytes are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blobs {
    /// In the data folder.
    Local,
    /// In a bucket of an S3 server of the test's own.
    S3,
}

impl Stores {
    /// What the environment asks for; without a word, everything is in the data folder.
    pub fn of_environment() -> Self {
        let blobs = match std::env::var("BERTH_TEST_BLOBS").as_deref() {
            Err(_) | Ok("" | "local") => Blobs::Local,
            Ok("s3") => Blobs::S3,
            Ok(other) => panic!("BERTH_TEST_BLOBS is local or s3, not {other}"),
        };
        Self { blobs }
    }
}

/// A running S3 server (versitygw) on a folder; it is killed when dropped.
pub struct S3Server {
    child: Child,
    address: SocketAddr,
}

impl S3Server {
    /// Starts one that keeps its objects below `folder`, with one empty bucket.
    #[track_caller]
    pub fn start(folder: &Path) -> Self {
        let root = folder.join("s3");
        std::fs::create_dir_all(root.join(BUCKET)).expect("a folder for the bucket");
        let address = free_address("127.0.0.1:0");
        let log = std::fs::File::create(folder.join("s3.log")).expect("a file for the log");
        let gateway = Program::tool("versitygw")
            .env("ROOT_ACCESS_KEY", ACCESS_KEY)
            .env("ROOT_SECRET_KEY", SECRET_KEY)
            .args([
                "--port",
                &address.to_string(),
                "--health",
                "/health",
                "--quiet",
                "--keep-alive",
                "posix",
            ]);
        let mut command = gateway.arg(&root).into_command();
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a descriptor")).stderr(log);
        let child = command.spawn().expect("starting versitygw (.ci/install brings it)");
        let mut server = Self { child, address };
        server.await_ready();
        server
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

impl Drop for S3Server {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
