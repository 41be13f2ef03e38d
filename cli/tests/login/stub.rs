//! A registry that knows one user, alice with the password `s3cret`, and nothing but logins.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{Response, StatusCode};
use axum::serve::Listener;
use rcgen::CertifiedKey;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// `alice:s3cret`, as Basic has it.
const ALICE: &str = "Basic YWxpY2U6czNjcmV0";

/// How the stub asks for a login.
#[derive(Clone, Copy)]
pub(crate) enum Asks {
    Basic,
    Bearer,
    /// It names a token service whose tokens it then does not take.
    BearerInVain,
    /// It lets everybody in.
    Nobody,
    /// It is a web server, but no registry.
    IsNoRegistry,
}

/// A running stub; it ends with the test's process.
pub(crate) struct Stub {
    /// Its host and port.
    pub(crate) address: SocketAddr,
    requests: Requests,
}

type Requests = Arc<Mutex<Vec<String>>>;

impl Stub {
    pub(crate) fn start(asks: Asks) -> Self {
        Self::serve(asks, |app, listener| async move { axum::serve(listener, app).await })
    }

    /// Starts one that speaks TLS; also returns its certificate, which it signed itself, in PEM.
    pub(crate) fn start_with_tls(asks: Asks) -> (Self, String) {
        let CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder().with_no_client_auth();
        let config = config.with_single_cert(vec![cert.der().clone()], key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let stub =
            Self::serve(
                asks,
                |app, tcp| async move { axum::serve(TlsListener { tcp, acceptor }, app).await },
            );
        (stub, cert.pem())
    }

    fn serve<F: Future<Output = io::Result<()>>>(
        asks: Asks,
        serve: impl FnOnce(Router, TcpListener) -> F + Send + 'static,
    ) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let requests = Requests::default();
        let app = Router::new().fallback(answer).with_state((asks, address, requests.clone()));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                serve(app, TcpListener::from_std(listener).unwrap()).await.unwrap();
            });
        });
        Self { address, requests }
    }

    /// What was asked so far: method, path and query.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

struct TlsListener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    /// Waits for a client that trusts the certificate; others have gone away by then.
    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, client) = self.tcp.accept().await.unwrap();
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, client);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}

async fn answer(
    State((asks, address, requests)): State<(Asks, SocketAddr, Requests)>,
    request: Request,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    requests.lock().unwrap().push(format!("{} {}", parts.method, parts.uri));
    let authorization = parts.headers.get(AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
    let authorization = authorization.as_deref();
    let plain =
        |status, text: &'static str| Response::builder().status(status).body(Body::from(text)).unwrap();
    let challenge = |text: String| {
        let answer = Response::builder().status(StatusCode::UNAUTHORIZED).header(WWW_AUTHENTICATE, text);
        answer.body(Body::empty()).unwrap()
    };
    let bearer = || challenge(format!(r#"Bearer realm="http://{address}/token",service="stub""#));
    match (parts.uri.path(), asks) {
        (_, Asks::IsNoRegistry) => plain(StatusCode::NOT_FOUND, ""),
        ("/v2/", Asks::Nobody) => plain(StatusCode::OK, "{}"),
        ("/v2/", Asks::Basic) if authorization == Some(ALICE) => plain(StatusCode::OK, "{}"),
        ("/v2/", Asks::Basic) => challenge(r#"Basic realm="stub""#.to_owned()),
        ("/v2/", Asks::Bearer) if authorization == Some("Bearer good") => plain(StatusCode::OK, "{}"),
        ("/v2/", Asks::Bearer | Asks::BearerInVain) => bearer(),
        ("/token", _) if authorization == Some(ALICE) => plain(StatusCode::OK, r#"{"token": "good"}"#),
        ("/token", _) if parts.method == "POST" => {
            let form = axum::body::to_bytes(body, 10_000).await.unwrap();
            match std::str::from_utf8(&form).unwrap().contains("grant_type=refresh_token&refresh_token=idtok")
            {
                true => plain(StatusCode::OK, r#"{"access_token": "good"}"#),
                false => plain(StatusCode::UNAUTHORIZED, "{}"),
            }
        }
        ("/token", _) => plain(StatusCode::UNAUTHORIZED, "{}"),
        _ => plain(StatusCode::NOT_FOUND, ""),
    }
}
