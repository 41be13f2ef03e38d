//! Logins and access keys under a clock that only moves when it is told to.

use std::sync::atomic::{AtomicI64, Ordering};

use berth_storage::{BufferBudget, LocalBlobStore, NoTelemetry, Registry, RegistryOptions};
use tempfile::TempDir;

use super::*;

const PASSWORD: &str = "a password for tests";
const SECOND: Duration = Duration::from_secs(1);

/// A directory of the test's own, with the user alice.
struct House {
    directory: Directory,
    time: Arc<AtomicI64>,
    _folder: TempDir,
}

impl House {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let time = Arc::new(AtomicI64::new(1_700_000_000_000_000));
        let clock: Clock = {
            let time = Arc::clone(&time);
            Arc::new(move || Timestamp(time.load(Ordering::SeqCst)))
        };
        let identities = Arc::new(Identities::default());
        let stale_keys = Arc::new(StaleKeys::default());
        let telemetry = Arc::new(NoTelemetry);
        let blobs =
            LocalBlobStore::open(&folder.path().join("blobs"), BufferBudget::new(1 << 20), telemetry.clone());
        let observer = {
            let (identities, stale_keys) = (Arc::clone(&identities), Arc::clone(&stale_keys));
            Arc::new(move |changes: &[berth_storage::Change]| {
                identities.forget(changes);
                stale_keys.note(changes);
            })
        };
        let options = RegistryOptions {
            uploads_expire_after: Duration::from_secs(3600),
            delays: berth_storage::Delays { unreferenced: Duration::from_secs(3600), untagged: None },
            audit_keep: Duration::from_secs(3600),
            audit_most: 1000,
            manifest_cache_bytes: 1 << 20,
            clock: Arc::clone(&clock),
            observer,
            telemetry,
        };
        let database = folder.path().join("berth.db");
        let registry = Registry::open_sqlite(&database, blobs.unwrap(), options).await.unwrap();
        let options = DirectoryOptions {
            issuer: "berth".to_owned(),
            token_ttl: Duration::from_secs(300),
            password_hashes: 2,
            master_key: MasterKey::generate().unwrap(),
            clock,
            identities,
            repository_policies: Arc::default(),
            stale_keys,
            account: Account { id: "000000000000".into(), region: "us-east-1".into() },
        };
        let directory = Directory::open(registry.records(), options).await.unwrap();
        let password = berth_auth::Password::new(PASSWORD.into()).unwrap();
        let name = "alice".parse().unwrap();
        let alice = NewUser { name, password, policies: vec![], groups: vec![] };
        directory.add_user(alice, &Actor::default()).await.unwrap();
        Self { directory, time, _folder: folder }
    }

    fn pass(&self, time: Duration) {
        self.time.fetch_add(i64::try_from(time.as_micros()).unwrap(), Ordering::SeqCst);
    }

    /// Whether a login is right, or how long to wait before the next one.
    async fn login(&self, user: &str, password: &str, address: &str) -> Result<bool, Duration> {
        match self.directory.login(user, password.into(), Some(address.parse().unwrap())).await {
            Ok(login) => Ok(login.is_ok()),
            Err(Error::TooManyGuesses(wait)) => Err(wait),
            Err(error) => panic!("{error}"),
        }
    }

    /// Guesses until guessing is refused, which is after ten.
    async fn guess(&self, user: &str, address: &str) {
        for _ in 0..10 {
            assert_eq!(self.login(user, "a guess", address).await, Ok(false));
        }
        assert_eq!(self.login(user, "a guess", address).await, Err(10 * SECOND));
    }

    async fn key(&self, ttl: Option<Duration>) -> MadeAccessKey {
        self.directory.add_access_key(&"alice".parse().unwrap(), None, ttl, &Actor::default()).await.unwrap()
    }

    async fn used_at(&self) -> Option<i64> {
        self.directory.access_keys(None, &PageRequest::first()).await.unwrap().items[0].used_at
    }
}

#[tokio::test]
async fn many_right_logins_at_once_are_no_guesses() {
    let house = House::new().await;
    let logins = (0..40).map(|_| house.login("alice", PASSWORD, "10.0.0.1"));
    for login in futures_util::future::join_all(logins).await {
        assert_eq!(login, Ok(true));
    }
}

#[tokio::test]
async fn whoever_guesses_waits_and_the_user_gets_in_from_elsewhere() {
    let house = House::new().await;
    house.guess("alice", "10.0.0.1").await;
    assert_eq!(house.login("alice", PASSWORD, "10.0.0.1").await, Err(10 * SECOND));
    assert_eq!(house.login("alice", PASSWORD, "10.0.0.2").await, Ok(true));
}

#[tokio::test]
async fn a_guesser_who_waited_may_try_once_and_a_right_login_gives_the_try_back() {
    let house = House::new().await;
    house.guess("alice", "10.0.0.1").await;
    house.pass(9 * SECOND);
    assert_eq!(house.login("alice", PASSWORD, "10.0.0.1").await, Err(SECOND));
    house.pass(SECOND);
    assert_eq!(house.login("alice", PASSWORD, "10.0.0.1").await, Ok(true));
    assert_eq!(house.login("alice", "a guess", "10.0.0.1").await, Ok(false));
    assert_eq!(house.login("alice", "a guess", "10.0.0.1").await, Err(10 * SECOND));
}

#[tokio::test]
async fn a_login_that_is_remembered_never_waits() {
    let house = House::new().await;
    assert_eq!(house.login("alice", PASSWORD, "10.0.0.1").await, Ok(true));
    house.guess("alice", "10.0.0.1").await;
    assert_eq!(house.login("alice", PASSWORD, "10.0.0.1").await, Ok(true));
}

#[tokio::test]
async fn users_that_do_not_exist_are_guessed_no_faster() {
    let house = House::new().await;
    house.guess("nobody", "10.0.0.1").await;
}

#[tokio::test]
async fn wrong_secrets_of_a_key_wait_and_the_right_one_never_does() {
    use secrecy::ExposeSecret;
    let house = House::new().await;
    let made = house.key(None).await;
    house.guess(&made.key.id, "10.0.0.1").await;
    assert_eq!(house.login(&made.key.id, made.secret.expose_secret(), "10.0.0.1").await, Ok(true));
}

#[tokio::test]
async fn a_key_its_token_and_its_refresh_token_end_at_its_time() {
    let house = House::new().await;
    let made = house.key(Some(60 * SECOND)).await;
    let login = || house.directory.login(&made.key.id, made.secret.clone(), None);
    let first = login().await.unwrap().ok().unwrap();
    let (token, _) = house.directory.issue(Some(&first.identity), first.key.as_ref(), vec![]).await.unwrap();
    let refresh = house.directory.issue_refresh_token(&first).await.unwrap();
    let good = async || {
        let bearer = house.directory.bearer(&token).await.unwrap().is_some();
        let refreshed = house.directory.refresh(refresh.clone()).await.unwrap().is_some();
        (login().await.unwrap().is_ok(), bearer, refreshed)
    };
    house.pass(59 * SECOND);
    assert_eq!(good().await, (true, true, true));
    house.pass(SECOND);
    assert_eq!(good().await, (false, false, false));
    assert!(house.directory.access_keys(None, &PageRequest::first()).await.unwrap().items[0].expired);
}

#[tokio::test]
async fn a_key_makes_none_that_outlives_it() {
    let house = House::new().await;
    let (ending, lasting) = (house.key(Some(60 * SECOND)).await.key, house.key(None).await.key);
    let make = async |maker: &AccessKey, ttl: Option<Duration>| {
        let user = "alice".parse().unwrap();
        let with_key = Actor { access_key: Some(maker.id.as_str().into()), ..Actor::default() };
        let made = house.directory.add_access_key(&user, None, ttl, &with_key).await;
        made.map(|made| made.key.expires_at).map_err(|error| error.to_string())
    };
    house.pass(20 * SECOND);
    assert_eq!(make(&ending, None).await, Ok(ending.expires_at));
    assert_eq!(make(&ending, Some(40 * SECOND)).await, Ok(ending.expires_at));
    let refused = make(&ending, Some(41 * SECOND)).await.unwrap_err();
    assert!(refused.starts_with(&format!("the access key {} ends in 40s,", ending.id)), "{refused}");
    assert_eq!(make(&lasting, None).await, Ok(None));
    house.directory.remove_access_key(&ending.id.parse().unwrap(), None, &Actor::default()).await.unwrap();
    assert!(make(&ending, None).await.is_err());
}

#[tokio::test]
async fn the_last_use_of_a_key_is_noted_once_a_minute() {
    let house = House::new().await;
    let made = house.key(None).await;
    let start = made.key.created_at;
    let login = async || house.directory.login(&made.key.id, made.secret.clone(), None).await.unwrap();
    assert_eq!(house.used_at().await, None);
    assert!(login().await.is_ok());
    assert_eq!(house.used_at().await, Some(start));
    house.pass(59 * SECOND);
    assert!(login().await.is_ok());
    assert_eq!(house.used_at().await, Some(start));
    house.pass(SECOND);
    assert!(login().await.is_ok());
    assert_eq!(house.used_at().await, Some(start + 60));
}

#[tokio::test]
async fn a_rotated_key_is_believed_until_its_tokens_have_ended_and_then_forgotten() {
    let house = House::new().await;
    let directory = &house.directory;
    let key_of = |token: &str| token.split('.').next().map(str::to_owned);
    let token = async || directory.issue(None, None, vec![]).await.unwrap().0;
    let before = token().await;
    directory.rotate_signing_key(&Actor::default()).await.unwrap();
    let after = token().await;
    assert_ne!(key_of(&before), key_of(&after));
    house.pass(304 * SECOND);
    assert_eq!(directory.tend_signing_keys().await.unwrap(), Tended::Nothing);
    assert!(directory.bearer(&before).await.unwrap().is_some(), "the leeway counts");
    house.pass(SECOND);
    assert!(directory.bearer(&before).await.unwrap().is_none());
    assert_eq!(directory.tend_signing_keys().await.unwrap(), Tended::Nothing);
    house.pass(60 * SECOND);
    assert_eq!(directory.tend_signing_keys().await.unwrap(), Tended::Removed);
    assert_eq!(directory.jwks().await.unwrap().keys.len(), 1);
    assert_eq!(directory.signing_keys().await.unwrap().len(), 1);
    assert_eq!(key_of(&token().await), key_of(&after));
    assert_eq!(directory.tend_signing_keys().await.unwrap(), Tended::Nothing);
}

#[tokio::test]
async fn a_key_of_ninety_days_is_rotated_and_its_tokens_are_believed() {
    let house = House::new().await;
    let directory = &house.directory;
    house.pass(90 * 24 * 3600 * SECOND - SECOND);
    assert_eq!(directory.tend_signing_keys().await.unwrap(), Tended::Nothing);
    let (token, _) = directory.issue(None, None, vec![]).await.unwrap();
    house.pass(SECOND);
    assert_eq!(directory.tend_signing_keys().await.unwrap(), Tended::Rotated);
    assert_eq!(directory.tend_signing_keys().await.unwrap(), Tended::Nothing);
    assert!(directory.bearer(&token).await.unwrap().is_some());
    assert_eq!(directory.signing_keys().await.unwrap().len(), 2);
}
