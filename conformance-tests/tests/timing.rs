//! Whether the time that an answer takes tells what its words don't. A program of its own, so that nothing
//! else runs beside it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use conformance_tests::client::Ask;
use conformance_tests::content::Blob;
use conformance_tests::{Berth, Client, Options};
use futures_util::{StreamExt, stream};
use reqwest::Method;
use serde_json::json;

/// How many of each kind are asked for in a round.
const NAMES: usize = 500;
/// Fewer, as each costs argon2: but one that did not would be told from the others at a glance.
const LOGINS: usize = 100;
/// Chance, or what else the machine does, spoils a round now and then; what the time tells, it tells in each.
const ROUNDS: usize = 6;
const PASSWORD: &str = "a password of nobody's";

/// One measurement at a time.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn a_name_that_is_refused_takes_as_long_whether_somebody_uses_it_or_nobody_has_it() {
    let _alone = ALONE.lock();
    let berth = with_repositories();
    assert_alike(&berth, NAMES, 0.06, |kind, round, at| Request {
        path: format!("/v2/{}/manifests/v1", repository(kind, round, at)),
        login: Some(basic("stranger", PASSWORD)),
        status: "403",
    });
}

#[test]
fn a_name_that_needs_a_login_takes_as_long_whether_somebody_uses_it_or_nobody_has_it() {
    let _alone = ALONE.lock();
    let berth = with_repositories();
    assert_alike(&berth, NAMES, 0.06, |kind, round, at| Request {
        path: format!("/v2/{}/tags/list", repository(kind, round, at)),
        login: None,
        status: "401",
    });
}

#[test]
fn a_token_that_may_nothing_takes_as_long_whether_somebody_uses_the_name_or_nobody_has_it() {
    let _alone = ALONE.lock();
    let berth = with_repositories();
    assert_alike(&berth, NAMES, 0.06, |kind, round, at| Request {
        path: format!("/token?scope=repository:{}:pull", repository(kind, round, at)),
        login: Some(basic("stranger", PASSWORD)),
        status: "200",
    });
}

#[test]
fn a_wrong_password_takes_as_long_as_a_user_that_nobody_is() {
    let _alone = ALONE.lock();
    let berth = with_repositories();
    assert_alike(&berth, LOGINS, 0.2, |kind, round, at| {
        let user = match kind {
            Kind::There => "stranger".to_owned(),
            Kind::Absent => format!("nobod{round}{at}"),
        };
        Request { path: "/token".to_owned(), login: Some(basic(&user, "a guess")), status: "401" }
    });
}

/// Whether there is what a request speaks of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    There,
    Absent,
}

/// A GET of which only the time of its answer matters.
struct Request {
    path: String,
    login: Option<String>,
    status: &'static str,
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", BASE64.encode(format!("{user}:{password}")))
}

/// A name that is always the same where there is a repository, and never the same where there is none.
fn repository(kind: Kind, round: usize, at: usize) -> String {
    match kind {
        Kind::There => format!("team-b/here-x-{at:05}"),
        Kind::Absent => format!("team-b/none-{round}-{at:05}"),
    }
}

/// A server with many repositories, and a user who may nothing.
fn with_repositories() -> Berth {
    let berth = Options::default().config("trusted_proxies = [\"127.0.0.1\"]").start();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let admin = berth.admin();
        let stranger = json!({"name": "stranger", "password": PASSWORD});
        admin.basic(Method::POST, "/api/v1/users").json(&stranger).answer().await.assert(201);
        stream::iter(0..NAMES).for_each_concurrent(16, |at| make_repository(&admin, at)).await;
    });
    berth
}

/// One that its owner has just used, or every second time one with a long policy that nobody has read yet.
async fn make_repository(admin: &Client, at: usize) {
    let name = repository(Kind::There, 0, at);
    let blob = Blob::new("anything");
    let push = format!("/v2/{name}/blobs/uploads/?digest={}", blob.digest);
    admin.basic(Method::POST, &push).body(blob.bytes).answer().await.assert(201);
    if at.is_multiple_of(2) {
        admin.get(&format!("/v2/{name}/tags/list")).await.assert(200);
        return;
    }
    let of = |user: usize| {
        json!({
            "Effect": "Allow",
            "Principal": {"AWS": format!("arn:aws:iam::000000000000:user/user-{user}")},
            "Action": "ecr:BatchGetImage",
        })
    };
    let statements: Vec<_> = (0..50).map(of).collect();
    let policy = format!("/api/v1/repositories/{}/policy", name.replace('/', "%2F"));
    let document = json!({"Version": "2012-10-17", "Statement": statements});
    admin.basic(Method::PUT, &policy).body(document.to_string()).answer().await.assert(204);
}

/// Fails unless there is a round in which answers of the two kinds can't be told apart: of a pair, one of
/// either kind, the first is the faster one in half of all pairs, give or take `bound`.
#[track_caller]
fn assert_alike(berth: &Berth, count: usize, bound: f64, request: impl Fn(Kind, usize, usize) -> Request) {
    let mut shares = Vec::new();
    for round in 0..ROUNDS {
        let share = share_of_faster(berth, count, round, |kind, at| request(kind, round, at));
        if (share - 0.5).abs() < bound {
            return;
        }
        shares.push(share);
    }
    panic!("the time tells: what is there is faster in these shares of pairs: {shares:.3?}");
}

/// Mann and Whitney's U over all pairs: no single slow answer weighs more than another.
fn share_of_faster(
    berth: &Berth,
    count: usize,
    round: usize,
    request: impl Fn(Kind, usize) -> Request,
) -> f64 {
    // In random order, so that whatever else the machine does meets both kinds alike.
    let mut order: Vec<_> = (0..count).flat_map(|at| [(Kind::There, at), (Kind::Absent, at)]).collect();
    fastrand::Rng::with_seed(round as u64).shuffle(&mut order);
    let mut connection = Connection::to(berth);
    let mut times: Vec<(Duration, Kind)> = Vec::new();
    for (turn, (kind, at)) in order.into_iter().enumerate() {
        times.push((connection.time(&request(kind, at), round * 2 * count + turn), kind));
    }
    times.sort_unstable();
    let (mut there, mut pairs) = (0_usize, 0_usize);
    for (_, kind) in times {
        match kind {
            Kind::There => there += 1,
            Kind::Absent => pairs += there,
        }
    }
    pairs as f64 / (count * count) as f64
}

/// One connection that costs little, so that the time is the server's.
struct Connection(BufReader<TcpStream>);

impl Connection {
    fn to(berth: &Berth) -> Self {
        let stream = TcpStream::connect(berth.host()).expect("a connection");
        stream.set_nodelay(true).expect("an option of the socket");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("an option of the socket");
        Self(BufReader::new(stream))
    }

    /// How long an answer took. Each request comes from an address of its own: no guess is slowed down.
    fn time(&mut self, request: &Request, turn: usize) -> Duration {
        let [.., b, c, d] = turn.to_be_bytes();
        let Request { path, login, status } = request;
        let login = login.as_ref().map(|login| format!("Authorization: {login}\r\n")).unwrap_or_default();
        let text =
            format!("GET {path} HTTP/1.1\r\nHost: berth\r\nX-Forwarded-For: 10.{b}.{c}.{d}\r\n{login}\r\n");
        let began = Instant::now();
        self.0.get_mut().write_all(text.as_bytes()).expect("sending a request");
        let mut head = String::new();
        self.0.read_line(&mut head).expect("an answer");
        let took = began.elapsed();
        assert_eq!(head.split(' ').nth(1), Some(*status), "GET {path}: {head}");
        self.skip_rest();
        took
    }

    fn skip_rest(&mut self) {
        let mut length = 0;
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).expect("a header");
            if line.trim().is_empty() {
                break;
            }
            if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = text.trim().parse().expect("a length");
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).expect("a body");
    }
}
