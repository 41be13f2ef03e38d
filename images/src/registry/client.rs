//! One repository of a registry, with whatever right its credential gives.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use berth_oci::{Descriptor, Digest, ErrorBody, MAX_MANIFEST_BYTES, Manifest, MediaType};
use bytes::{Bytes, BytesMut};
use futures_util::stream::BoxStream;
use oci_distribution::client::{
    BlobResponse, Certificate, CertificateEncoding, ClientConfig, ClientProtocol,
};
use oci_distribution::errors::OciDistributionError;
use oci_distribution::manifest::OciDescriptor;
use oci_distribution::secrets::RegistryAuth;
use oci_distribution::token_cache::{RegistryToken, RegistryTokenType};
use oci_distribution::{Client, RegistryOperation};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{RequestBuilder, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};

use crate::credentials::Credential;
use crate::error::{Error, Result};
use crate::reference::ImageReference;
use crate::registry::address::Scheme;
use crate::registry::authorization::{self, Challenge, Refused};
use crate::registry::connection::{Certificates, Connection, Reach, trusted_for};

/// Tokens live a minute at least, as their specification says; a new one is asked for well before.
const TOKEN_KEPT: Duration = Duration::from_secs(45);

/// A repository of a registry, reached by one caller.
pub struct Registry {
    reference: ImageReference,
    pub(crate) connection: Connection,
    credential: Option<Credential>,
    /// For streams of blobs; tokens are put into its cache, it asks for none itself.
    oci: Client,
    challenge: Mutex<Option<Challenge>>,
    tokens: Mutex<Vec<Known>>,
}

/// What `Authorization` is to say for some scopes, and until when.
struct Known {
    scopes: Vec<String>,
    secret: Option<SecretString>,
    until: Instant,
}

/// What one may do in a repository with a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    Pull,
    Push,
}

/// Which token will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    /// One that is known already.
    Kept,
    /// A new one, because that was refused.
    Fresh,
}

/// A blob that is being sent, from where it was asked for.
pub(crate) struct BlobStream {
    pub(crate) stream: BoxStream<'static, std::io::Result<Bytes>>,
    /// Where in the blob the first byte stands.
    pub(crate) offset: u64,
}

/// A manifest as it came.
pub(crate) struct PulledManifest {
    pub(crate) bytes: Bytes,
    pub(crate) digest: Digest,
    pub(crate) manifest: Manifest,
}

impl Registry {
    /// The repository of `reference`; nothing is sent yet.
    ///
    /// # Errors
    /// When its address or the certificates to trust make no sense.
    pub fn new(reference: &ImageReference, credential: Option<Credential>, reach: Reach) -> Result<Self> {
        let address = reference.address().map_err(Error::Registry)?;
        let connection = Connection::new(&address, reach).map_err(Error::Registry)?;
        let scheme = connection.scheme();
        let certificates = trusted_for(&address, scheme).map_err(Error::Registry)?;
        let config = ClientConfig {
            protocol: match scheme {
                Scheme::Http => ClientProtocol::Http,
                Scheme::Https => ClientProtocol::Https,
            },
            accept_invalid_certificates: reach.certificates == Certificates::Any,
            extra_root_certificates: certificates
                .into_iter()
                .map(|pem| Certificate { encoding: CertificateEncoding::Pem, data: pem.text })
                .collect(),
            read_timeout: Some(Duration::from_mins(1)),
            connect_timeout: Some(Duration::from_secs(20)),
            user_agent: concat!("berth/", env!("CARGO_PKG_VERSION")),
            // A proxy that is used for no host: without any, those of the environment would be.
            http_proxy: address.is_loopback().then(|| "http://127.0.0.1:9".to_owned()),
            no_proxy: address.is_loopback().then(|| "localhost,127.0.0.0/8,::1".to_owned()),
            ..ClientConfig::default()
        };
        let oci = Client::try_from(config).map_err(|error| Error::Registry(error.to_string()))?;
        let (challenge, tokens) = (Mutex::new(None), Mutex::default());
        Ok(Self { reference: reference.clone(), connection, credential, oci, challenge, tokens })
    }

    /// The repository's name.
    pub(crate) fn repository(&self) -> &str {
        self.reference.repository()
    }

    /// The scope that `right` asks for.
    pub(crate) fn scope(&self, right: Right) -> String {
        let words = match right {
            Right::Pull => "pull",
            Right::Push => "pull,push",
        };
        format!("repository:{}:{words}", self.repository())
    }

    /// The manifest that `wanted`, a tag or digest, names. Read here and not by oci-client, which reads
    /// one of any length into memory.
    pub(crate) async fn manifest(&self, wanted: &str) -> Result<PulledManifest> {
        let path = format!("/v2/{}/manifests/{wanted}", self.repository());
        let accept = [
            MediaType::OCI_INDEX,
            MediaType::DOCKER_LIST,
            MediaType::OCI_MANIFEST,
            MediaType::DOCKER_MANIFEST,
        ];
        let accept = accept.iter().map(MediaType::as_str).collect::<Vec<_>>().join(", ");
        let url = self.connection.url(&path).map_err(Error::Registry)?;
        let scopes = [self.scope(Right::Pull)];
        let request = || self.connection.client().get(url.clone()).header(ACCEPT, &accept);
        let answer = self.send(&scopes, request).await?;
        if answer.status() != StatusCode::OK {
            return Err(self.refusal(answer, wanted).await);
        }
        let content_type = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = content_type.map(str::to_owned);
        let bytes = self.body(answer, MAX_MANIFEST_BYTES, "the manifest").await?;
        let expected = wanted.parse::<Digest>().ok();
        let algorithm = expected.as_ref().map_or(berth_oci::Algorithm::Sha256, Digest::algorithm);
        let digest = Digest::of(algorithm, &bytes);
        if let Some(expected) = expected.filter(|expected| *expected != digest) {
            let sentence = format!("the registry sent a manifest of digest {digest} for {expected}");
            return Err(Error::Content(sentence));
        }
        let manifest = Manifest::parse(content_type.as_deref(), &bytes)
            .map_err(|error| Error::Content(error.to_string()))?;
        Ok(PulledManifest { bytes, digest, manifest })
    }

    /// A small blob, whole and checked.
    pub(crate) async fn small_blob(&self, wanted: &Descriptor, limit: usize) -> Result<Bytes> {
        if wanted.size > limit as u64 {
            let sentence = format!("{} has {} bytes; at most {limit} are read", wanted.digest, wanted.size);
            return Err(Error::Content(sentence));
        }
        use futures_util::StreamExt;
        let mut bytes = BytesMut::new();
        let mut blob = self.blob(wanted, 0).await?;
        while let Some(chunk) = blob.stream.next().await {
            bytes.extend_from_slice(&chunk.map_err(|error| self.broken(&error))?);
            if bytes.len() as u64 > wanted.size {
                break;
            }
        }
        if bytes.len() as u64 != wanted.size || Digest::of(wanted.digest.algorithm(), &bytes) != wanted.digest
        {
            let sentence = format!("the registry sent something else for {}", wanted.digest);
            return Err(Error::Content(sentence));
        }
        Ok(bytes.freeze())
    }

    /// A blob's bytes from `offset` on, as they come; whoever reads them checks them.
    pub(crate) async fn blob(&self, wanted: &Descriptor, offset: u64) -> Result<BlobStream> {
        let descriptor = OciDescriptor {
            media_type: wanted.media_type.to_string(),
            digest: wanted.digest.to_string(),
            size: i64::try_from(wanted.size).unwrap_or(i64::MAX),
            // oci-client would go to them by itself. What lives elsewhere is not fetched at all.
            urls: None,
            annotations: None,
            artifact_type: None,
        };
        let scopes = [self.scope(Right::Pull)];
        for token in [Token::Kept, Token::Fresh] {
            self.lend_token(&scopes, token).await?;
            let reference = self.reference.as_inner();
            // With a range oci-client doesn't hash what it sends on; it is hashed here anyway.
            let answer = self.oci.pull_blob_stream_partial(reference, &descriptor, offset, None).await;
            return Ok(match answer {
                Ok(BlobResponse::Partial(sized)) => BlobStream { stream: sized.stream, offset },
                Ok(BlobResponse::Full(sized)) => BlobStream { stream: sized.stream, offset: 0 },
                Err(OciDistributionError::UnauthorizedError { .. }) if token == Token::Kept => continue,
                Err(error) => return Err(self.blob_refusal(&error, &wanted.digest)),
            });
        }
        Err(self.unauthorized())
    }

    /// Sends what `request` makes, with a token for `scopes`; once more with a new token if that is refused.
    pub(crate) async fn send(
        &self,
        scopes: &[String],
        request: impl Fn() -> RequestBuilder,
    ) -> Result<Response> {
        for token in [Token::Kept, Token::Fresh] {
            let mut request = request();
            if let Some(value) = self.authorization(scopes, token).await? {
                request = request.header(AUTHORIZATION, value);
            }
            let answer = request.send().await.map_err(|error| self.unreachable(&error))?;
            if answer.status() != StatusCode::UNAUTHORIZED || token == Token::Fresh {
                return Ok(answer);
            }
        }
        Err(self.unauthorized())
    }

    /// What `Authorization` says for `scopes`.
    pub(crate) async fn authorization(&self, scopes: &[String], token: Token) -> Result<Option<HeaderValue>> {
        let secret = self.secret(scopes, token).await?;
        let value = secret.as_ref().map(authorization::sensitive).transpose();
        value.map_err(|refused| self.refused(refused))
    }

    async fn secret(&self, scopes: &[String], token: Token) -> Result<Option<SecretString>> {
        let now = Instant::now();
        let find = || {
            let tokens = lock(&self.tokens);
            let found = tokens.iter().find(|known| known.scopes == scopes && known.until > now);
            found.map(|known| known.secret.clone())
        };
        if token == Token::Kept
            && let Some(secret) = find()
        {
            return Ok(secret);
        }
        let known = lock(&self.challenge).clone();
        let challenge = match known {
            Some(challenge) => challenge,
            None => {
                let asked = authorization::ask(&self.connection).await;
                let asked = asked.map_err(|refused| self.refused(refused))?;
                lock(&self.challenge).insert(asked).clone()
            }
        };
        let credential = self.credential.as_ref();
        let secret = authorization::answer_to(&self.connection, &challenge, credential, scopes).await;
        let secret = secret.map_err(|refused| self.refused(refused))?;
        let mut tokens = lock(&self.tokens);
        tokens.retain(|known| known.scopes != scopes);
        tokens.push(Known { scopes: scopes.to_vec(), secret: secret.clone(), until: now + TOKEN_KEPT });
        Ok(secret)
    }

    /// Puts a token where oci-client looks for one.
    async fn lend_token(&self, scopes: &[String], token: Token) -> Result<()> {
        let registry = self.reference.as_inner().resolve_registry();
        self.oci.store_auth_if_needed(registry, &RegistryAuth::Anonymous).await;
        let Some(secret) = self.secret(scopes, token).await? else { return Ok(()) };
        let token = match (secret.expose_secret().strip_prefix("Bearer "), &self.credential) {
            (Some(token), _) => RegistryTokenType::Bearer(RegistryToken::Token { token: token.to_owned() }),
            (None, Some(Credential::Password { user, password })) => {
                RegistryTokenType::Basic(user.clone(), password.expose_secret().to_owned())
            }
            (None, Some(Credential::IdentityToken(_)) | None) => return Ok(()),
        };
        self.oci.tokens.insert(self.reference.as_inner(), RegistryOperation::Pull, token).await;
        Ok(())
    }

    /// Reads a body that may have at most `limit` bytes.
    pub(crate) async fn body(&self, mut answer: Response, limit: usize, what: &str) -> Result<Bytes> {
        let mut bytes = BytesMut::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.unreachable(&error))? {
            if bytes.len() + chunk.len() > limit {
                return Err(Error::Content(format!("{what} has more than {limit} bytes")));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes.freeze())
    }

    /// What an answer that is no success means.
    pub(crate) async fn refusal(&self, answer: Response, wanted: &str) -> Error {
        const MAX_BYTES: usize = 64 * 1024;
        let status = answer.status();
        let body = self.body(answer, MAX_BYTES, "the answer").await.unwrap_or_default();
        let said = serde_json::from_slice::<ErrorBody>(&body).ok();
        let said =
            said.and_then(|body| body.errors.into_iter().map(|entry| entry.message).find(|m| !m.is_empty()));
        self.meaning(status.as_u16(), said.as_deref(), wanted)
    }

    fn meaning(&self, status: u16, said: Option<&str>, wanted: &str) -> Error {
        let (registry, repository) = (self.reference.registry(), self.repository());
        let said = said.map(|said| format!(" ({said})")).unwrap_or_default();
        match status {
            401 => self.unauthorized(),
            403 => Error::Unauthorized(format!(
                "{registry} refuses it{said}; ask who administers it for the right, or log in as somebody else"
            )),
            404 => Error::NotFound(format!("{registry} has no {wanted} in {repository}")),
            429 => Error::Registry(format!("{registry} is asked too often{said}; try again later")),
            _ => Error::Registry(format!("{registry} answered {status}{said}")),
        }
    }

    fn blob_refusal(&self, error: &OciDistributionError, digest: &Digest) -> Error {
        match error {
            OciDistributionError::RequestError(error) => self.unreachable(error),
            OciDistributionError::UnauthorizedError { .. } => self.unauthorized(),
            OciDistributionError::ServerError { code, .. } => self.meaning(*code, None, digest.as_str()),
            // Its status is lost on the way; a blob that isn't there is what it is for.
            OciDistributionError::RegistryError { envelope, .. } => {
                let said = envelope.errors.iter().map(|error| error.message.as_str()).find(|m| !m.is_empty());
                Error::NotFound(format!(
                    "{} does not give {digest}: {}",
                    self.reference.registry(),
                    said.unwrap_or("no reason given")
                ))
            }
            other => Error::Registry(other.to_string()),
        }
    }

    pub(crate) fn unreachable(&self, error: &reqwest::Error) -> Error {
        Error::Registry(self.connection.describe(error))
    }

    pub(crate) fn broken(&self, error: &std::io::Error) -> Error {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<reqwest::Error>());
        inner.map_or_else(|| Error::Registry(error.to_string()), |error| self.unreachable(error))
    }

    fn unauthorized(&self) -> Error {
        let registry = self.reference.registry();
        Error::Unauthorized(match &self.credential {
            None => format!(
                "{registry} has no {} for whoever isn't logged in; run 'berth login {registry}'",
                self.repository()
            ),
            Some(Credential::Password { user, .. }) => {
                format!(
                    "{registry} has no {} for {user}; check the name, or ask for the right",
                    self.repository()
                )
            }
            Some(Credential::IdentityToken(_)) => {
                format!("{registry} does not take the login; run 'berth login {registry}' again")
            }
        })
    }

    fn refused(&self, refused: Refused) -> Error {
        let registry = self.reference.registry();
        match refused {
            Refused::Credential => Error::Unauthorized(format!(
                "{registry} no longer takes the login that is stored; run 'berth login {registry}'"
            )),
            Refused::Otherwise(wrong) => Error::Registry(wrong),
        }
    }
}

/// Nothing that panics holds these locks.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
