//! Pushes while the stores restart or the lines to them are bad: clients succeed or hear a clear error,
//! and what was acknowledged is whole afterwards.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use conformance_tests::content::{Blob, Manifest};
use conformance_tests::s3_server::S3Server;
use conformance_tests::stores::{Blobs, Metadata, Stores};
use conformance_tests::{Berth, Options, Repository};
use futures_util::future::join_all;
use reqwest::{Method, RequestBuilder};
use tempfile::TempDir;
use test_servers::{BadLine, Line, PostgresServer};

const PUSHERS: u64 = 8;
const MIB: usize = 1 << 20;
/// How long things go wrong.
const TROUBLE: Duration = Duration::from_secs(10);
/// No request takes longer, whatever is wrong behind the server.
const PATIENCE: Duration = Duration::from_secs(90);

/// A server whose lines to both of its stores can be made bad.
struct Table {
    berth: Berth,
    to_postgres: BadLine,
    to_s3: BadLine,
    postgres: PostgresServer,
    s3: std::cell::RefCell<S3Server>,
    _folder: TempDir,
}

impl Table {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("berth-lines-").tempdir().expect("a temporary folder");
        let (postgres, s3) = (PostgresServer::start(), S3Server::start(folder.path()));
        let to_postgres = BadLine::to(([127, 0, 0, 1], postgres.port()).into());
        let to_s3 = BadLine::to(s3.address());
        let database = postgres
            .database()
            .replace(&format!(":{}/", postgres.port()), &format!(":{}/", to_postgres.address().port()));
        let blobs = s3.config().replace(&s3.address().to_string(), &to_s3.address().to_string());
        let options = Options::default().stores(Stores { blobs: Blobs::Local, metadata: Metadata::Sqlite });
        let berth = options.config(&format!("[metadata]\nurl = \"{database}\"\n{blobs}")).start();
        Self { berth, to_postgres, to_s3, postgres, s3: s3.into(), _folder: folder }
    }

    /// Pushes with eight clients side by side while `trouble` is made again and again, and then checks
    /// what they were told.
    async fn withstands(&self, mut trouble: impl AsyncFnMut(&mut fastrand::Rng)) {
        let stop = AtomicBool::new(false);
        let clients: Vec<_> = (0..PUSHERS).map(|_| self.berth.admin()).collect();
        let names: Vec<_> = (0..PUSHERS).map(|number| format!("lines/{number}")).collect();
        let repositories = clients.iter().zip(&names).map(|(client, name)| client.repository(name));
        let repositories = join_all(repositories).await;
        let pushers = repositories.iter().zip(0..).map(|(repository, number)| {
            let stop = &stop;
            async move {
                let mut pusher = Pusher::new(number);
                while !stop.load(Ordering::Relaxed) {
                    pusher.push(repository).await;
                }
                pusher
            }
        });
        let troubling = async {
            let mut random = fastrand::Rng::with_seed(1);
            let started = Instant::now();
            while started.elapsed() < TROUBLE {
                trouble(&mut random).await;
            }
            self.to_postgres.becomes(Line::Good);
            self.to_s3.becomes(Line::Good);
            stop.store(true, Ordering::Relaxed);
        };
        let (pushers, ()) = tokio::join!(join_all(pushers), troubling);
        let deadline = Instant::now() + PATIENCE;
        while self.berth.admin().get("/readyz").await.status != 200 {
            assert!(Instant::now() < deadline, "it is ready again");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        for (repository, mut pusher) in repositories.iter().zip(pushers) {
            pusher.is_whole(repository).await;
            // And it goes on as if nothing had been.
            let pushed = pusher.images.len();
            pusher.push(repository).await;
            assert_eq!(pusher.images.len(), pushed + 1, "a push after the trouble");
        }
    }
}

/// One client: what it was told is there.
struct Pusher {
    random: fastrand::Rng,
    next_seed: u64,
    images: Vec<(Manifest, Vec<(u64, usize)>)>,
}

/// The status that was asked for; none when it was a clear refusal or the connection broke.
async fn told(request: RequestBuilder, status: u16) -> Option<reqwest::Response> {
    let sent = tokio::time::timeout(PATIENCE, request.send()).await.expect("an answer in time");
    let answer = sent.ok()?;
    let (url, got) = (answer.url().clone(), answer.status());
    if got.as_u16() == status {
        return Some(answer);
    }
    assert!(got.is_server_error() || got.as_u16() == 404 || got.as_u16() == 429, "{url} answered {got}");
    let text = answer.text().await.ok()?;
    let body: serde_json::Value = serde_json::from_str(&text).expect("an error is JSON");
    let message = body["errors"][0]["message"].as_str();
    assert!(message.is_some_and(|message| !message.is_empty()), "{url} answered {got}: {text}");
    None
}

impl Pusher {
    fn new(number: u64) -> Self {
        let next_seed = (number + 1) * 1_000_000;
        Self { random: fastrand::Rng::with_seed(next_seed), next_seed, images: Vec::new() }
    }

    /// Pushes one image; it is noted only if all of it was acknowledged.
    async fn push(&mut self, repository: &Repository<'_>) {
        let mut layers = Vec::new();
        for large in [false, true] {
            let length = if large { self.random.usize(MIB..12 * MIB) } else { self.random.usize(1..MIB) };
            layers.push((self.next_seed, length));
            self.next_seed += 1;
        }
        let blobs: Vec<_> = layers.iter().map(|(seed, length)| Blob::random(*seed, *length)).collect();
        let config = Blob::new(format!("{{\"seed\":{}}}", self.next_seed));
        for blob in blobs.iter().chain([&config]) {
            if push_blob(repository, blob).await.is_none() {
                return;
            }
        }
        let image = Manifest::image(&config, &blobs.iter().collect::<Vec<_>>());
        let put = repository.request(Method::PUT, &format!("/manifests/{}", image.digest));
        let put = put.header("content-type", &image.media_type).body(image.bytes.clone());
        if told(put, 201).await.is_some() {
            self.images.push((image, layers));
        }
    }

    async fn is_whole(&self, repository: &Repository<'_>) {
        for (image, layers) in &self.images {
            let pulled = repository.get(&format!("/manifests/{}", image.digest)).await.assert(200);
            assert_eq!(pulled.body, image.bytes);
            for (seed, length) in layers {
                let blob = Blob::random(*seed, *length);
                let pulled = repository.get(&format!("/blobs/{}", blob.digest)).await.assert(200);
                assert!(pulled.body == blob.bytes, "{} is not what was pushed", blob.digest);
            }
        }
    }
}

/// A chunk, then the rest with the digest.
async fn push_blob(repository: &Repository<'_>, blob: &Blob) -> Option<()> {
    let begun = told(repository.request(Method::POST, "/blobs/uploads/"), 202).await?;
    let session = begun.headers()["location"].to_str().expect("text").to_owned();
    let half = blob.bytes.len() / 2;
    if half > 0 {
        let patch =
            repository.request(Method::PATCH, &session).header("content-range", format!("0-{}", half - 1));
        told(patch.body(blob.bytes.slice(..half)), 202).await?;
    }
    let put = repository.request(Method::PUT, &session).query(&[("digest", &blob.digest)]);
    told(put.body(blob.bytes.slice(half..)), 201).await.map(drop)
}

async fn a_while(random: &mut fastrand::Rng) {
    tokio::time::sleep(Duration::from_millis(random.u64(100..1000))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_that_crashes_and_restarts_loses_no_push() {
    let table = Table::new();
    table
        .withstands(async |random| {
            a_while(random).await;
            tokio::task::block_in_place(|| table.postgres.crash_and_restart());
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_s3_server_that_is_killed_and_restarts_loses_no_push() {
    let table = Table::new();
    table
        .withstands(async |random| {
            a_while(random).await;
            tokio::task::block_in_place(|| table.s3.borrow_mut().kill_and_restart());
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_are_cut_lose_no_push() {
    let table = Table::new();
    table
        .withstands(async |random| {
            a_while(random).await;
            let line = if random.bool() { &table.to_postgres } else { &table.to_s3 };
            line.becomes(Line::Cut);
            a_while(random).await;
            line.becomes(Line::Good);
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_are_slow_or_narrow_or_dead_for_a_while_lose_no_push() {
    let table = Table::new();
    table
        .withstands(async |random| {
            let line = if random.bool() { &table.to_postgres } else { &table.to_s3 };
            let states = [Line::Slow(Duration::from_millis(200)), Line::Narrow(1 << 20), Line::Dead];
            line.becomes(states[random.usize(..states.len())]);
            a_while(random).await;
            line.becomes(Line::Good);
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_answers_nothing_makes_an_error_and_no_endless_wait() {
    let table = Table::new();
    let client = table.berth.admin();
    let repository = client.repository("dead").await;
    let (image, blob) = (Blob::random(1, 1000), Blob::random(2, MIB));
    repository.push_image("latest", &image).await;
    for line in [&table.to_s3, &table.to_postgres] {
        line.becomes(Line::Dead);
        assert!(push_blob(&repository, &blob).await.is_none(), "nothing is acknowledged");
        line.becomes(Line::Good);
    }
    assert!(push_blob(&repository, &blob).await.is_some(), "and then it goes on");
}
