//! TLS to a PostgreSQL: `sslmode` and `sslrootcert` mean what they mean to psql.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use berth_storage::testing::{TestClock, options, rows};
use berth_storage::{
    BufferBudget, Error, LocalBlobStore, NoTelemetry, PostgresOptions, Registry, SharedClock,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use test_servers::PostgresServer;

struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// Its certificate.
    file: PathBuf,
}

impl Authority {
    fn new(folder: &Path, name: &str) -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let file = folder.join(name);
        std::fs::write(&file, issuer.pem()).unwrap();
        Self { issuer, file }
    }

    /// A PostgreSQL whose certificate is good for `name`.
    fn server(&self, name: &str) -> PostgresServer {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        PostgresServer::start_with_tls(&certificate.pem(), &key.serialize_pem())
    }
}

struct House {
    folder: TempDir,
    right: Authority,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let right = Authority::new(folder.path(), "right");
        Self { folder, right }
    }

    async fn open(&self, server: &PostgresServer, query: &str) -> Result<Registry<LocalBlobStore>, Error> {
        let blobs = self.folder.path().join("blobs");
        let blobs = LocalBlobStore::open(&blobs, BufferBudget::new(1 << 20), Arc::new(NoTelemetry))?;
        let url = format!("{}?{query}", server.database()).parse().unwrap();
        let database = PostgresOptions { url, connections: 2, clock: SharedClock::default() };
        Registry::open_postgres(database, blobs, options(&TestClock::new())).await
    }

    /// How the connections of a registry that could be opened are encrypted: a version of TLS, or not.
    async fn encrypted(&self, server: &PostgresServer, query: &str) -> Option<String> {
        let registry = self.open(server, query).await.unwrap();
        let sql = "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        let found = rows(&registry, sql, vec![]).await.unwrap();
        found[0].text_or_null(0).unwrap().map(str::to_owned)
    }

    async fn refused(&self, server: &PostgresServer, query: &str) -> String {
        let sentence = self.open(server, query).await.unwrap_err().to_string();
        assert_eq!(sentence.lines().count(), 1, "{sentence}");
        sentence
    }
}

fn verified_by(authority: &Authority) -> String {
    format!("sslmode=verify-full&sslrootcert={}", authority.file.display())
}

const TLS_1_3: Option<&str> = Some("TLSv1.3");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn require_encrypts_to_whoever_answers() {
    let house = House::new();
    let server = house.right.server("somewhere.example.com");
    assert_eq!(house.encrypted(&server, "sslmode=require").await.as_deref(), TLS_1_3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prefer_encrypts_where_the_server_can_and_disable_never_does() {
    let house = House::new();
    let server = house.right.server("127.0.0.1");
    assert_eq!(house.encrypted(&server, "sslmode=prefer").await.as_deref(), TLS_1_3);
    assert_eq!(house.encrypted(&server, "sslmode=disable").await, None);
    assert_eq!(house.encrypted(&PostgresServer::start(), "sslmode=prefer").await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verify_full_takes_a_certificate_of_the_named_authority_that_is_good_for_the_servers_name() {
    let house = House::new();
    let server = house.right.server("127.0.0.1");
    assert_eq!(house.encrypted(&server, &verified_by(&house.right)).await.as_deref(), TLS_1_3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verify_full_refuses_another_authority_and_another_name() {
    let house = House::new();
    let wrong = Authority::new(house.folder.path(), "wrong");
    let sentence = house.refused(&house.right.server("127.0.0.1"), &verified_by(&wrong)).await;
    assert!(sentence.contains("reaching the database") && sentence.contains("certificate"), "{sentence}");
    let elsewhere = house.right.server("somewhere.example.com");
    let sentence = house.refused(&elsewhere, &verified_by(&house.right)).await;
    assert!(sentence.contains("not valid for"), "{sentence}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn require_is_refused_by_a_server_that_speaks_no_tls() {
    let sentence = House::new().refused(&PostgresServer::start(), "sslmode=require").await;
    assert!(sentence.contains("reaching the database") && sentence.contains("TLS"), "{sentence}");
}
