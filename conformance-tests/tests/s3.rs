//! A server whose blobs are on a real S3 server (versitygw): pushes, resumes, redirects and refusals.

use std::io::{Read, Write};
use std::path::Path;

use conformance_tests::client::{Ask, in_pieces};
use conformance_tests::content::Blob;
use conformance_tests::small_disk::may_mount;
use conformance_tests::{Berth, Blobs, Metadata, Options, Program, S3Server, SmallDisk, Stores, binary};
use reqwest::Method;
use tempfile::tempdir;

const MIB: usize = 1 << 20;

fn on_s3() -> Options {
    Options::default().stores(Stores { blobs: Blobs::S3, ..Stores::of_environment() })
}

#[tokio::test]
async fn blobs_of_all_sizes_come_back_as_they_were_pushed() {
    let berth = on_s3().start();
    let admin = berth.admin();
    let repository = admin.repository("sizes").await;
    for (seed, size) in [(1, 0), (2, 1), (3, MIB), (4, 8 * MIB), (5, 8 * MIB + 1), (6, 45 * MIB)] {
        let blob = Blob::random(seed, size);
        repository.push_blob(&blob).await;
        let pulled = repository.get(&format!("/blobs/{}", blob.digest)).await.assert(200);
        assert!(pulled.body == blob.bytes, "{size} bytes");
    }
}

#[tokio::test]
async fn an_upload_goes_on_after_its_server_was_killed() {
    let mut berth = on_s3().start();
    let blob = Blob::random(7, 25 * MIB);
    let session = {
        let admin = berth.admin();
        let repository = admin.repository("killed").await;
        let session = repository.open_upload().await;
        repository.patch(&session, 0, &blob.bytes[..12 * MIB]).await.assert(202);
        session
    };
    berth.kill();
    berth.start_again();
    let admin = berth.admin();
    let repository = admin.repository("killed").await;
    repository.patch(&session, 12 * MIB, &blob.bytes[12 * MIB..13 * MIB]).await.assert(202);
    berth.kill();
    berth.start_again();
    let admin = berth.admin();
    let repository = admin.repository("killed").await;
    repository.finish(&session, &blob.digest, blob.bytes.slice(13 * MIB..)).await.assert(201);
    let pulled = repository.get(&format!("/blobs/{}", blob.digest)).await.assert(200);
    assert!(pulled.body == blob.bytes);
}

#[tokio::test]
async fn a_blob_that_no_bucket_keeps_is_refused_before_its_first_byte() {
    let berth = on_s3().start();
    let admin = berth.admin();
    let repository = admin.repository("large").await;
    let session = repository.open_upload().await;
    let last = 600u64 * (1 << 30) - 1;
    let patch = repository.request(Method::PATCH, &session).header("content-range", format!("0-{last}"));
    // Its length is not said, so that none of it has to come.
    let body = reqwest::Body::wrap_stream(futures_util::stream::iter([Ok::<_, std::io::Error>("x")]));
    patch.body(body).answer().await.assert_error(413, "SIZE_INVALID");
    let pushed = Blob::new("small");
    repository.finish(&session, &pushed.digest, pushed.bytes.clone()).await.assert(201);
}

#[tokio::test]
async fn who_lost_the_password_is_helped_on_the_stopped_servers_folder() {
    let stores = Stores { blobs: Blobs::S3, metadata: Metadata::Sqlite };
    let mut berth = Options::default().stores(stores).start();
    let blob = Blob::new("kept");
    berth.admin().repository("kept").await.push_blob(&blob).await;
    assert!(berth.stop().success());
    let admin = Program::new(binary::berth()).args(["admin", "--data"]).arg(berth.data());
    let password = "another password for tests";
    admin.args(["user", "passwd", "admin", "--password-stdin"]).stdin(password).succeeds();
    berth.start_again();
    let admin = berth.user("admin", password);
    let repository = admin.repository("kept").await;
    repository.get(&format!("/blobs/{}", blob.digest)).await.assert(200);
}

/// A server that sends its clients to the bucket, which they know by another name.
fn redirecting() -> (tempfile::TempDir, S3Server, Berth) {
    let folder = tempdir().expect("a temporary folder");
    let s3 = S3Server::start(folder.path());
    let public = s3.endpoint().replace("127.0.0.1", "localhost");
    let config = format!("{}redirect = true\npublic_endpoint = \"{public}\"\n", s3.config());
    let stores = Stores { blobs: Blobs::Local, ..Stores::of_environment() };
    let berth = Options::default().stores(stores).config(&config).start();
    (folder, s3, berth)
}

#[tokio::test]
async fn a_redirected_blob_comes_from_the_bucket_without_a_token() {
    let (_folder, _s3, berth) = redirecting();
    let admin = berth.admin();
    let repository = admin.repository("redirected").await;
    let blob = Blob::random(8, MIB);
    repository.push_blob(&blob).await;
    let path = format!("/blobs/{}", blob.digest);
    let answer = repository.get(&path).await.assert(307);
    let url = answer.header("location");
    assert!(url.starts_with("http://localhost:") && url.contains("X-Amz-Expires=1200"), "{url}");
    let client = reqwest::Client::new();
    let whole = client.get(url).send().await.expect("an answer").error_for_status().expect("success");
    assert!(whole.bytes().await.expect("the bytes") == blob.bytes);
    let part = client.get(url).header("range", "bytes=5-9").send().await.expect("an answer");
    assert_eq!(part.status(), 206);
    assert_eq!(part.bytes().await.expect("the bytes"), blob.bytes[5..10]);
    let head = repository.head(&path).await.assert(200);
    assert_eq!(head.header("content-length"), blob.bytes.len().to_string());
}

#[tokio::test]
async fn a_client_that_would_take_its_token_along_gets_the_bytes_here() {
    let (_folder, _s3, berth) = redirecting();
    let admin = berth.admin();
    let repository = admin.repository("streamed").await;
    let blob = Blob::random(9, MIB);
    repository.push_blob(&blob).await;
    let get = repository.request(Method::GET, &format!("/blobs/{}", blob.digest));
    let host = format!("localhost:{}", berth.port());
    let answer = get.header("host", host).answer().await.assert(200);
    assert!(answer.body == blob.bytes);
}

/// What `berth serve` says as it refuses to start with this config.
fn refused(folder: &Path, config: &str) -> String {
    let file = folder.join("berth.toml");
    std::fs::write(&file, config).expect("writing the config");
    let serve = Program::new(binary::berth()).args(["serve", "--listen", "127.0.0.1:0", "--data"]);
    let outcome = serve.arg(folder.join("data")).arg("--config").arg(&file).fails();
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    assert_eq!(outcome.stderr.trim().lines().count(), 1, "{outcome}");
    outcome.stderr
}

#[test]
fn a_bucket_that_can_not_be_used_is_one_sentence() {
    let folder = tempdir().expect("a temporary folder");
    let s3 = S3Server::start(folder.path());
    let (right, page) = (s3.config(), html_page());
    let reading = S3Server::start_read_only(folder.path());
    for (config, words) in [
        (format!("{right}region = \"eu-west-1\"\n"), "the bucket is not in the region eu-west-1"),
        (reading.config(), "the key AKIATEST may not do that"),
        (right.replace(&s3.endpoint(), &page), "answers 200 with something that is not S3's"),
        (right.replace("bucket = \"berth\"", "bucket = \"other\""), "there is no bucket other"),
        (right.replace("a-secret-for-tests", "wrong"), "the secret of the key AKIATEST is wrong"),
        (right.replace("AKIATEST", "AKIAOTHER"), "the key AKIAOTHER is not known there"),
        (right.replace(&s3.endpoint(), "http://127.0.0.1:1"), "can't be reached"),
    ] {
        let said = refused(folder.path(), &config);
        assert!(said.contains(words), "{said}");
        assert!(!said.contains("a-secret-for-tests"), "{said}");
    }
}

/// The address of something that answers every request with a page for people, until the test's end.
fn html_page() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("the port's number");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let _ = stream.read(&mut [0; 16 << 10]).expect("a request");
            let page = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 13\r\nconnection: close\r\n\r\n<html></html>";
            stream.write_all(page.as_bytes()).expect("answering");
        }
    });
    format!("http://{address}")
}

#[test]
fn a_clock_twenty_minutes_off_is_one_sentence_at_the_start() {
    let folder = tempdir().expect("a temporary folder");
    let s3 = S3Server::start(folder.path());
    let file = folder.path().join("berth.toml");
    std::fs::write(&file, s3.config()).expect("writing the config");
    for (off, words) in [("-20m", "behind S3's; set it"), ("+20m", "ahead of S3's; set it")] {
        let serve = Program::new("faketime").args(["-f", off]).arg(binary::berth()).args(["serve", "--data"]);
        let serve = serve.arg(folder.path().join("data")).arg("--config").arg(&file);
        let outcome =
            serve.args(["--listen", "127.0.0.1:0"]).env("FAKETIME_DONT_FAKE_MONOTONIC", "1").fails();
        assert_eq!(outcome.code(), Some(1), "{outcome}");
        assert_eq!(outcome.stderr.trim().lines().count(), 1, "{outcome}");
        outcome.says("signing for s3://berth/").says("this machine's clock is ").says(words);
    }
}

#[tokio::test]
async fn a_full_disk_under_the_spool_is_a_clear_refusal_and_the_upload_goes_on_when_there_is_room() {
    if !may_mount() {
        return;
    }
    let (disk, stores) = (SmallDisk::new(48), Stores { blobs: Blobs::S3, metadata: Metadata::Postgres });
    let berth = Options::default().stores(stores).data(&disk.data()).start();
    let admin = berth.admin();
    let repository = admin.repository("full").await;
    let (before, layer) = (Blob::random(1, 100_000), Blob::random(2, 30 * MIB));
    let image = repository.push_image("before", &before).await;
    let filler = disk.fill_up_to(4 * MIB as u64);
    let session = repository.open_upload().await;
    let patch = repository.request(Method::PATCH, &session).body(in_pieces(&layer.bytes));
    let refused = patch.answer().await.assert_error(507, "UNKNOWN");
    assert!(refused.text().contains("disk is full"), "{refused}");
    // It lives, and shows what it has.
    berth.anonymous().request(Method::GET, "/readyz").answer().await.assert(200);
    assert_eq!(repository.get("/manifests/before").await.assert(200).body, image.bytes);
    assert_eq!(repository.get(&format!("/blobs/{}", before.digest)).await.assert(200).body, before.bytes);
    std::fs::remove_file(filler).expect("making room");
    let status = repository.get(&session).await.assert(204);
    let range = status.header("range").strip_prefix("0-").expect("0-LAST").parse::<usize>();
    // A session without a byte says 0-0, too.
    let first = range.expect("a number").checked_add(1).filter(|held| *held > 1).unwrap_or_default();
    repository.finish(&session, &layer.digest, layer.bytes.slice(first..)).await.assert(201);
    let pulled = repository.get(&format!("/blobs/{}", layer.digest)).await.assert(200);
    assert!(pulled.body == layer.bytes);
}

#[tokio::test]
async fn a_database_and_a_bucket_that_do_not_belong_together_are_refused() {
    let mut berth = on_s3().start();
    let config = berth.s3().expect("it is on S3").config();
    let folder = tempdir().expect("a temporary folder");
    let said = refused(folder.path(), &config);
    assert!(said.contains("the blob store belongs to another database"), "{said}");
    berth.admin().repository("still").await.push_blob(&Blob::new("served")).await;
    assert!(berth.is_running());
}
