//! The front door, through real sockets.

mod door;

use std::io;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Request};
use axum::http::StatusCode;
use axum::routing::{get, put};
use berth_server::config::LimitsConfig;
use berth_server::front_door::{self, BodyError, Connection, LivingBody};
use door::{Door, PREFACE_AND_SETTINGS, read_all, read_answer, send};
use futures_util::StreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

const SOON: Duration = Duration::from_secs(5);

fn limits(change: impl FnOnce(&mut LimitsConfig)) -> LimitsConfig {
    let mut limits = LimitsConfig::default();
    change(&mut limits);
    limits
}

async fn length(request: Request) -> Result<String, (StatusCode, String)> {
    let mut body = LivingBody::new(request.into_body(), Duration::from_millis(300));
    let mut length = 0;
    while let Some(bytes) = body.next().await {
        match bytes {
            Ok(bytes) => length += bytes.len(),
            Err(error @ BodyError::Silent(_)) => {
                return Err((StatusCode::REQUEST_TIMEOUT, error.to_string()));
            }
            Err(error @ BodyError::Broken(_)) => return Err((StatusCode::BAD_REQUEST, error.to_string())),
        }
    }
    Ok(length.to_string())
}

fn router() -> Router {
    Router::new()
        .route("/", get(async || "hello"))
        .route(
            "/where",
            get(async |Extension(connection): Extension<Connection>| {
                format!("{} {} {}", connection.peer.ip(), connection.tls, connection.proxied)
            }),
        )
        .route(
            "/slow",
            get(async || {
                sleep(Duration::from_millis(500)).await;
                "done"
            }),
        )
        .route("/length", put(length))
        .route("/refused", put(async || (StatusCode::UNAUTHORIZED, "no")))
        .route(
            "/endless",
            get(async || {
                Body::from_stream(futures_util::stream::repeat_with(|| Ok::<_, io::Error>(vec![0; 1 << 16])))
            }),
        )
}

#[tokio::test]
async fn a_request_knows_where_it_came_from() {
    let door = Door::open(LimitsConfig::default(), router()).await;
    let answer = send(door.address, b"GET /where HTTP/1.1\r\nHost: r\r\nConnection: close\r\n\r\n").await;
    assert!(answer.ends_with("\r\n\r\n127.0.0.1 false false"), "{answer}");
}

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let door = Door::open(LimitsConfig::default(), router()).await;
    let mut stream = TcpStream::connect(door.address).await.unwrap();
    for _ in 0..3 {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: r\r\n\r\n").await.unwrap();
        assert!(read_answer(&mut stream, "hello").await.starts_with("HTTP/1.1 200 OK"));
    }
    assert_eq!(door.open_connections(), 1);
}

#[tokio::test]
async fn http2_is_spoken_in_clear_text_by_prior_knowledge() {
    let door = Door::open(LimitsConfig::default(), router()).await;
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let answer = client.get(door.url("http", "/where")).send().await.unwrap();
    assert_eq!(answer.version(), axum::http::Version::HTTP_2);
    assert_eq!(answer.text().await.unwrap(), "127.0.0.1 false false");
}

#[tokio::test]
async fn an_http2_preface_in_two_pieces_is_understood() {
    let door = Door::open(LimitsConfig::default(), router()).await;
    let mut stream = TcpStream::connect(door.address).await.unwrap();
    let (first, second) = PREFACE_AND_SETTINGS.split_at(7);
    stream.write_all(first).await.unwrap();
    sleep(Duration::from_millis(50)).await;
    stream.write_all(second).await.unwrap();
    let mut frame = [0; 9];
    timeout(SOON, stream.read_exact(&mut frame)).await.unwrap().unwrap();
    assert_eq!(frame[3], 4, "the server answers with its own SETTINGS");
}

#[tokio::test]
async fn connections_past_the_bound_wait_for_a_place() {
    let door = Door::open(limits(|limits| limits.connections = 1), router()).await;
    let mut first = TcpStream::connect(door.address).await.unwrap();
    first.write_all(b"GET / HTTP/1.1\r\nHost: r\r\n\r\n").await.unwrap();
    read_answer(&mut first, "hello").await;
    let mut second = TcpStream::connect(door.address).await.unwrap();
    second.write_all(b"GET / HTTP/1.1\r\nHost: r\r\n\r\n").await.unwrap();
    let mut byte = [0];
    assert!(timeout(Duration::from_millis(300), second.read(&mut byte)).await.is_err(), "it waits");
    drop(first);
    timeout(SOON, read_answer(&mut second, "hello")).await.unwrap();
}

#[tokio::test]
async fn whoever_does_not_finish_a_request_head_in_time_is_cut_off() {
    let door =
        Door::open(limits(|limits| limits.header_timeout = Duration::from_millis(300)), router()).await;
    let beginnings: [&[u8]; 5] =
        [b"", b"GET / HTTP/1.1\r\nHost:", b"PRI * HT", &PREFACE_AND_SETTINGS[..24], PREFACE_AND_SETTINGS];
    for beginning in beginnings {
        let mut stream = TcpStream::connect(door.address).await.unwrap();
        stream.write_all(beginning).await.unwrap();
        let started = Instant::now();
        timeout(SOON, read_all(&mut stream)).await.unwrap();
        let passed = started.elapsed();
        assert!(
            passed >= Duration::from_millis(200) && passed < Duration::from_secs(2),
            "{beginning:?} {passed:?}"
        );
    }
}

#[tokio::test]
async fn headers_past_the_bound_are_refused() {
    let door = Door::open(limits(|limits| limits.headers = 8 << 10), router()).await;
    let request = format!("GET / HTTP/1.1\r\nHost: r\r\nX-Long: {}\r\n\r\n", "x".repeat(9 << 10));
    let answer = send(door.address, request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let long = client.get(door.url("http", "/")).header("x-long", "x".repeat(9 << 10)).send().await;
    assert!(long.map_or(true, |answer| answer.status() == 431));
}

#[tokio::test]
async fn a_slow_upload_lives_and_a_silent_one_is_cut() {
    let door = Door::open(LimitsConfig::default(), router()).await;
    let mut slow = TcpStream::connect(door.address).await.unwrap();
    slow.write_all(b"PUT /length HTTP/1.1\r\nHost: r\r\nContent-Length: 8\r\n\r\n").await.unwrap();
    for _ in 0..8 {
        sleep(Duration::from_millis(150)).await;
        slow.write_all(b"x").await.unwrap();
    }
    assert!(read_answer(&mut slow, "8").await.starts_with("HTTP/1.1 200 OK"));
    let mut silent = TcpStream::connect(door.address).await.unwrap();
    silent.write_all(b"PUT /length HTTP/1.1\r\nHost: r\r\nContent-Length: 8\r\n\r\n1234").await.unwrap();
    let answer = timeout(SOON, read_answer(&mut silent, "came for 0.3 s")).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[tokio::test]
async fn a_client_that_sends_on_still_sees_the_early_refusal() {
    let door = Door::open(LimitsConfig::default(), router()).await;
    for length in [16, 64 << 10, 1 << 20, (4 << 20) + 1] {
        let mut stream = TcpStream::connect(door.address).await.unwrap();
        let head = format!("PUT /refused HTTP/1.1\r\nHost: r\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        // A simple client: it reads nothing until everything is sent.
        sleep(Duration::from_millis(50)).await;
        stream.write_all(&vec![0; length]).await.unwrap();
        let answer = timeout(SOON, read_answer(&mut stream, "no")).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 401 "), "{length}: {answer}");
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let door = Door::open(limits(|limits| limits.write_timeout = Duration::from_millis(300)), router()).await;
    let mut stream = TcpStream::connect(door.address).await.unwrap();
    stream.write_all(b"GET /endless HTTP/1.1\r\nHost: r\r\n\r\n").await.unwrap();
    let mut byte = [0];
    stream.read_exact(&mut byte).await.unwrap();
    assert_eq!(door.open_connections(), 1);
    timeout(SOON, async {
        while door.open_connections() > 0 {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn stopping_finishes_running_requests_and_takes_no_new_ones() {
    let door = Door::open(LimitsConfig::default(), router()).await;
    let (address, url) = (door.address, door.url("http", "/slow"));
    let mut idle = TcpStream::connect(address).await.unwrap();
    let untouched = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET / HTTP/1.1\r\nHost: r\r\n\r\n").await.unwrap();
    read_answer(&mut idle, "hello").await;
    let http1 = tokio::spawn(reqwest::Client::new().get(&url).send());
    let http2 = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let http2 = tokio::spawn(http2.get(&url).send());
    sleep(Duration::from_millis(150)).await;
    let stopped = tokio::spawn(door.stop());
    sleep(Duration::from_millis(50)).await;
    assert!(TcpStream::connect(address).await.is_err());
    for running in [http1, http2] {
        assert_eq!(running.await.unwrap().unwrap().text().await.unwrap(), "done");
    }
    assert_eq!(read_all(&mut idle).await, b"");
    drop((idle, untouched));
    timeout(SOON, stopped).await.unwrap().unwrap();
}

#[tokio::test]
async fn an_address_that_is_taken_is_one_sentence() {
    let taken = front_door::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = taken.local_addr().unwrap();
    let error = front_door::bind(address).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "listening on {address}: the address is in use; stop the other program or choose another with --listen"
        )
    );
    let error = front_door::bind("192.0.2.1:5000".parse().unwrap()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "listening on 192.0.2.1:5000: this machine has no such address; choose another with --listen"
    );
}
