//! Clients that push and delete until the server dies, and know what they were told.

use std::collections::BTreeMap;

use conformance_tests::content::{Blob, Manifest, sha256};
use conformance_tests::{Client, Repository};
use futures_util::future::join_all;
use reqwest::{Method, RequestBuilder, Response};

const CLIENTS: u64 = 4;
const TAGS: [&str; 4] = ["a", "b", "c", "d"];
/// Layers that many images share.
const SHARED: u64 = 6;

/// Clients that use the store at once.
pub(crate) struct Users(Vec<User>);

impl Users {
    /// Some, each with a token of its own before anything is killed.
    pub(crate) async fn new(admin: &Client) -> Self {
        let users: Vec<_> = (0..CLIENTS).map(User::new).collect();
        for user in &users {
            admin.repository(&user.repository).await;
        }
        Self(users)
    }

    /// They push and delete until the server dies.
    pub(crate) async fn work(&mut self, client: &Client) {
        join_all(self.0.iter_mut().map(|user| user.work(client))).await;
    }

    /// Everything that they were told is so, and every image that is there is whole.
    pub(crate) async fn check(&mut self, client: &Client) {
        join_all(self.0.iter_mut().map(|user| user.check(client))).await;
    }

    /// How many pushes and deletes were acknowledged.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.0.iter().map(|user| user.acknowledged).sum()
    }
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
