//! Where several servers keep what they are given: one S3 server for all that are measured, and a PostgreSQL
//! for Berth's names. Each server has a bucket and a database of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use test_servers::PostgresServer;

use super::process::Process;
use super::{free_address, log_to};

pub(super) const ACCESS_KEY: &str = "AKIABENCH";
pub(super) const SECRET_KEY: &str = "only-for-benches";

/// The S3 server and the PostgreSQL.
pub(crate) struct Stores {
    // Ended before its folder goes.
    _s3: Process,
    address: SocketAddr,
    folder: PathBuf,
    postgres: PostgresServer,
    places: u32,
}

/// Who sends a blob's bytes to clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// The registry, which has them from S3.
    Streamed,
    /// The S3 server, to which the registry sends clients.
    Redirected,
}

/// What one server has of the stores.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) s3: SocketAddr,
    pub(super) bucket: String,
    pub(super) database: String,
    pub(super) delivery: Delivery,
    folder: PathBuf,
}

impl Stores {
    /// Starts both; what is put on S3 is kept below `folder`.
    pub(crate) fn start(versitygw: &Path, folder: PathBuf) -> Result<Self> {
        std::fs::create_dir_all(folder.join("buckets"))?;
        let address = free_address()?;
        let mut command = Command::new(versitygw);
        command.env("ROOT_ACCESS_KEY", ACCESS_KEY).env("ROOT_SECRET_KEY", SECRET_KEY);
        command.args(["--port", &address.to_string(), "--quiet", "--keep-alive", "--access-log"]);
        command.arg(access_log(&folder)).arg("posix").arg(folder.join("buckets"));
        log_to(&mut command, &folder.join("log"))?;
        let s3 = Process::start(&mut command).context("starting versitygw")?;
        let deadline = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect(address).is_err() {
            if Instant::now() > deadline || !s3.is_running() {
                bail!("starting versitygw: it does not answer");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(Self { _s3: s3, address, folder, postgres: PostgresServer::start(), places: 0 })
    }

    /// An empty bucket and an empty database.
    pub(crate) fn place(&mut self, delivery: Delivery) -> Result<Place> {
        self.places += 1;
        let bucket = format!("bench-{}", self.places);
        let folder = self.folder.join("buckets").join(&bucket);
        std::fs::create_dir_all(&folder)?;
        Ok(Place { s3: self.address, bucket, database: self.postgres.database(), delivery, folder })
    }

    /// How many requests the S3 server was sent so far, once it has written them all down.
    pub(crate) fn requests(&self) -> Result<usize> {
        let count = || {
            Ok::<_, std::io::Error>(
                std::fs::read(access_log(&self.folder))?.iter().filter(|&&byte| byte == b'\n').count(),
            )
        };
        let (mut last, mut since) = (count()?, Instant::now());
        while since.elapsed() < Duration::from_millis(300) {
            std::thread::sleep(Duration::from_millis(20));
            let now = count()?;
            if now != last {
                (last, since) = (now, Instant::now());
            }
        }
        Ok(last)
    }
}

fn access_log(folder: &Path) -> PathBuf {
    folder.join("access.log")
}

impl Place {
    /// The URL of the database.
    pub(crate) fn database(&self) -> &str {
        &self.database
    }

    /// Removes what the server had put there.
    pub(super) fn clear(&self) {
        // Best effort: the folder that holds it goes at the end.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
