//! One connection: which protocol it speaks, its limits, and its orderly end.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tower::util::Oneshot;
use tower::{BoxError, Service, ServiceExt as _};
use tracing::debug;

use super::socket::Socket;
use super::tls::Tls;
use crate::config::LimitsConfig;

/// The most that is read from an HTTP/1.1 client at once: less makes uploads cost more, more of it
/// only costs memory.
const READ_BUFFER: usize = 256 << 10;
/// What an HTTP/2 client may send on one stream, and on all of one connection, unasked.
const STREAM_WINDOW: u32 = 2 << 20;
const CONNECTION_WINDOW: u32 = 8 << 20;
const FRAME: u32 = 64 << 10;
/// Requests at once on one HTTP/2 connection.
const STREAMS: u32 = 128;
/// How often a quiet HTTP/2 client is asked whether it is still there, and how long it may think.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// What an HTTP/2 client says first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Where a request came from; an extension of every request.
#[derive(Debug, Clone, Copy)]
pub struct Connection {
    /// The other end of the connection: the client, or a proxy before it.
    pub peer: SocketAddr,
    /// Whether this connection is encrypted.
    pub tls: bool,
    /// Whether the peer is one of `trusted_proxies`, so that its `X-Forwarded-*` are believed.
    pub proxied: bool,
}

/// HTTP/1.1 and HTTP/2 with this server's limits.
///
/// Not `hyper_util`'s `auto` builder: that has no bound on the size of HTTP/1.1 headers and waits
/// for ever for a connection's first bytes.
pub(super) struct Protocols {
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
    header_timeout: Duration,
    write_timeout: Duration,
}

enum Version {
    Http1,
    Http2,
}

impl Protocols {
    pub(super) fn new(limits: &LimitsConfig) -> Self {
        let mut http1 = http1::Builder::new();
        http1
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_timeout)
            .max_header_size(limits.headers as usize)
            .max_buf_size(READ_BUFFER);
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_frame_size(FRAME)
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(limits.headers)
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIMEOUT);
        let (header_timeout, write_timeout) = (limits.header_timeout, limits.write_timeout);
        Self { http1, http2, header_timeout, write_timeout }
    }

    /// Serves one connection to its end. Its failures are the client's and only worth a debug line.
    pub(super) async fn serve<S, B>(
        &self,
        stream: TcpStream,
        connection: Connection,
        tls: Option<&Tls>,
        service: S,
        mut stopping: watch::Receiver<()>,
    ) where
        S: Service<Request<Incoming>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
            + Clone
            + Send
            + 'static,
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let began = Arc::new(AtomicBool::new(false));
        let service = Entrance { service, connection, began: began.clone() };
        // Most writes are whole answers, and clients wait for them.
        let _ = stream.set_nodelay(true);
        let result = match tls {
            None => {
                let version = self.before_the_first_bytes(&mut stopping, version(&stream)).await;
                let socket = Socket::new(stream, self.write_timeout);
                match version {
                    Ok(version) => self.speak(version, socket, service, &began, stopping).await,
                    Err(error) => Err(error.into()),
                }
            }
            Some(tls) => {
                let handshake = tls.acceptor().accept(Socket::new(stream, self.write_timeout));
                match self.before_the_first_bytes(&mut stopping, handshake).await {
                    Ok(stream) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
                        self.speak(Version::Http2, stream, service, &began, stopping).await
                    }
                    Ok(stream) => self.speak(Version::Http1, stream, service, &began, stopping).await,
                    Err(error) => Err(error.into()),
                }
            }
        };
        if let Err(error) = result {
            debug!(peer = %connection.peer, error, "connection failed");
        }
    }

    /// Until a connection says what it wants there is nothing to finish: a stop ends it at once.
    async fn before_the_first_bytes<T>(
        &self,
        stopping: &mut watch::Receiver<()>,
        step: impl Future<Output = io::Result<T>>,
    ) -> io::Result<T> {
        tokio::select! {
            result = timeout(self.header_timeout, step) => result.map_err(io::Error::from).flatten(),
            _ = stopping.changed() => Err(io::Error::other("the server stops")),
        }
    }

    async fn speak<I, S, B>(
        &self,
        version: Version,
        stream: I,
        service: Entrance<S>,
        began: &AtomicBool,
        stopping: watch::Receiver<()>,
    ) -> Result<(), BoxError>
    where
        I: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
        S: Service<Request<Incoming>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
            + Clone
            + Send
            + 'static,
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let stream = TokioIo::new(stream);
        match version {
            Version::Http1 => self.drive(self.http1.serve_connection(stream, service), began, stopping).await,
            Version::Http2 => self.drive(self.http2.serve_connection(stream, service), began, stopping).await,
        }
    }

    /// Runs a connection; a stop lets its requests finish and takes no new ones.
    async fn drive<C>(
        &self,
        connection: C,
        began: &AtomicBool,
        mut stopping: watch::Receiver<()>,
    ) -> Result<(), BoxError>
    where
        C: GracefulConnection<Error: Into<BoxError>>,
    {
        let mut connection = pin!(connection);
        // hyper bounds the headers of HTTP/1.1 requests, but not the start of an HTTP/2 connection.
        let mut first_request = pin!(sleep(self.header_timeout));
        let (mut waiting, mut stopped) = (true, false);
        loop {
            tokio::select! {
                biased;
                result = connection.as_mut() => return result.map_err(Into::into),
                _ = stopping.changed(), if !stopped => {
                    stopped = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = first_request.as_mut(), if waiting => {
                    waiting = false;
                    if !began.load(Ordering::Relaxed) {
                        return Err("no request in time".into());
                    }
                }
            }
        }
    }
}

/// Looks at the first bytes without taking them. Few clients split the preface: a short sleep is
/// simpler than keeping what was read.
async fn version(stream: &TcpStream) -> io::Result<Version> {
    let mut start = [0; PREFACE.len()];
    loop {
        let length = stream.peek(&mut start).await?;
        if length == 0 || start[..length] != PREFACE[..length] {
            return Ok(Version::Http1);
        }
        if length == PREFACE.len() {
            return Ok(Version::Http2);
        }
        sleep(Duration::from_millis(10)).await;
    }
}

/// The service as one connection sees it: every request learns where it came from.
struct Entrance<S> {
    service: S,
    connection: Connection,
    began: Arc<AtomicBool>,
}

impl<S: Service<Request<Incoming>> + Clone> hyper::service::Service<Request<Incoming>> for Entrance<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = Oneshot<S, Request<Incoming>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        self.began.store(true, Ordering::Relaxed);
        request.extensions_mut().insert(self.connection);
        self.service.clone().oneshot(request)
    }
}
