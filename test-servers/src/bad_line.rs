//! A bad line between two servers: a TCP proxy that cuts, delays, throttles and swallows.

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// How many bytes go through at once.
const BUFFER: usize = 64 * 1024;

/// How the line is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Line {
    /// Everything goes through at once.
    Good,
    /// Everything comes that much later.
    Slow(Duration),
    /// At most so many bytes a second go through in each direction of a connection.
    Narrow(u32),
    /// Connections are made, and nothing goes through any of them.
    Dead,
    /// Every connection is broken off, and each new one at once.
    Cut,
}

/// A line to a server, which clients know by its address.
pub struct BadLine {
    address: SocketAddr,
    line: watch::Sender<Line>,
    runtime: Option<Runtime>,
}

impl BadLine {
    /// A good line to the server at this address, from a free port on loopback.
    pub fn to(server: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        // What waits in the kernel, nobody sees moving: on a real narrow line it isn't much either.
        SockRef::from(&listener).set_recv_buffer_size(BUFFER).expect("a small buffer");
        let address = listener.local_addr().expect("the port's number");
        listener.set_nonblocking(true).expect("a listener that never blocks");
        let listener = {
            let _inside = runtime.enter();
            TcpListener::from_std(listener).expect("a listener")
        };
        let (line, state) = watch::channel(Line::Good);
        runtime.spawn(async move {
            loop {
                let (client, _) = listener.accept().await.expect("a connection");
                let state = state.clone();
                // Its errors are what this is for.
                tokio::spawn(async move { carry(client, server, state).await.ok() });
            }
        });
        Self { address, line, runtime: Some(runtime) }
    }

    /// Where clients find the server.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes the line, also for the connections there are.
    pub fn becomes(&self, line: Line) {
        self.line.send_replace(line);
    }
}

impl Drop for BadLine {
    fn drop(&mut self) {
        // A test inside a runtime of its own can't wait for the end of this one.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn carry(
    client: TcpStream,
    server: SocketAddr,
    mut line: watch::Receiver<Line>,
) -> std::io::Result<()> {
    let server = TcpStream::connect(server).await?;
    let mut sockets = Vec::new();
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
        sockets.push(stream.as_fd().try_clone_to_owned()?);
    }
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let there = pass(from_client, to_server, line.clone());
    let back = pass(from_server, to_client, line.clone());
    tokio::select! {
        _ = async { tokio::join!(there, back) } => {}
        _ = line.wait_for(|line| *line == Line::Cut) => {
            for socket in &sockets {
                // Its end is then a reset, not an orderly one.
                SockRef::from(socket).set_linger(Some(Duration::ZERO))?;
            }
        }
    }
    Ok(())
}

async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut line: watch::Receiver<Line>,
) -> std::io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let now = *line.borrow();
        let room = match now {
            Line::Narrow(bytes) => (bytes as usize / 20).clamp(1, buffer.len()),
            Line::Good | Line::Slow(_) | Line::Dead | Line::Cut => buffer.len(),
        };
        let read = from.read(&mut buffer[..room]).await?;
        let wait = match *line.borrow() {
            Line::Good | Line::Cut | Line::Dead => Duration::ZERO,
            Line::Slow(time) => time,
            Line::Narrow(_) => Duration::from_millis(50),
        };
        tokio::time::sleep(wait).await;
        // The sender is never gone while this line is.
        line.wait_for(|line| *line != Line::Dead).await.map_err(std::io::Error::other)?;
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..read]).await?;
    }
}
