//! The real binary is killed at random moments while clients push and delete and it collects: whatever was
//! acknowledged is there and whole, and `berth fsck` finds nothing that a sweep would not clear.
//!
//! `BERTH_KILLS` says how often, on each kind of store.

use std::collections::BTreeMap;
use std::time::Duration;

use conformance_tests::content::{Blob, Manifest, sha256};
use conformance_tests::stores::{Blobs, Metadata, Stores};
use conformance_tests::{Berth, Client, Options, Repository};
use futures_util::future::join_all;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;

const CLIENTS: u64 = 4;
const TAGS: [&str; 4] = ["a", "b", "c", "d"];
/// Layers that many images share.
const SHARED: u64 = 6;
const PATIENCE: Duration = Duration::from_secs(120);

/// So short that everything is collected again and again; the server warns of it.
const CONFIG: &str = "[collection]\nunreferenced_after = \"3s\"\nuntagged_after = \"1s\"\n\
                      [uploads]\nexpire_after = \"2s\"\n\
                      [scrub]\nbytes_per_second = \"1GiB\"\nevery = \"1s\"";

fn kills(otherwise: usize) -> usize {
    std::env::var("BERTH_KILLS").map_or(otherwise, |text| text.parse().expect("BERTH_KILLS is a number"))
}

/// What is known of a tag.
#[derive(Clone)]
enum Known {
    /// It was acknowledged to lead here.
    Is(Manifest),
    /// It was acknowledged to be gone, or never was.
    IsNot,
    /// Nobody heard what became of the last request.
    Unsure,
}

/// One client, which remembers what it was told.
struct User {
    repository: String,
    random: fastrand::Rng,
    next_seed: u64,
    tags: BTreeMap<&'static str, Known>,
    acknowledged: u64,
}

/// None when the server died meanwhile.
async fn send(request: RequestBuilder) -> Option<Response> {
    request.send().await.ok()
}

impl User {
    fn new(number: u64) -> Self {
        let tags = TAGS.map(|tag| (tag, Known::IsNot)).into();
        let random = fastrand::Rng::with_seed(number);
        Self {
            repository: format!("killed/{number}"),
            random,
            next_seed: number << 32,
            tags,
            acknowledged: 0,
        }
    }

    /// Pushes and deletes until the server dies.
    async fn work(&mut self, client: &Client) {
        let repository = client.repository(&self.repository).await;
        while self.does_something(&repository).await.is_some() {}
    }

    async fn does_something(&mut self, repository: &Repository<'_>) -> Option<()> {
        let tag = TAGS[self.random.usize(..TAGS.len())];
        match (self.random.u32(..10), self.tags[tag].clone()) {
            (0, Known::Is(image)) => self.delete(repository, tag, &image.digest).await,
            (1, Known::Is(_)) => self.delete(repository, tag, tag).await,
            (2, _) => self.leave_an_upload(repository).await,
            _ => self.push(repository, tag).await,
        }
    }

    async fn delete(&mut self, repository: &Repository<'_>, tag: &'static str, what: &str) -> Option<()> {
        self.tags.insert(tag, Known::Unsure);
        let answer = send(repository.request(Method::DELETE, &format!("/manifests/{what}"))).await?;
        assert_eq!(answer.status(), 202, "{}", answer.url());
        self.tags.insert(tag, Known::IsNot);
        self.acknowledged += 1;
        Some(())
    }

    async fn leave_an_upload(&mut self, repository: &Repository<'_>) -> Option<()> {
        let begun = send(repository.request(Method::POST, "/blobs/uploads/")).await?;
        assert_eq!(begun.status(), 202);
        let session = begun.headers()["location"].to_str().expect("text").to_owned();
        let bytes = Blob::random(self.next_seed(), 10_000).bytes;
        let patched = send(repository.request(Method::PATCH, &session).body(bytes)).await?;
        assert_eq!(patched.status(), 202);
        Some(())
    }

    async fn push(&mut self, repository: &Repository<'_>, tag: &'static str) -> Option<()> {
        let own = Blob::random(self.next_seed(), self.random.usize(1..60_000));
        let shared = Blob::random(self.random.u64(..SHARED), 5000);
        let config = Blob::new(format!("{{\"seed\":{}}}", self.next_seed));
        for blob in [&own, &shared, &config] {
            self.push_blob(repository, blob).await?;
        }
        let image = Manifest::image(&config, &[&own, &shared]);
        let before = self.tags.insert(tag, Known::Unsure).expect("a tag");
        let put = repository.request(Method::PUT, &format!("/manifests/{tag}"));
        let put = put.header("content-type", &image.media_type).body(image.bytes.clone());
        let answer = send(put).await?;
        match answer.status().as_u16() {
            201 => {
                self.tags.insert(tag, Known::Is(image));
                self.acknowledged += 1;
            }
            // It took so long that what nothing named yet was collected: nothing was promised for so long.
            404 => drop(self.tags.insert(tag, before)),
            other => panic!("a push was answered {other}"),
        }
        Some(())
    }

    async fn push_blob(&mut self, repository: &Repository<'_>, blob: &Blob) -> Option<()> {
        let there = send(repository.request(Method::HEAD, &format!("/blobs/{}", blob.digest))).await?;
        if there.status() == 200 {
            return Some(());
        }
        assert_eq!(there.status(), 404, "{}", there.url());
        loop {
            let begun = send(repository.request(Method::POST, "/blobs/uploads/")).await?;
            assert_eq!(begun.status(), 202);
            let session = begun.headers()["location"].to_str().expect("text").to_owned();
            let half = blob.bytes.len() / 2;
            let patch = repository.request(Method::PATCH, &session).body(blob.bytes.slice(..half));
            let patched = send(patch).await?;
            // It expired when it waited for so long.
            if patched.status() == 404 {
                continue;
            }
            assert_eq!(patched.status(), 202);
            let put = repository.request(Method::PUT, &session).query(&[("digest", &blob.digest)]);
            let put = send(put.body(blob.bytes.slice(half..))).await?;
            if put.status() == 404 {
                continue;
            }
            assert_eq!(put.status(), 201, "{}", put.url());
            return Some(());
        }
    }

    fn next_seed(&mut self) -> u64 {
        self.next_seed += 1;
        self.next_seed
    }

    /// Everything that it was told is so, and every image that is there is whole.
    async fn check(&mut self, client: &Client) {
        let repository = client.repository(&self.repository).await;
        for (tag, known) in &mut self.tags {
            let answer = repository.get(&format!("/manifests/{tag}")).await;
            match (&known, answer.status.as_u16()) {
                (Known::Is(image), 200) => assert_eq!(answer.body, image.bytes, "{}:{tag}", self.repository),
                (Known::IsNot | Known::Unsure, 404) => {
                    *known = Known::IsNot;
                    continue;
                }
                (Known::Unsure, 200) => {
                    let media_type = answer.header("content-type").to_owned();
                    let bytes = answer.body.clone();
                    *known = Known::Is(Manifest { digest: sha256(&bytes), bytes, media_type });
                }
                (Known::Is(_), _) => panic!("{}:{tag} is lost: {answer}", self.repository),
                (Known::IsNot | Known::Unsure, _) => panic!("{}:{tag} came back: {answer}", self.repository),
            }
            let said = answer.json();
            let layers = said["layers"].as_array().expect("layers");
            for layer in layers.iter().chain([&said["config"]]) {
                let digest = layer["digest"].as_str().expect("a digest");
                let pulled = repository.get(&format!("/blobs/{digest}")).await.assert(200);
                assert_eq!(sha256(&pulled.body), digest, "{}:{tag}", self.repository);
            }
        }
    }
}

async fn outlives(kills: usize, stores: Stores) {
    let mut berth = Options::default().stores(stores).config(CONFIG).start();
    let mut admin = berth.admin();
    let mut users: Vec<User> = (0..CLIENTS).map(User::new).collect();
    for user in &users {
        // With its token before the first kill.
        admin.repository(&user.repository).await;
    }
    let mut random = fastrand::Rng::with_seed(11);
    for kill in 0..kills {
        let working = join_all(users.iter_mut().map(|user| user.work(&admin)));
        let killing = async {
            tokio::time::sleep(Duration::from_millis(random.u64(1..400))).await;
            berth.kill();
        };
        tokio::join!(working, killing);
        if kill % 20 == 19 {
            assert_eq!(found(&berth), Vec::<Value>::new(), "after {kill} kills");
        }
        berth.start_again();
        admin = admin.reconnected();
        join_all(users.iter_mut().map(|user| user.check(&admin))).await;
    }
    let acknowledged: u64 = users.iter().map(|user| user.acknowledged).sum();
    println!("{kills} kills: {acknowledged} pushes and deletes were acknowledged and are so");
    assert!(acknowledged > kills as u64, "{acknowledged} in all: too few to show anything");
    assert!(berth.stop().success());
    assert_eq!(found(&berth), Vec::<Value>::new());
    berth.start_again();
    admin = admin.reconnected();
    join_all(users.iter_mut().map(|user| user.check(&admin))).await;
}

/// What `berth fsck --deep` finds.
fn found(berth: &Berth) -> Vec<Value> {
    let outcome = berth.fsck(&["--deep", "--format", "json"]).deadline(PATIENCE).run();
    let said: Value = serde_json::from_str(&outcome.stdout).unwrap_or_else(|_| panic!("{outcome}"));
    said["findings"].as_array().expect("findings").clone()
}

#[tokio::test]
async fn what_was_acknowledged_outlives_kills_on_one_machine() {
    outlives(kills(60), Stores { blobs: Blobs::Local, metadata: Metadata::Sqlite }).await;
}

#[tokio::test]
async fn what_was_acknowledged_outlives_kills_on_postgresql_and_s3() {
    outlives(kills(40), Stores { blobs: Blobs::S3, metadata: Metadata::Postgres }).await;
}
