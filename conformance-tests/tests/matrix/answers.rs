//! The whole table asked, once, of one server.

use std::fmt;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use conformance_tests::client::Ask;
use conformance_tests::{Answer, Berth, Client, Metadata, Options, Stores};
use futures_util::{StreamExt, stream};
use reqwest::Method;
use serde_json::json;

use crate::callers::{Caller, Shown};
use crate::fixtures::{self, Fixture, PASSWORD};
use crate::requests::{self, METHODS};
use crate::table::{Row, table};

/// How many requests are under way at a time.
const AT_ONCE: usize = 16;
/// The numbers of what cells that only read share: what is there, and what is not.
const SHARED: usize = 0;

/// One request of the table.
#[derive(Clone)]
pub(crate) struct Cell {
    pub(crate) row: &'static Row,
    pub(crate) caller: Caller,
    /// The row's, or HEAD for GET.
    pub(crate) method: Method,
    /// What it changes carries this number, which no other cell has.
    pub(crate) number: usize,
}

/// A cell and what came back.
pub(crate) struct Answered {
    pub(crate) cell: Cell,
    pub(crate) expected: u16,
    pub(crate) fixture: Fixture,
    pub(crate) answer: Answer,
}

/// A cell with what it asks about and what its caller shows.
struct Prepared {
    cell: Cell,
    fixture: Fixture,
    shown: Shown,
}

impl fmt::Display for Cell {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {} ({}) by {}", self.method, self.row.path, self.row.of, self.caller.name())
    }
}

/// The answers to all cells.
pub(crate) fn answers() -> &'static [Answered] {
    static ANSWERS: LazyLock<Vec<Answered>> = LazyLock::new(|| on_a_runtime(ask_all));
    &ANSWERS
}

fn on_a_runtime<T: Send>(work: impl AsyncFnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let run = || tokio::runtime::Runtime::new().expect("a runtime").block_on(work());
        scope.spawn(run).join().expect("asking the whole table")
    })
}

/// Every cell. A row of GET stands for HEAD as well, unless HEAD has one of its own.
fn cells() -> Vec<Cell> {
    let rows = &table().rows;
    let mut cells = Vec::new();
    for row in rows {
        let same = |other: &&Row| other.path == row.path && other.of == row.of;
        let own_head = rows.iter().filter(same).any(|other| other.method == "HEAD");
        let mut methods = vec![row.method.parse().expect("a method")];
        if row.method == "GET" && !own_head {
            methods.push(Method::HEAD);
        }
        for method in methods {
            for caller in Caller::ALL {
                let number = if row.only_reads() { SHARED } else { cells.len() + 1 };
                cells.push(Cell { row, caller, method: method.clone(), number });
            }
        }
    }
    cells
}

async fn ask_all() -> Vec<Answered> {
    // The database of a stopped server is changed below, which only a file of its own allows.
    let stores = Stores { metadata: Metadata::Sqlite, ..Stores::of_environment() };
    let mut berth = Options::default().config(CONFIG).stores(stores).start();
    let admin = berth.admin();
    make_users(&admin).await;
    let expired = expired_key(&berth, &admin).await;
    let cells = cells();
    let fixtures = fixtures_of(&admin, &cells).await;
    // Keys are rotated twice; then time goes by for the first one, but not for its tokens.
    let retired = tokens(&berth, &cells, &fixtures, Caller::Retired).await;
    rotate(&admin).await;
    let overlap = tokens(&berth, &cells, &fixtures, Caller::Overlap).await;
    rotate(&admin).await;
    retire_the_oldest_key(&mut berth).await;
    let narrow = tokens(&berth, &cells, &fixtures, Caller::Narrow).await;
    let prepared = cells.into_iter().zip(fixtures).enumerate().map(|(at, (cell, fixture))| {
        let shown = match cell.caller {
            Caller::Anonymous => Shown::Nothing,
            Caller::Admin => Shown::Login("admin".to_owned(), conformance_tests::ADMIN_PASSWORD.to_owned()),
            Caller::ExpiredKey => expired.clone(),
            Caller::Narrow => narrow[at].clone(),
            Caller::Overlap => overlap[at].clone(),
            Caller::Retired => retired[at].clone(),
            user => Shown::Login(user.name().to_owned(), PASSWORD.to_owned()),
        };
        Prepared { cell, fixture, shown }
    });
    let anonymous = berth.anonymous();
    stream::iter(prepared).map(|one| ask(&anonymous, one)).buffered(AT_ONCE).collect().await
}

/// Tokens outlive the test. Each request comes from an address of its own, so that no guess is slowed down.
const CONFIG: &str = "trusted_proxies = [\"127.0.0.1\"]\n[auth]\ntoken_ttl = \"24h\"";

async fn ask(anonymous: &Client, Prepared { cell, fixture, shown }: Prepared) -> Answered {
    let request = requests::request(anonymous, &cell, &fixture, &shown);
    let answer = request.header("x-forwarded-for", fresh_address()).answer().await;
    Answered { expected: cell.row.expected(cell.caller), cell, fixture, answer }
}

/// An address that no other request comes from.
fn fresh_address() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let [_, b, c, d] = COUNT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    format!("10.{b}.{c}.{d}")
}

async fn make_users(admin: &Client) {
    let owner = std::iter::once(("owner", None));
    let users = Caller::USERS.into_iter().map(|(caller, attached)| (caller.name(), attached));
    for (name, attached) in users.chain(owner) {
        let policies: Vec<_> =
            attached.iter().map(|(policy, prefix)| json!({"policy": policy, "prefix": prefix})).collect();
        let user = json!({"name": name, "password": PASSWORD, "policies": policies});
        admin.basic(Method::POST, "/api/v1/users").json(&user).answer().await.assert(201);
    }
    let disable = format!("/api/v1/users/{}/disabled", Caller::Disabled.name());
    admin.basic(Method::PUT, &disable).answer().await.assert(204);
}

/// An access key that was good a moment ago.
async fn expired_key(berth: &Berth, admin: &Client) -> Shown {
    let wanted = json!({"user": Caller::ExpiredKey.user(), "expires_in": 1});
    let made = admin.basic(Method::POST, "/api/v1/keys").json(&wanted).answer().await.assert(201).json();
    let text = |word: &str| made[word].as_str().expect("a text").to_owned();
    let (id, secret) = (text("id"), text("secret"));
    let began = Instant::now();
    loop {
        let request = berth.user(&id, &secret).basic(Method::GET, "/token");
        if request.header("x-forwarded-for", fresh_address()).answer().await.status == 401 {
            return Shown::Login(id, secret);
        }
        assert!(began.elapsed() < Duration::from_secs(30), "the key has not expired");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What each cell asks about: of its own, or shared among those that only read.
async fn fixtures_of(admin: &Client, cells: &[Cell]) -> Vec<Fixture> {
    let mut shared: Vec<(&Cell, Fixture)> = Vec::new();
    for cell in cells.iter().filter(|cell| cell.row.only_reads()) {
        if alike(&shared, cell).is_none() {
            let number = SHARED;
            let fixture = fixtures::make(admin, &Cell { number, ..cell.clone() }).await;
            shared.push((cell, fixture));
        }
    }
    let make = |cell: &Cell| {
        let (cell, found) = (cell.clone(), alike(&shared, cell).cloned());
        async move {
            match found {
                Some(fixture) => fixture,
                None => fixtures::make(admin, &cell).await,
            }
        }
    };
    stream::iter(cells).map(make).buffered(AT_ONCE).collect().await
}

/// What a cell that only reads shares with another one of its path.
fn alike<'f>(shared: &'f [(&Cell, Fixture)], cell: &Cell) -> Option<&'f Fixture> {
    let like = |other: &Cell| other.row.path == cell.row.path && other.row.of == cell.row.of;
    let found = shared.iter().find(|(other, _)| cell.row.only_reads() && like(other));
    found.map(|(_, fixture)| fixture)
}

/// A token of this caller's user for each cell that this caller asks; nothing for the others.
async fn tokens(berth: &Berth, cells: &[Cell], fixtures: &[Fixture], caller: Caller) -> Vec<Shown> {
    let client = berth.user(caller.user(), PASSWORD);
    let token = |(cell, fixture): (&Cell, &Fixture)| {
        let words = if caller == Caller::Narrow { "pull" } else { "pull,push,delete" };
        let repository = format!("repository:{}:{words}", fixture.repository);
        let scopes = if caller == Caller::Narrow {
            vec![repository]
        } else {
            vec![repository, "registry:catalog:*".to_owned()]
        };
        let (client, asked) = (&client, cell.caller == caller);
        async move {
            if !asked {
                return Shown::Nothing;
            }
            let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
            Shown::Token(client.token(&scopes).await)
        }
    };
    stream::iter(cells.iter().zip(fixtures)).map(token).buffered(AT_ONCE).collect().await
}

async fn rotate(admin: &Client) {
    admin.basic(Method::POST, "/api/v1/signing-keys").answer().await.assert(201);
}

/// Lets two days go by for the key that was rotated first, as only the database of a stopped server can.
async fn retire_the_oldest_key(berth: &mut Berth) {
    assert!(berth.stop().success());
    let database = berth.data().join("registry/metadata.db");
    let database = rusqlite::Connection::open(database).expect("the stopped server's database");
    let oldest = "UPDATE signing_keys SET retired_at = retired_at - 172800000000
                  WHERE retired_at = (SELECT MIN(retired_at) FROM signing_keys)";
    assert_eq!(database.execute(oldest, []).expect("an update"), 1);
    drop(database);
    berth.start_again();
    let (began, anonymous) = (Instant::now(), berth.anonymous());
    loop {
        let keys = anonymous.request(Method::GET, "/.well-known/jwks.json").answer().await.assert(200).json();
        if keys["keys"].as_array().expect("keys").len() == 2 {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "the oldest key is still published: {keys}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Every method at every path of the table that no row names, by nobody and by the administrator.
pub(crate) fn of_other_methods() -> Vec<(String, u16)> {
    on_a_runtime(async || {
        let berth = Berth::start();
        let (admin, anonymous) = (berth.admin(), berth.anonymous());
        let mut answers = Vec::new();
        for row in table().rows.iter().filter(|row| row.of != "nothing") {
            let cell = Cell { row, caller: Caller::Admin, method: Method::GET, number: SHARED };
            let path = requests::path(&row.path, &fixtures::named(&cell), "");
            let named = |method: &Method| {
                let head = *method == Method::HEAD;
                let names = |row: &Row| row.method == method.as_str() || head && row.method == "GET";
                table().rows.iter().any(|other| other.path == row.path && names(other))
            };
            for method in METHODS.into_iter().filter(|method| !named(method)) {
                let by = [
                    ("nobody", anonymous.request(method.clone(), &path)),
                    ("admin", admin.basic(method.clone(), &path)),
                ];
                for (who, request) in by {
                    let status = request.answer().await.status.as_u16();
                    answers.push((format!("{method} {path} by {who}"), status));
                }
            }
        }
        answers
    })
}
