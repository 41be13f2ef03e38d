//! The topology of docker-compose.yml with the components that this machine has: two replicas on one
//! PostgreSQL and one S3 server, behind haproxy with the configuration that people get.

use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use test_servers::PostgresServer;

use crate::s3_server::S3Server;
use crate::server::free_address;
use crate::stores::{Blobs, Metadata, Stores};
use crate::{Berth, Client, Options};

const READY_WITHIN: Duration = Duration::from_secs(20);
const HAPROXY: &str = "/usr/sbin/haproxy";

/// Two replicas and what they stand on, all killed when dropped.
pub struct Replicas {
    /// The balancer before them.
    pub balancer: Balancer,
    /// The replicas.
    pub berths: [Berth; 2],
    /// Where bytes are.
    pub s3: S3Server,
    /// Where names are.
    pub postgres: PostgresServer,
    _folder: TempDir,
}

/// A running haproxy, killed when dropped.
pub struct Balancer {
    child: Child,
    address: SocketAddr,
}

impl Replicas {
    /// Starts everything and returns when the balancer answers.
    #[track_caller]
    pub fn start() -> Self {
        let folder =
            tempfile::Builder::new().prefix("berth-replicas-").tempdir().expect("a temporary folder");
        let postgres = PostgresServer::start();
        let s3 = S3Server::start(folder.path());
        let key = folder.path().join("master-key");
        // As `openssl rand -hex 32` makes it.
        std::fs::write(&key, format!("{}\n", "0123456789abcdef".repeat(4))).expect("writing a key");
        let config = format!(
            "trusted_proxies = [\"127.0.0.1\"]\n[auth]\nmaster_key_file = \"{}\"\n[metadata]\nurl = \"{}\"\n{}",
            key.display(),
            postgres.database(),
            s3.config(),
        );
        let start = || {
            let options =
                Options::default().stores(Stores { blobs: Blobs::Local, metadata: Metadata::Sqlite });
            options.config(&config).start()
        };
        let berths = [start(), start()];
        let balancer = Balancer::start(folder.path(), &[berths[0].host(), berths[1].host()]);
        Self { balancer, berths, s3, postgres, _folder: folder }
    }
}

impl Balancer {
    #[track_caller]
    fn start(folder: &Path, replicas: &[String; 2]) -> Self {
        let address = free_address("127.0.0.1:0");
        let log = File::create(folder.join("haproxy.log")).expect("a file for the log");
        let child = Command::new(HAPROXY)
            .args(["-db", "-f", concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/haproxy.cfg")])
            .env("LISTEN", address.to_string())
            .env("BERTH_1", &replicas[0])
            .env("BERTH_2", &replicas[1])
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a descriptor"))
            .stderr(log)
            .spawn()
            .expect("starting haproxy (.ci/install brings it)");
        let mut balancer = Self { child, address };
        balancer.await_ready();
        balancer
    }

    /// Where it listens, as clients write it in a reference: `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// A reference to something behind it.
    pub fn reference(&self, rest: &str) -> String {
        format!("{}/{rest}", self.address)
    }

    /// A client of the administrator.
    pub fn admin(&self) -> Client {
        Client::of_admin_at(&format!("http://{}", self.address))
    }

    #[track_caller]
    fn await_ready(&mut self) {
        let started = Instant::now();
        while std::net::TcpStream::connect(self.address).is_err() {
            let ended = self.child.try_wait().expect("looking at haproxy");
            assert!(ended.is_none(), "haproxy ended at its start: {ended:?}");
            assert!(started.elapsed() < READY_WITHIN, "haproxy is not ready after {READY_WITHIN:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
