//! The server that all these tests share, and repositories of each one's own.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use conformance_tests::{Berth, Client, Repository};

static SERVER: Mutex<Weak<Berth>> = Mutex::new(Weak::new());
static COUNT: AtomicU64 = AtomicU64::new(0);

/// The shared server as one test sees it. It ends with the last test that has it: nothing drops a `static`.
pub(crate) struct Shared {
    pub(crate) berth: Arc<Berth>,
    pub(crate) admin: Client,
}

impl Shared {
    pub(crate) fn new() -> Self {
        let mut server = SERVER.lock().expect("no panic while a server starts");
        let berth = server.upgrade().unwrap_or_else(|| Arc::new(Berth::start()));
        *server = Arc::downgrade(&berth);
        Self { admin: berth.admin(), berth }
    }

    /// A server of the test's own: what it makes public, others would see.
    pub(crate) fn alone() -> Self {
        let berth = Arc::new(Berth::start());
        Self { admin: berth.admin(), berth }
    }

    /// A repository that no other test has, whose name begins so.
    pub(crate) async fn repository(&self, start: &str) -> Repository<'_> {
        self.admin.repository(&fresh(start)).await
    }
}

/// A repository's name that no other test has.
pub(crate) fn fresh(start: &str) -> String {
    format!("{start}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Sends these bytes, word for word, and returns all that comes back until the server closes.
pub(crate) fn raw(berth: &Berth, request: &[u8]) -> String {
    let mut stream = connect(berth);
    stream.write_all(request).expect("sending a request");
    read_all(stream)
}

/// The same, of a client that goes away before its request is whole.
pub(crate) fn raw_cut_off(berth: &Berth, request: &[u8]) -> String {
    let mut stream = connect(berth);
    stream.write_all(request).expect("sending a request");
    stream.shutdown(Shutdown::Write).expect("ending a request");
    read_all(stream)
}

fn connect(berth: &Berth) -> TcpStream {
    let stream = TcpStream::connect(berth.host()).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
    stream
}

fn read_all(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}
