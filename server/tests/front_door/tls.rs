//! TLS at the front door, with an own certificate authority.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::door::Door;
use axum::Router;
use axum::extract::Extension;
use axum::http::Version;
use axum::routing::get;
use berth_server::config::{Config, Flags};
use berth_server::front_door::{Connection, Tls};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// An authority that nobody knows but the tests.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: reqwest::Certificate,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let certificate = reqwest::Certificate::from_pem(certificate.pem().as_bytes()).unwrap();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    /// A certificate for localhost and its key, both in PEM.
    fn certify(&self) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    fn write(&self, folder: &Path) {
        let (cert, key) = self.certify();
        fs::write(folder.join("cert.pem"), cert).unwrap();
        fs::write(folder.join("key.pem"), key).unwrap();
    }

    fn client(&self) -> reqwest::ClientBuilder {
        // No connection is used twice: each request sees the certificate of its time.
        reqwest::Client::builder().tls_certs_only([self.certificate.clone()]).pool_max_idle_per_host(0)
    }
}

async fn open(folder: &Path) -> Door {
    let file = folder.join("berth.toml");
    let path = |name| folder.join(name).display().to_string();
    let text = format!(
        "[tls]\ncert = '{}'\nkey = '{}'\n[limits]\nheader_timeout = '400ms'",
        path("cert.pem"),
        path("key.pem")
    );
    fs::write(&file, text).unwrap();
    let flags = Flags { data: Some(folder.join("data")), ..Flags::default() };
    let (config, _) = Config::load(Some(&file), [], flags).unwrap();
    let answer = async |Extension(connection): Extension<Connection>| connection.tls.to_string();
    Door::open_with(&config, Router::new().route("/", get(answer))).await
}

#[tokio::test]
async fn http2_is_chosen_when_offered_and_http1_otherwise() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    authority.write(folder.path());
    let door = open(folder.path()).await;
    for (client, version) in
        [(authority.client(), Version::HTTP_2), (authority.client().http1_only(), Version::HTTP_11)]
    {
        let answer = client.build().unwrap().get(door.url("https", "/")).send().await.unwrap();
        assert_eq!(answer.version(), version);
        assert_eq!(answer.text().await.unwrap(), "true");
    }
}

#[tokio::test]
async fn a_handshake_that_does_not_come_is_cut_off() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    authority.write(folder.path());
    let door = open(folder.path()).await;
    let mut silent = TcpStream::connect(door.address).await.unwrap();
    let ended = timeout(Duration::from_secs(3), silent.read(&mut [0])).await.unwrap();
    assert_eq!(ended.unwrap_or(0), 0);
}

#[tokio::test]
async fn a_new_certificate_is_used_without_a_restart_and_a_bad_one_is_not() {
    let (old, new, folder) = (Authority::new(), Authority::new(), tempfile::tempdir().unwrap());
    old.write(folder.path());
    let door = open(folder.path()).await;
    let accepted_by = async |authority: &Authority| {
        // The files are looked at once a second at most.
        sleep(Duration::from_millis(1100)).await;
        let client = authority.client().build().unwrap();
        client.get(door.url("https", "/")).send().await.is_ok()
    };
    assert!(accepted_by(&old).await && !accepted_by(&new).await);
    let (cert, key) = new.certify();
    fs::write(folder.path().join("cert.pem"), cert).unwrap();
    assert!(accepted_by(&old).await, "a certificate without its key changes nothing");
    fs::write(folder.path().join("key.pem"), key).unwrap();
    assert!(accepted_by(&new).await && !accepted_by(&old).await);
    fs::remove_file(folder.path().join("key.pem")).unwrap();
    assert!(accepted_by(&new).await);
}

#[test]
fn what_is_wrong_with_a_certificate_is_one_sentence() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let sentence =
        || Tls::load(&cert, &key).err().unwrap().to_string().replace(folder.path().to_str().unwrap(), "");
    assert_eq!(
        sentence(),
        "reading /cert.pem: No such file or directory (os error 2); see [tls] in the configuration"
    );
    authority.write(folder.path());
    let (_, other_key) = authority.certify();
    fs::write(&key, other_key).unwrap();
    assert_eq!(
        sentence(),
        "the key /key.pem does not belong to the first certificate of /cert.pem; the server's own comes first"
    );
    fs::write(&key, "").unwrap();
    assert_eq!(sentence(), "/key.pem holds no private key in PEM; name it in [tls] key");
    fs::write(&cert, "nonsense").unwrap();
    assert_eq!(sentence(), "/cert.pem holds no certificate in PEM; name the full chain in [tls] cert");
}
