//! Two replicas on PostgreSQL and S3 behind haproxy: clients notice neither that there are two nor that one dies.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use conformance_tests::client::Ask;
use conformance_tests::content::{Blob, sha256};
use conformance_tests::engines::{Docker, Podman};
use conformance_tests::replicas::Replicas;
use conformance_tests::{ADMIN_PASSWORD, Berth, Client, Program, rootfs};
use reqwest::Method;
use serde_json::json;

const MIB: usize = 1 << 20;
/// A client learns of a revocation after this long, whichever replica it asks.
const REVOKED_WITHIN: Duration = Duration::from_secs(5);

fn keep_login(home: &Path, registry: &str) {
    use base64::Engine as _;
    let auth = base64::engine::general_purpose::STANDARD.encode(format!("admin:{ADMIN_PASSWORD}"));
    let login = json!({"auths": {registry: {"auth": auth}}}).to_string();
    std::fs::write(home.join("auth.json"), login).expect("writing a login");
}

#[tokio::test]
async fn an_upload_begun_at_one_replica_goes_on_at_the_other_and_ends_at_the_balancer() {
    let replicas = Replicas::start();
    let blob = Blob::random(1, 20 * MIB);
    let clients = [replicas.berths[0].admin(), replicas.berths[1].admin(), replicas.balancer.admin()];
    let [first, second, third] = &clients;
    let (first, second, third) =
        (first.repository("a/b").await, second.repository("a/b").await, third.repository("a/b").await);
    let session = first.open_upload().await;
    first.patch(&session, 0, &blob.bytes[..7 * MIB]).await.assert(202);
    second.patch(&session, 7 * MIB, &blob.bytes[7 * MIB..15 * MIB]).await.assert(202);
    third.finish(&session, &blob.digest, blob.bytes.slice(15 * MIB..)).await.assert(201);
    for repository in [&first, &second, &third] {
        let pulled = repository.get(&format!("/blobs/{}", blob.digest)).await.assert(200);
        assert!(pulled.body == blob.bytes);
    }
}

#[tokio::test]
async fn a_tag_that_moved_at_one_replica_has_moved_at_the_other_with_the_answer() {
    let replicas = Replicas::start();
    let clients = [replicas.berths[0].admin(), replicas.berths[1].admin()];
    let here = clients[0].repository("moving").await;
    let there = clients[1].repository("moving").await;
    for seed in 0..20 {
        let image = here.push_image("latest", &Blob::random(seed, 1000)).await;
        let seen = there.head("/manifests/latest").await.assert(200);
        assert_eq!(seen.header("docker-content-digest"), image.digest);
    }
}

#[tokio::test]
async fn a_token_of_one_replica_is_good_at_the_other_until_its_user_is_disabled_anywhere() {
    let replicas = Replicas::start();
    let [first, second] = &replicas.berths;
    let admin = first.admin();
    admin.repository("team/app").await.push_image("latest", &Blob::random(1, 1000)).await;
    let user = json!({"name": "alice", "password": "alice's password", "policies": [{"policy": "reader"}]});
    admin.basic(Method::POST, "/api/v1/users").json(&user).answer().await.assert(201);
    let token = first.user("alice", "alice's password").token(&["repository:team/app:pull"]).await;
    let pull = || async {
        let client = second.anonymous();
        let request = client.request(Method::GET, "/v2/team/app/manifests/latest");
        request.bearer_auth(&token).answer().await.status.as_u16()
    };
    assert_eq!(pull().await, 200);
    let disabled = Instant::now();
    admin.basic(Method::PUT, "/api/v1/users/alice/disabled").answer().await.assert(204);
    while pull().await == 200 {
        assert!(disabled.elapsed() < REVOKED_WITHIN, "a disabled user's token is still good");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(pull().await, 401);
}

#[test]
fn docker_podman_and_skopeo_push_and_pull_through_the_balancer() {
    let replicas = Replicas::start();
    let (host, image) = (replicas.balancer.host(), replicas.balancer.reference("team/debian:12"));
    let docker = Docker::start();
    docker.login(&host, "admin", ADMIN_PASSWORD).succeeds();
    docker.build(&image, &rootfs::debian());
    docker.call("push").arg(&image).succeeds();
    let digest = docker.digest(&image);
    docker.empty();
    docker.call("pull").arg(&image).succeeds().says(&digest);

    let podman = Podman::start();
    keep_login(podman.home(), &host);
    podman.call("pull --tls-verify=false").arg(&image).succeeds();
    let other = replicas.balancer.reference("team/podmans:12");
    podman.call("tag").arg(&image).arg(&other).succeeds();
    podman.call("push --tls-verify=false").arg(&other).succeeds();

    let home = tempfile::tempdir().expect("a temporary folder");
    keep_login(home.path(), &host);
    let skopeo = || Program::new("skopeo").home(home.path()).args(["copy", "--dest-tls-verify=false"]);
    let layout = format!("oci:{}:12", home.path().join("layout").display());
    let pull = skopeo().arg("--src-tls-verify=false").arg(format!("docker://{other}")).arg(&layout);
    pull.succeeds();
    let third = replicas.balancer.reference("team/skopeos:12");
    skopeo().arg(&layout).arg(format!("docker://{third}")).succeeds();
    docker.call("pull").arg(&third).succeeds();
    assert_eq!(docker.run(&third, &["perl", "-e", "print 6*7"]), "42");
}

// ---- Kills ----

/// How long one replica is killed again and again.
const UNDER_FIRE: Duration = Duration::from_secs(120);
const LAYERS: usize = 4;
const LAYER: usize = 100 * MIB;

/// Tars of bytes that no other image has, and that don't compress.
fn layers(folder: &Path, image: u64) -> Vec<PathBuf> {
    let one = |index: usize| {
        let path = folder.join(format!("{image}-{index}.tar"));
        let mut tar = tar::Builder::new(File::create(&path).expect("making a tar"));
        let mut header = tar::Header::new_ustar();
        header.set_mode(0o644);
        header.set_size(LAYER as u64);
        let content = Blob::random(image * 1000 + index as u64, LAYER);
        tar.append_data(&mut header, format!("data-{index}"), &content.bytes[..]).expect("writing a tar");
        tar.into_inner().and_then(|mut file| file.flush()).expect("writing a tar");
        path
    };
    (0..LAYERS).map(one).collect()
}

/// Kills the replica every few seconds and starts it again, until told to stop; gives how often.
fn fire_at(replica: &mut Berth, stop: &AtomicBool) -> u32 {
    let mut random = fastrand::Rng::with_seed(7);
    let mut kills = 0;
    while !stop.load(Ordering::Relaxed) {
        let next = Instant::now() + Duration::from_millis(random.u64(2000..5000));
        while Instant::now() < next && !stop.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(50));
        }
        replica.kill();
        kills += 1;
        replica.start_again();
    }
    kills
}

/// Fails unless everything that the image names is there as it should be.
async fn is_whole(client: &Client, repository: &str, digest: &str) {
    let client = client.reconnected();
    let repository = client.repository(repository).await;
    let accept = "application/vnd.docker.distribution.manifest.v2+json";
    let manifest = repository.request(Method::GET, &format!("/manifests/{digest}")).header("accept", accept);
    let manifest = manifest.answer().await.assert(200);
    assert_eq!(sha256(&manifest.body), digest);
    let manifest = manifest.json();
    let layers = manifest["layers"].as_array().expect("layers");
    assert_eq!(layers.len(), LAYERS);
    for blob in layers.iter().chain([&manifest["config"]]) {
        let digest = blob["digest"].as_str().expect("a digest");
        let pulled = repository.get(&format!("/blobs/{digest}")).await.assert(200);
        assert_eq!(sha256(&pulled.body), digest);
    }
}

#[test]
fn what_docker_said_was_pushed_is_whole_though_a_replica_was_killed_every_few_seconds() {
    let mut replicas = Replicas::start();
    let balancer = &replicas.balancer;
    let [target, survivor] = &mut replicas.berths;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let docker = Docker::start();
    docker.login(&balancer.host(), "admin", ADMIN_PASSWORD).succeeds();
    let stop = AtomicBool::new(false);
    let (kills, pushed, pulled) = std::thread::scope(|scope| {
        let firing = scope.spawn(|| fire_at(target, &stop));
        let (mut pushed, mut pulled) = (Vec::new(), 0);
        let started = Instant::now();
        for number in 0.. {
            if started.elapsed() > UNDER_FIRE {
                break;
            }
            let repository = format!("fire/image-{number}");
            let image = balancer.reference(&format!("{repository}:1"));
            let layers = layers(folder.path(), number);
            docker.build(&image, &layers);
            layers.iter().for_each(|layer| std::fs::remove_file(layer).expect("removing a tar"));
            let push = docker.call("push").arg(&image).deadline(Duration::from_secs(300)).run();
            if push.code() == Some(0) {
                pushed.push((repository, docker.digest(&image)));
                docker.empty();
                let pull = docker.call("pull").arg(&image).deadline(Duration::from_secs(300)).run();
                pulled += u32::from(pull.code() == Some(0));
            }
            docker.empty();
        }
        stop.store(true, Ordering::Relaxed);
        (firing.join().expect("the replica always started again"), pushed, pulled)
    });
    println!("{kills} kills, {} pushes that docker said were done, {pulled} pulls", pushed.len());
    assert!(kills >= 10, "only {kills} kills");
    assert!(!pushed.is_empty(), "docker never got through");
    let client = survivor.admin();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for (repository, digest) in &pushed {
        runtime.block_on(is_whole(&client, repository, digest));
    }
}
