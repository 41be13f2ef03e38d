//! Sixteen clients push, pull, move and delete tags while images expire and what nobody needs is collected:
//! nothing acknowledged is lost, nothing unneeded stays, and the server doesn't grow.
//!
//! `BERTH_LOAD_SECONDS` says for how long.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use conformance_tests::client::Ask;
use conformance_tests::content::{Blob, Manifest};
use conformance_tests::{Berth, Client, Options, Repository};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

const CLIENTS: u64 = 16;
const REPOSITORIES: u64 = 4;
/// Layers that any image may have.
const SHARED_LAYERS: u64 = 6;
/// How long what nobody needs is kept here: seconds, where a day is usual.
const KEPT: Duration = Duration::from_secs(6);
/// How long collecting the rest may take afterwards.
const PATIENCE: Duration = Duration::from_secs(400);
/// How many of a client's expiring tags may stay.
const NEWEST: usize = 3;

fn seconds() -> u64 {
    std::env::var("BERTH_LOAD_SECONDS")
        .map_or(15, |text| text.parse().expect("BERTH_LOAD_SECONDS is a number"))
}

/// An image that a client pushed.
struct Pushed {
    manifest: Manifest,
    layers: Vec<Blob>,
}

/// One client, and what its tags must lead to; no other client touches them.
struct Worker<'c> {
    number: u64,
    repository: Repository<'c>,
    random: fastrand::Rng,
    tags: BTreeMap<String, Pushed>,
    /// In the order of pushing; of these some may have expired.
    expiring: Vec<(String, Pushed)>,
    pushes: u64,
}

impl Worker<'_> {
    async fn work(&mut self, until: Instant) {
        while Instant::now() < until {
            let tag = format!("c{}-{}", self.number, self.random.u32(..4));
            match self.random.u32(..100) {
                0..50 => self.push(tag).await,
                50..60 => self.push_expiring().await,
                60..80 => self.pull(&tag).await,
                80..95 => self.delete_tag(&tag).await,
                _ => self.delete_image(&tag).await,
            }
        }
    }

    /// As docker does: what is there already is not sent. Gives what was acknowledged.
    async fn try_push(&mut self, tag: &str) -> Option<Pushed> {
        self.pushes += 1;
        let shared = Blob::random(self.random.u64(..SHARED_LAYERS), 30_000);
        let own = Blob::random(1_000_000 * (self.number + 1) + self.pushes, 20_000);
        let (config, layers) = (Blob::config(), vec![shared, own]);
        let began = Instant::now();
        for blob in layers.iter().chain([&config]) {
            if self.repository.head(&format!("/blobs/{}", blob.digest)).await.status == 404 {
                self.repository.push_blob(blob).await;
            }
        }
        let manifest = Manifest::image(&config, &layers.iter().collect::<Vec<_>>());
        let answer = self.repository.put_manifest(tag, &manifest).await;
        if answer.status == 404 && began.elapsed() > KEPT / 2 {
            // It took longer than it may count on what it was told.
            return None;
        }
        answer.assert(201);
        Some(Pushed { manifest, layers })
    }

    async fn push(&mut self, tag: String) {
        if let Some(pushed) = self.try_push(&tag).await {
            self.tags.insert(tag, pushed);
        }
    }

    async fn push_expiring(&mut self) {
        let tag = format!("old-{}-{}", self.number, self.pushes);
        if let Some(pushed) = self.try_push(&tag).await {
            self.expiring.push((tag, pushed));
        }
    }

    async fn pull(&self, tag: &str) {
        let Some(pushed) = self.tags.get(tag) else {
            self.repository.get(&format!("/manifests/{tag}")).await.assert(404);
            return;
        };
        self.pull_whole(tag, pushed).await;
    }

    async fn pull_whole(&self, tag: &str, pushed: &Pushed) {
        let found = self.repository.get(&format!("/manifests/{tag}")).await.assert(200);
        assert_eq!(found.body, pushed.manifest.bytes, "{tag}");
        for layer in pushed.layers.iter().chain([&Blob::config()]) {
            let found = self.repository.get(&format!("/blobs/{}", layer.digest)).await.assert(200);
            assert!(found.body == layer.bytes, "{} of {tag} is not what it was", layer.digest);
        }
    }

    async fn delete_tag(&mut self, tag: &str) {
        let expected = if self.tags.remove(tag).is_some() { 202 } else { 404 };
        self.repository.delete(&format!("/manifests/{tag}")).await.assert(expected);
    }

    async fn delete_image(&mut self, tag: &str) {
        let Some(pushed) = self.tags.remove(tag) else { return };
        self.repository.delete(&format!("/manifests/{}", pushed.manifest.digest)).await.assert(202);
    }
}

/// How much the process holds: KiB of memory, and open files.
fn held_by(berth: &Berth) -> (u64, usize) {
    let status = std::fs::read_to_string(format!("/proc/{}/status", berth.process())).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    let memory = line.trim().trim_end_matches(" kB").parse().expect("a number of kB");
    let files = std::fs::read_dir(format!("/proc/{}/fd", berth.process())).expect("its files").count();
    (memory, files)
}

async fn forecast(admin: &Client) -> (u64, u64) {
    let found = admin.basic(Method::GET, "/api/v1/gc/forecast").answer().await.assert(200).json();
    (found["manifests"].as_u64().expect("a number"), found["blobs"].as_u64().expect("a number"))
}

/// Lets images expire again and again; gives how many tags did.
async fn expire(admin: &Client, until: Instant) -> u64 {
    let mut expired = 0;
    while Instant::now() < until {
        for repository in 0..REPOSITORIES {
            let path = format!("/api/v1/repositories/load%2F{repository}/expiring");
            let gone = admin.basic(Method::DELETE, &path).answer().await;
            if gone.status != 404 {
                expired += gone.assert(200).json()["tags"].as_u64().expect("a number");
            }
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    expired
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_and_nothing_grows_while_images_come_and_go() {
    let kept = KEPT.as_secs();
    let config = format!(
        "[auth]\ntoken_ttl = \"2h\"\n[collection]\nunreferenced_after = \"{kept}s\"\nuntagged_after = \"{kept}s\""
    );
    let berth = Options::default().config(&config).start();
    let admin = berth.admin();
    let rules = json!({"rules": [{"rulePriority": 1, "action": {"type": "expire"}, "selection": {
        "tagStatus": "tagged", "tagPrefixList": ["old-"], "countType": "imageCountMoreThan",
        "countNumber": NEWEST}}]});
    admin.basic(Method::PUT, "/api/v1/retention/load%2F").json(&rules).answer().await.assert(204);
    let mut workers = Vec::new();
    for number in 0..CLIENTS {
        let repository = admin.repository(&format!("load/{}", number % REPOSITORIES)).await;
        let (random, tags) = (fastrand::Rng::with_seed(number), BTreeMap::new());
        workers.push(Worker { number, repository, random, tags, expiring: Vec::new(), pushes: 0 });
    }
    let began = Instant::now();
    let half = began + Duration::from_secs(seconds()) / 2;
    let end = began + Duration::from_secs(seconds());
    let work = async |workers: &mut Vec<Worker<'_>>, until| {
        let all = join_all(workers.iter_mut().map(|worker| worker.work(until)));
        tokio::join!(all, expire(&admin, until)).1
    };
    let mut expired = work(&mut workers, half).await;
    let (memory_then, files_then) = held_by(&berth);
    expired += work(&mut workers, end).await;
    let (memory, files) = held_by(&berth);
    let pushes: u64 = workers.iter().map(|worker| worker.pushes).sum();
    eprintln!(
        "{pushes} pushes, {expired} tags expired in {} s; {memory_then} kB and {files_then} files, then {memory} kB \
         and {files} files",
        seconds()
    );
    assert!(expired > 0, "no tag expired");
    assert!(memory < memory_then + memory_then / 2 + 32 * 1024, "{memory_then} kB grew to {memory} kB");
    assert!(files < files_then + 64, "{files_then} open files grew to {files}");

    // Then everything that nobody needs goes, and only that.
    let resting = Instant::now();
    loop {
        let left = forecast(&admin).await;
        if left == (0, 0) {
            break;
        }
        assert!(
            resting.elapsed() < PATIENCE,
            "after {PATIENCE:?} {left:?} manifests and blobs are still to go"
        );
        admin.basic(Method::POST, "/api/v1/gc?wait=true").answer().await.assert(200);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    eprintln!("what nobody needs was gone after {:.0?}", resting.elapsed());
    let mut needed = BTreeSet::new();
    for worker in &workers {
        for (tag, pushed) in &worker.tags {
            worker.pull_whole(tag, pushed).await;
            needed.extend(pushed.layers.iter().map(|layer| layer.digest.clone()));
        }
        for (tag, pushed) in &worker.expiring {
            if worker.repository.head(&format!("/manifests/{tag}")).await.status == 200 {
                worker.pull_whole(tag, pushed).await;
                needed.extend(pushed.layers.iter().map(|layer| layer.digest.clone()));
            }
        }
    }
    needed.insert(Blob::config().digest);
    let usage = admin.basic(Method::GET, "/api/v1/gc/usage").answer().await.assert(200).json();
    assert_eq!(usage["blobs"], needed.len(), "blobs that are there, and those that are needed");
}
