//! A server on a free port, and clients simple enough to misbehave.

use std::net::SocketAddr;

use axum::Router;
use berth_server::config::{Config, Flags, LimitsConfig};
use berth_server::front_door::{self, FrontDoor};
use prometheus_client::metrics::gauge::Gauge;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) const PREFACE_AND_SETTINGS: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    open: Gauge,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

impl Door {
    pub(crate) async fn open(limits: LimitsConfig, router: Router) -> Self {
        let flags = Flags { data: Some("unused".into()), ..Flags::default() };
        let (mut config, _) = Config::load(None, [], flags).unwrap();
        config.limits = limits;
        Self::open_with(&config, router).await
    }

    pub(crate) async fn open_with(config: &Config, router: Router) -> Self {
        let listener = front_door::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let open = Gauge::default();
        let front_door = FrontDoor::new(config, open.clone()).unwrap();
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(front_door::serve(listener, front_door, router, async {
            let _ = stopped.await;
        }));
        Self { address, open, stop, server }
    }

    pub(crate) fn url(&self, scheme: &str, path: &str) -> String {
        format!("{scheme}://localhost:{}{path}", self.address.port())
    }

    pub(crate) fn open_connections(&self) -> i64 {
        self.open.get()
    }

    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        self.server.await.unwrap();
    }
}

pub(crate) async fn send(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    String::from_utf8(read_all(&mut stream).await).unwrap()
}

/// Up to the end, or to the reset that some ends are.
pub(crate) async fn read_all(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all).await;
    all
}

/// One answer that ends in this text.
pub(crate) async fn read_answer(stream: &mut TcpStream, end: &str) -> String {
    let mut answer = String::new();
    while !answer.ends_with(end) {
        let mut bytes = [0; 1024];
        let length = stream.read(&mut bytes).await.unwrap();
        assert_ne!(length, 0, "ended after {answer:?}");
        answer.push_str(std::str::from_utf8(&bytes[..length]).unwrap());
    }
    answer
}
