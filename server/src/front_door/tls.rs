//! TLS with a certificate that is read again when its files change.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{InconsistentKeys, ServerConfig};
use tokio_rustls::TlsAcceptor;
use tracing::{info, warn};

/// How often, at most, a handshake looks whether the files changed.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A certificate that can't be used; shows as one sentence.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read.
    #[error("reading {}: {source}; see [tls] in the configuration", .path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The certificate's file holds none.
    #[error("{} holds no certificate in PEM; name the full chain in [tls] cert", .0.display())]
    NoCertificate(PathBuf),
    /// The key's file holds none.
    #[error("{} holds no private key in PEM; name it in [tls] key", .0.display())]
    NoKey(PathBuf),
    /// The key is another certificate's.
    #[error(
        "the key {} does not belong to the first certificate of {}; the server's own comes first",
        .key.display(),
        .cert.display()
    )]
    Mismatch {
        /// The key's file.
        key: PathBuf,
        /// The certificate's file.
        cert: PathBuf,
    },
    /// Anything else that is wrong with them.
    #[error("the certificate {} with the key {} can't be used: {source}", .cert.display(), .key.display())]
    Unusable {
        /// The key's file.
        key: PathBuf,
        /// The certificate's file.
        cert: PathBuf,
        /// Why not.
        source: rustls::Error,
    },
}

/// What handshakes use: the files' last good content.
pub struct Tls {
    cert: PathBuf,
    key: PathBuf,
    current: Mutex<Current>,
}

struct Current {
    config: Arc<ServerConfig>,
    stamps: [Option<Stamp>; 2],
    looked: Instant,
}

/// What changes when a file is replaced or written: inode, size, seconds and nanoseconds.
type Stamp = (u64, u64, i64, i64);

impl Tls {
    /// Reads a certificate with its chain and its key, both in PEM.
    ///
    /// # Errors
    /// A file can't be read, holds something else, or the key is not the certificate's.
    pub fn load(cert: &Path, key: &Path) -> Result<Self, TlsError> {
        // Stamps first: a change while reading is then seen the next time.
        let current = Current {
            stamps: [stamp(cert), stamp(key)],
            config: Arc::new(read(cert, key)?),
            looked: Instant::now(),
        };
        Ok(Self { cert: cert.to_owned(), key: key.to_owned(), current: Mutex::new(current) })
    }

    /// For one handshake; looks whether the files changed if that is a second ago. Two small files
    /// are read here at most once a second, which is not worth another thread.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let mut current = self.current.lock();
        if current.looked.elapsed() >= LOOK_AGAIN {
            current.looked = Instant::now();
            self.renew(&mut current);
        }
        TlsAcceptor::from(current.config.clone())
    }

    /// A pair that can't be used is reported once and changes nothing: often the certificate is
    /// already new and its key about to be.
    fn renew(&self, current: &mut Current) {
        let stamps = [stamp(&self.cert), stamp(&self.key)];
        if stamps == current.stamps {
            return;
        }
        current.stamps = stamps;
        match read(&self.cert, &self.key) {
            Ok(config) => {
                current.config = Arc::new(config);
                info!(cert = %self.cert.display(), "the certificate changed and is in use");
            }
            Err(error) => warn!(%error, "the certificate changed but can't be used; the old one stays"),
        }
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.ino(), metadata.size(), metadata.mtime(), metadata.mtime_nsec()))
}

fn read(cert: &Path, key: &Path) -> Result<ServerConfig, TlsError> {
    let read_file = |path: &Path| {
        std::fs::read(path).map_err(|source| TlsError::Unreadable { path: path.to_owned(), source })
    };
    let chain: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&read_file(cert)?).collect();
    let chain = chain.ok().filter(|chain| !chain.is_empty());
    let chain = chain.ok_or_else(|| TlsError::NoCertificate(cert.to_owned()))?;
    let private =
        PrivateKeyDer::from_pem_slice(&read_file(key)?).map_err(|_| TlsError::NoKey(key.to_owned()))?;
    let unusable = |source| {
        let (key, cert) = (key.to_owned(), cert.to_owned());
        match source {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                TlsError::Mismatch { key, cert }
            }
            source => TlsError::Unusable { key, cert, source },
        }
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(unusable)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
