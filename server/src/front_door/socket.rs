//! A TCP stream whose reader may not stall and whose end does not swallow the last answer.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

/// What is still read, and for how long, after the last answer. Closing a socket that holds unread
/// bytes resets it, and a client that is still sending then says 'broken pipe' and never sees the
/// refusal. Buffers on the way hold some MiB already, and a client that is busy sending a layer when
/// the disk fills up sends many more before it looks for an answer.
const LINGER_BYTES: usize = 64 << 20;
const LINGER: Duration = Duration::from_secs(2);

/// Fails writes that a client leaves unread, and closes gently.
pub(super) struct Socket {
    stream: TcpStream,
    write_timeout: Duration,
    /// One timer for both jobs, so that an idle connection holds none.
    timer: Option<Pin<Box<Sleep>>>,
    state: State,
}

enum State {
    Flowing,
    /// A write waits for the client to read; the timer runs.
    Stalled,
    /// Our side is closed; the timer runs.
    Lingering {
        discarded: usize,
    },
}

impl Socket {
    pub(super) fn new(stream: TcpStream, write_timeout: Duration) -> Self {
        Self { stream, write_timeout, timer: None, state: State::Flowing }
    }

    fn start_timer(&mut self, after: Duration) {
        let deadline = Instant::now() + after;
        match &mut self.timer {
            Some(timer) => timer.as_mut().reset(deadline),
            None => self.timer = Some(Box::pin(sleep_until(deadline))),
        }
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.timer.as_mut().map_or(Poll::Pending, |timer| timer.as_mut().poll(cx))
    }

    /// The outcome of a write, unless it waits for too long.
    fn bounded<T>(&mut self, cx: &mut Context<'_>, write: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if write.is_ready() {
            self.state = State::Flowing;
            return write;
        }
        if matches!(self.state, State::Flowing) {
            self.state = State::Stalled;
            self.start_timer(self.write_timeout);
        }
        ready!(self.poll_timer(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read")))
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.bounded(cx, write)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.bounded(cx, write)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Says goodbye, then reads and throws away until the client has done the same.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut discarded = match self.state {
            State::Lingering { discarded } => discarded,
            State::Flowing | State::Stalled => {
                ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
                self.start_timer(LINGER);
                0
            }
        };
        let mut space = [0; 16 << 10];
        while discarded < LINGER_BYTES {
            let mut buf = ReadBuf::new(&mut space);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buf) {
                // At its end or broken: nothing left that a reset could destroy.
                Poll::Ready(Err(_)) => break,
                Poll::Ready(Ok(())) if buf.filled().is_empty() => break,
                Poll::Ready(Ok(())) => discarded += buf.filled().len(),
                Poll::Pending => {
                    self.state = State::Lingering { discarded };
                    return self.poll_timer(cx).map(Ok);
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}
