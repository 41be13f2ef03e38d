//! What was acknowledged is there: after kills without warning, on a disk that was full, and for as long as an
//! upload may take.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use conformance_tests::client::{Ask, in_pieces};
use conformance_tests::content::{Blob, Manifest};
use conformance_tests::small_disk::may_mount;
use conformance_tests::{Answer, Berth, Client, Options, Repository, SmallDisk};
use futures_util::future::join_all;
use futures_util::{Stream, StreamExt, stream};
use reqwest::{Body, Method, Response};
use sha2::{Digest as _, Sha256};

const MIB: u64 = 1 << 20;
/// Longer than anything takes that these tests wait for, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// Asks again until `found` has an answer.
async fn until<T>(what: &str, mut found: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = found().await {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "{what}: not after {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// How many bytes an upload session holds, as its `Range` says.
fn held(range: &str) -> u64 {
    let last: u64 = range.strip_prefix("0-").and_then(|last| last.parse().ok()).expect("0-LAST");
    if last == 0 { 0 } else { last + 1 }
}

// ---- Kills ----

const KILLS: usize = 50;
const PUSHERS: usize = 4;

/// A blob that is made again whenever it is looked at.
#[derive(Clone, Copy)]
struct Seeded {
    seed: u64,
    length: usize,
}

impl Seeded {
    fn blob(self) -> Blob {
        Blob::random(self.seed, self.length)
    }
}

/// An upload under way: what the server has acknowledged of it.
struct Upload {
    content: Seeded,
    session: String,
    acknowledged: usize,
}

/// One client that pushes image after image until its server dies, and remembers what it was told.
struct Pusher {
    name: String,
    random: fastrand::Rng,
    next_seed: u64,
    under_way: Option<Upload>,
    blobs: Vec<Seeded>,
    images: Vec<Manifest>,
    checked: (usize, usize),
    /// The digest that the tag was last acknowledged to name, and the one it was last asked to.
    tagged: Option<String>,
    asked: Option<String>,
}

/// The answer to one request; none when the server died meanwhile.
type Heard = Option<Response>;

async fn send(request: reqwest::RequestBuilder) -> Heard {
    request.send().await.ok()
}

fn expect(answer: &Response, status: u16) {
    assert_eq!(answer.status().as_u16(), status, "{}", answer.url());
}

impl Pusher {
    fn new(number: usize) -> Self {
        let next_seed = number as u64 * 1_000_000;
        Self {
            name: format!("killed-{number}"),
            random: fastrand::Rng::with_seed(next_seed),
            next_seed,
            under_way: None,
            blobs: Vec::new(),
            images: Vec::new(),
            checked: (0, 0),
            tagged: None,
            asked: None,
        }
    }

    /// Pushes until the server dies.
    async fn push(&mut self, client: &Client) {
        let repository = client.repository(&self.name).await;
        while self.push_image(&repository).await.is_some() {}
    }

    async fn push_image(&mut self, repository: &Repository<'_>) -> Option<()> {
        let layer = self.push_blob(repository).await?;
        let config = Blob::new(format!("{{\"seed\":{}}}", layer.seed));
        let path = format!("/blobs/uploads/?digest={}", config.digest);
        let pushed = send(repository.request(Method::POST, &path).body(config.bytes.clone())).await?;
        expect(&pushed, 201);
        let image = Manifest::image(&config, &[&layer.blob()]);
        self.asked = Some(image.digest.clone());
        let put = repository.request(Method::PUT, "/manifests/latest");
        let put = put.header("content-type", &image.media_type).body(image.bytes.clone());
        expect(&send(put).await?, 201);
        self.tagged = Some(image.digest.clone());
        self.images.push(image);
        Some(())
    }

    /// Goes on with the upload that the last kill interrupted, or begins one.
    async fn push_blob(&mut self, repository: &Repository<'_>) -> Option<Seeded> {
        if self.under_way.is_none() {
            let begun = send(repository.request(Method::POST, "/blobs/uploads/")).await?;
            expect(&begun, 202);
            let session = begun.headers()["location"].to_str().expect("text").to_owned();
            let content = Seeded { seed: self.next_seed, length: self.random.usize(1..400_000) };
            self.next_seed += 1;
            self.under_way = Some(Upload { content, session, acknowledged: 0 });
        }
        let upload = self.under_way.as_mut().expect("just begun");
        let blob = upload.content.blob();
        while upload.acknowledged < blob.bytes.len() {
            let first = upload.acknowledged;
            let end = blob.bytes.len().min(first + self.random.usize(1..200_000));
            let patch = repository.request(Method::PATCH, &upload.session);
            let patch = patch.header("content-range", format!("{first}-{}", end - 1));
            expect(&send(patch.body(blob.bytes.slice(first..end))).await?, 202);
            upload.acknowledged = end;
        }
        let put = repository.request(Method::PUT, &upload.session).query(&[("digest", &blob.digest)]);
        expect(&send(put).await?, 201);
        let content = upload.content;
        self.under_way = None;
        self.blobs.push(content);
        Some(content)
    }

    /// Looks, after a kill, at the session that it interrupted and at what was acknowledged since the last.
    async fn check(&mut self, client: &Client) {
        let repository = client.repository(&self.name).await;
        if let Some(upload) = &mut self.under_way {
            let answer = repository.get(&upload.session).await;
            if answer.status == 204 {
                let held = usize::try_from(held(answer.header("range"))).expect("a small blob");
                assert!(
                    held >= upload.acknowledged,
                    "{} of {held} acknowledged: {answer}",
                    upload.acknowledged
                );
                upload.acknowledged = held;
            } else {
                // Only the last PUT can have ended it: done, and not heard of.
                answer.assert_error(404, "BLOB_UPLOAD_UNKNOWN");
                assert_eq!(upload.acknowledged, upload.content.length, "a session is gone");
                self.blobs.push(upload.content);
                self.under_way = None;
            }
        }
        let (blobs, images) = self.checked;
        self.check_from(&repository, blobs, images).await;
        self.checked = (self.blobs.len(), self.images.len());
    }

    async fn check_from(&mut self, repository: &Repository<'_>, blobs: usize, images: usize) {
        for content in &self.blobs[blobs..] {
            let blob = content.blob();
            let answer = repository.get(&format!("/blobs/{}", blob.digest)).await.assert(200);
            assert_eq!(answer.body, blob.bytes, "blob {}", blob.digest);
        }
        for image in &self.images[images..] {
            let answer = repository.get(&format!("/manifests/{}", image.digest)).await.assert(200);
            assert_eq!(answer.body, image.bytes, "manifest {}", image.digest);
        }
        if let Some(tagged) = &self.tagged {
            let answer = repository.get("/manifests/latest").await.assert(200);
            let named = answer.header("docker-content-digest");
            let heard_or_not = named == tagged || Some(named) == self.asked.as_deref();
            assert!(heard_or_not, "the tag names {named}, not {tagged}");
            // A push that was done and not heard of stays done, whatever the next one comes to.
            self.tagged = Some(named.to_owned());
        }
    }
}

#[tokio::test]
async fn what_was_acknowledged_outlives_fifty_kills() {
    let mut berth = Berth::start();
    let mut admin = berth.admin();
    let mut pushers: Vec<Pusher> = (0..PUSHERS).map(Pusher::new).collect();
    for pusher in &pushers {
        // With its token before the first kill: `push` ends only at what a dying server interrupts.
        admin.repository(&pusher.name).await;
    }
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..KILLS {
        let pushing = join_all(pushers.iter_mut().map(|pusher| pusher.push(&admin)));
        let killing = async {
            tokio::time::sleep(Duration::from_millis(random.u64(1..250))).await;
            berth.kill();
        };
        tokio::join!(pushing, killing);
        berth.start_again();
        admin = admin.reconnected();
        join_all(pushers.iter_mut().map(|pusher| pusher.check(&admin))).await;
    }
    for pusher in &mut pushers {
        pusher.check_from(&admin.repository(&pusher.name).await, 0, 0).await;
    }
    let (blobs, images) = pushers
        .iter()
        .fold((0, 0), |(blobs, images), pusher| (blobs + pusher.blobs.len(), images + pusher.images.len()));
    println!("{blobs} blobs and {images} images were acknowledged and are there");
    assert!(images > KILLS, "{images} images in all: too few to show anything");
    assert_eq!(berth.stop().code(), Some(0));
}

// ---- A large upload ----

/// Bytes that need no memory: one random block, again and again, each time with its number in front.
#[derive(Clone)]
struct Endless(Bytes);

impl Endless {
    const BLOCK: u64 = MIB;

    fn new() -> Self {
        Self(Blob::random(9, usize::try_from(Self::BLOCK).expect("fits")).bytes)
    }

    fn block(&self, number: u64) -> Bytes {
        let mut block = self.0.to_vec();
        block[..8].copy_from_slice(&number.to_le_bytes());
        block.into()
    }

    /// Bytes `first` to `end`; `sent` learns how many were taken.
    fn part(&self, first: u64, end: u64, sent: &Arc<AtomicU64>) -> Body {
        let (this, sent) = (self.clone(), Arc::clone(sent));
        Body::wrap_stream(stream::iter(first / Self::BLOCK..end.div_ceil(Self::BLOCK)).map(move |number| {
            let skipped = first.saturating_sub(number * Self::BLOCK);
            let piece = this.block(number).slice(usize::try_from(skipped).expect("fits")..);
            sent.fetch_add(piece.len() as u64, Ordering::Relaxed);
            Ok::<_, std::io::Error>(piece)
        }))
    }

    fn digest(&self, length: u64) -> String {
        let mut hasher = Sha256::new();
        (0..length / Self::BLOCK).for_each(|number| hasher.update(self.block(number)));
        format!("sha256:{}", hex::encode(hasher.finalize()))
    }
}

async fn digest_of(body: impl Stream<Item = reqwest::Result<Bytes>>) -> String {
    let mut body = std::pin::pin!(body);
    let mut hasher = Sha256::new();
    while let Some(piece) = body.next().await {
        hasher.update(piece.expect("the blob's bytes"));
    }
    format!("sha256:{}", hex::encode(hasher.finalize()))
}

#[tokio::test]
async fn a_patch_of_1_gib_that_a_kill_interrupts_goes_on_near_where_it_was() {
    const LENGTH: u64 = 1024 * MIB;
    const KILL_AFTER: u64 = 640 * MIB;
    let mut berth = Berth::start();
    let admin = berth.admin();
    let repository = admin.repository("large").await;
    let content = Endless::new();
    let session = repository.open_upload().await;
    let sent = Arc::new(AtomicU64::new(0));
    let patch = repository.request(Method::PATCH, &session).header("content-length", LENGTH);
    let patching = patch.body(content.part(0, LENGTH, &sent)).send();
    let killing = async {
        while sent.load(Ordering::Relaxed) < KILL_AFTER {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        berth.kill();
        sent.load(Ordering::Relaxed)
    };
    let (patched, sent_before) = tokio::join!(patching, killing);
    assert!(patched.is_err(), "the server was killed before it could answer");
    berth.start_again();
    let admin = admin.reconnected();
    let repository = admin.repository("large").await;
    let answer = repository.get(&session).await.assert(204);
    let first = held(answer.header("range"));
    println!("{sent_before} bytes were sent, {first} are there");
    assert!(first <= sent_before, "{first} of {sent_before} bytes");
    assert!(first + 64 * MIB >= sent_before, "{first} of {sent_before} bytes");
    let range = format!("{first}-{}", LENGTH - 1);
    let patch = repository.request(Method::PATCH, &session).header("content-range", range);
    let patch = patch.header("content-length", LENGTH - first).body(content.part(first, LENGTH, &sent));
    let answer = patch.answer().await.assert(202);
    assert_eq!(answer.header("range"), format!("0-{}", LENGTH - 1));
    let digest = content.digest(LENGTH);
    repository.finish(&session, &digest, "").await.assert(201);
    let pulled = repository.request(Method::GET, &format!("/blobs/{digest}")).send().await.unwrap();
    assert_eq!(digest_of(pulled.bytes_stream()).await, digest);
}

// ---- A full disk ----

fn is_full(answer: Answer) {
    let answer = answer.assert_error(507, "UNKNOWN");
    assert!(answer.text().contains("disk is full"), "{answer}");
}

#[tokio::test]
async fn an_upload_that_fills_the_disk_is_refused_clearly_and_goes_on_when_there_is_room() {
    if !may_mount() {
        return;
    }
    let disk = SmallDisk::new(64);
    let berth = Options::default().data(&disk.data()).start();
    let admin = berth.admin();
    let repository = admin.repository("full").await;
    let (before, layer) = (Blob::random(1, 100_000), Blob::random(2, 30 << 20));
    let image = repository.push_image("before", &before).await;
    let filler = disk.fill_up_to(24 * MIB);
    let session = repository.open_upload().await;
    let first_patch = repository.request(Method::PATCH, &session).body(in_pieces(&layer.bytes));
    is_full(first_patch.answer().await);

    // It lives, and shows what it has.
    berth.anonymous().request(Method::GET, "/readyz").answer().await.assert(200);
    assert_eq!(repository.get("/manifests/before").await.assert(200).body, image.bytes);
    assert_eq!(repository.get(&format!("/blobs/{}", before.digest)).await.assert(200).body, before.bytes);

    std::fs::remove_file(filler).unwrap();
    let first = usize::try_from(held(repository.get(&session).await.assert(204).header("range"))).unwrap();
    until("the session takes the rest", async || {
        let rest = layer.bytes.slice(first..);
        let patch = repository.request(Method::PATCH, &session);
        let patch = patch.header("content-range", format!("{first}-{}", layer.bytes.len() - 1));
        let answer = patch.header("content-length", rest.len()).body(in_pieces(&rest)).answer().await;
        (answer.status != 409).then(|| answer.assert(202))
    })
    .await;
    repository.finish(&session, &layer.digest, "").await.assert(201);
    assert_eq!(repository.get(&format!("/blobs/{}", layer.digest)).await.assert(200).body, layer.bytes);
}

#[tokio::test]
async fn a_client_that_has_much_left_to_send_hears_of_a_full_disk_too() {
    if !may_mount() {
        return;
    }
    let disk = SmallDisk::new(64);
    let berth = Options::default().config("[uploads]\nexpire_after = \"1s\"").data(&disk.data()).start();
    let admin = berth.admin();
    let repository = admin.repository("full").await;
    let session = repository.open_upload().await;
    let body = Endless::new().part(0, 512 * MIB, &Arc::default());
    is_full(repository.request(Method::PATCH, &session).body(body).answer().await);
    // Nobody goes on with it, so it makes room by itself.
    until("its bytes go", async || staged(&berth).is_empty().then_some(())).await;
    repository.get(&session).await.assert_error(404, "BLOB_UPLOAD_UNKNOWN");
    repository.push_image("after", &Blob::random(10, 1 << 20)).await;
}

#[tokio::test]
async fn on_a_disk_without_any_room_nothing_is_acknowledged_and_nothing_lost() {
    if !may_mount() {
        return;
    }
    let disk = SmallDisk::new(64);
    let mut berth = Options::default().data(&disk.data()).start();
    let admin = berth.admin();
    let repository = admin.repository("full").await;
    let mut images =
        vec![("before".to_owned(), repository.push_image("before", &Blob::random(3, 1000)).await)];
    let filler = disk.fill_up_to(0);
    // The database has some room of its own; push until that is used up, too.
    let (config, layer) = (Blob::config(), Blob::random(3, 1000));
    let mut refused = 0;
    for number in 0..400 {
        let mut image = Manifest::image_json(&config, &[&layer]);
        image["annotations"] =
            serde_json::json!({"number": number.to_string(), "padding": "p".repeat(20_000)});
        let (tag, image) = (format!("t{number}"), Manifest::new(&image));
        let answer = repository.put_manifest(&tag, &image).await;
        if answer.status == 201 {
            images.push((tag, image));
        } else {
            is_full(answer);
            refused += 1;
            if refused == 5 {
                break;
            }
        }
    }
    assert_eq!(refused, 5, "the disk was never full");
    for (tag, image) in &images {
        assert_eq!(repository.get(&format!("/manifests/{tag}")).await.assert(200).body, image.bytes, "{tag}");
    }
    std::fs::remove_file(filler).unwrap();
    images.push(("after".to_owned(), repository.push_image("after", &Blob::random(4, 1000)).await));
    let mut tags: Vec<&str> = images.iter().map(|(tag, _)| tag.as_str()).collect();
    tags.sort_unstable();
    berth.kill();
    berth.start_again();
    let admin = admin.reconnected();
    let repository = admin.repository("full").await;
    assert_eq!(repository.get("/tags/list").await.assert(200).json()["tags"], serde_json::json!(tags));
    for (tag, image) in &images {
        assert_eq!(repository.get(&format!("/manifests/{tag}")).await.assert(200).body, image.bytes, "{tag}");
    }
}

#[tokio::test]
async fn a_kill_on_a_full_disk_loses_nothing() {
    if !may_mount() {
        return;
    }
    let disk = SmallDisk::new(32);
    let mut berth = Options::default().data(&disk.data()).start();
    let admin = berth.admin();
    let repository = admin.repository("full").await;
    let image = repository.push_image("before", &Blob::random(5, 1000)).await;
    let filler = disk.fill_up_to(0);
    berth.kill();
    std::fs::remove_file(filler).unwrap();
    berth.start_again();
    let admin = admin.reconnected();
    let repository = admin.repository("full").await;
    assert_eq!(repository.get("/manifests/before").await.assert(200).body, image.bytes);
    repository.push_image("after", &Blob::random(6, 1000)).await;
}

// ---- Expiry ----

/// The files of uploads that have not become blobs.
fn staged(berth: &Berth) -> Vec<PathBuf> {
    let folder: &Path = &berth.data().join("registry/blobs/uploads");
    std::fs::read_dir(folder)
        .expect("the uploads' folder")
        .map(|entry| entry.expect("an entry").path())
        .collect()
}

#[tokio::test]
async fn an_upload_that_nobody_goes_on_with_expires_with_its_bytes() {
    let berth = Options::default().config("[uploads]\nexpire_after = \"1s\"").start();
    let admin = berth.admin();
    let repository = admin.repository("expired").await;
    let session = repository.open_upload().await;
    repository.patch(&session, 0, &Blob::random(7, 100_000).bytes).await.assert(202);
    until("the session expires", async || (repository.get(&session).await.status == 404).then_some(())).await;
    repository.get(&session).await.assert_error(404, "BLOB_UPLOAD_UNKNOWN");
    until("its bytes go", async || staged(&berth).is_empty().then_some(())).await;
}

#[tokio::test]
async fn an_upload_that_a_kill_interrupted_expires_too() {
    let mut berth = Options::default().config("[uploads]\nexpire_after = \"1s\"").start();
    let admin = berth.admin();
    let repository = admin.repository("expired").await;
    let session = repository.open_upload().await;
    repository.patch(&session, 0, &Blob::random(8, 100_000).bytes).await.assert(202);
    berth.kill();
    berth.start_again();
    let admin = admin.reconnected();
    let repository = admin.repository("expired").await;
    until("the session expires", async || (repository.get(&session).await.status == 404).then_some(())).await;
    until("its bytes go", async || staged(&berth).is_empty().then_some(())).await;
}

#[tokio::test]
async fn an_upload_under_way_does_not_expire() {
    let berth = Options::default().config("[uploads]\nexpire_after = \"1s\"").start();
    let admin = berth.admin();
    let repository = admin.repository("slow").await;
    let blob = Blob::random(9, 40);
    let session = repository.open_upload().await;
    // Three seconds for a body, by the test's own clock: two sweeps at least come in between.
    let slow = stream::iter(blob.bytes.chunks(10).map(Bytes::copy_from_slice).collect::<Vec<_>>()).then(
        async |piece| {
            tokio::time::sleep(Duration::from_millis(750)).await;
            Ok::<_, std::io::Error>(piece)
        },
    );
    let put = repository.request(Method::PUT, &session).query(&[("digest", &blob.digest)]);
    put.body(Body::wrap_stream(Box::pin(slow))).answer().await.assert(201);
}
