//! The address that the server answers on.

use std::io;
use std::net::SocketAddr;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpListener;

/// An address that can't be listened on; shows as one sentence.
#[derive(Debug, thiserror::Error)]
#[error("listening on {address}: {}", explained(.address, .source))]
pub struct ListenError {
    address: SocketAddr,
    source: io::Error,
}

fn explained(address: &SocketAddr, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "the address is in use; stop the other program or choose another with --listen".to_owned()
        }
        io::ErrorKind::PermissionDenied if address.port() < 1024 => {
            "ports below 1024 are for root; choose another with --listen".to_owned()
        }
        io::ErrorKind::AddrNotAvailable => {
            "this machine has no such address; choose another with --listen".to_owned()
        }
        _ => format!("{error}; choose another address with --listen"),
    }
}

/// Takes an address; connections wait in the system's queue until they are served.
///
/// # Errors
/// The address is taken, not this machine's, or not allowed.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, ListenError> {
    TcpListener::bind(address).await.map_err(|source| ListenError { address, source })
}

/// Lets this process open as many files as the system allows it to: the usual first limit, 1024,
/// is less than the connections it takes. Failing is no harm: fewer are open at once.
pub fn raise_open_file_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}
