//! Clients that take their time, and clients that never say what they want, stop nobody else.

use std::time::Duration;

use conformance_tests::client::Ask;
use conformance_tests::content::Blob;
use conformance_tests::{Berth, Repository};
use futures_util::future::join_all;
use reqwest::Method;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// How many of each kind.
const SLOW: usize = 256;
/// How much each sends in a second, in bytes.
const A_SECOND: usize = 1_000;
/// Longer than a push and a pull of this size take by far, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

async fn connect(berth: &Berth) -> TcpStream {
    TcpStream::connect(berth.host()).await.expect("a connection")
}

/// Sends a chunk as slowly as that, for as long as it is let.
fn send_slowly(mut stream: TcpStream, head: String) -> JoinHandle<()> {
    tokio::spawn(async move {
        stream.write_all(head.as_bytes()).await.expect("sending a head");
        loop {
            stream.write_all(&[b'x'; A_SECOND]).await.expect("the server reads on");
            sleep(Duration::from_secs(1)).await;
        }
    })
}

async fn push_and_pull(repository: &Repository<'_>, seed: u64) {
    let layer = Blob::random(seed, 4 << 20);
    let image = repository.push_image("latest", &layer).await;
    assert_eq!(repository.get("/manifests/latest").await.assert(200).body, image.bytes);
    assert!(repository.get(&format!("/blobs/{}", layer.digest)).await.assert(200).body == layer.bytes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_slow_clients_stop_nobody_else() {
    let berth = Berth::start();
    let admin = berth.admin();
    let repository = admin.repository("team/app").await;
    let sessions: Vec<String> = join_all((0..SLOW).map(|_| repository.open_upload())).await;
    let token = admin.token(&["repository:team/app:pull,push"]).await;
    let mut uploads = Vec::new();
    for session in &sessions {
        let head = format!(
            "PATCH {session} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\n\
             content-type: application/octet-stream\r\ncontent-length: 100000000\r\n\r\n",
            berth.host()
        );
        uploads.push(send_slowly(connect(&berth).await, head));
    }
    let mut silent = Vec::new();
    for _ in 0..SLOW {
        let mut stream = connect(&berth).await;
        stream.write_all(b"GET /v2/ HTTP/1.1\r\nhost: ").await.expect("sending half a head");
        silent.push(stream);
    }
    for seed in 0..5 {
        let served = timeout(PATIENCE, push_and_pull(&repository, seed)).await;
        served.unwrap_or_else(|_| panic!("no push and pull in {PATIENCE:?}"));
    }
    assert!(uploads.iter().all(|upload| !upload.is_finished()), "a slow upload was broken off");
    // What came of them is kept when they break.
    uploads.iter().for_each(JoinHandle::abort);
    let began = std::time::Instant::now();
    loop {
        let status = repository.request(Method::GET, &sessions[0]).answer().await.assert(204);
        let last: usize = status.header("range").trim_start_matches("0-").parse().expect("0-LAST");
        if last + 1 >= A_SECOND {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "nothing of a slow upload was kept: {status}");
        sleep(Duration::from_millis(100)).await;
    }
}
