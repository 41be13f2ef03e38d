//! Who is connected to a monitor.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags};

use crate::wire::{FromClient, FromMonitor, Incoming, Stream, output};

/// How much may wait for one client, in bytes, before the container's output waits for it.
const MAX_WAITING: usize = 256 << 10;

/// One connection.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) socket: UnixStream,
    incoming: Incoming,
    outgoing: VecDeque<u8>,
    /// Whether it is given output.
    pub(super) attached: bool,
    /// Whether what it sends is the container's input.
    pub(super) feeds: bool,
    /// Whether it has gone, or speaks another language.
    pub(super) gone: bool,
}

impl Client {
    pub(super) fn new(socket: UnixStream) -> Self {
        // One that can't be set up is noticed at its first use.
        let _ = socket.set_nonblocking(true);
        Self {
            socket,
            incoming: Incoming::default(),
            outgoing: VecDeque::new(),
            attached: false,
            feeds: false,
            gone: false,
        }
    }

    /// What has arrived since.
    pub(super) fn receive(&mut self) -> Vec<FromClient> {
        let mut bytes = [0; 16 << 10];
        match self.socket.read(&mut bytes) {
            Ok(0) => self.gone = true,
            Ok(length) => self.incoming.push(&bytes[..length]),
            Err(error) if [ErrorKind::WouldBlock, ErrorKind::Interrupted].contains(&error.kind()) => {}
            Err(_) => self.gone = true,
        }
        let mut frames = Vec::new();
        loop {
            match self.incoming.next_from_client() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => return frames,
                Err(_) => {
                    self.gone = true;
                    return frames;
                }
            }
        }
    }

    /// Waits until there is something to receive.
    pub(super) fn wait_for_more(&self) {
        let mut watched = [PollFd::new(&self.socket, PollFlags::IN)];
        // Receiving tells what was wrong.
        let _ = rustix::event::poll(&mut watched, None);
    }

    pub(super) fn send(&mut self, message: &FromMonitor) {
        self.outgoing.extend(message.encode());
        self.flush();
    }

    pub(super) fn send_output(&mut self, stream: Stream, bytes: &[u8]) {
        self.outgoing.extend(output(stream, bytes));
        self.flush();
    }

    /// Whether output has to wait for it.
    pub(super) fn is_full(&self) -> bool {
        self.outgoing.len() > MAX_WAITING
    }

    pub(super) fn has_something_waiting(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Sends what can be sent now.
    pub(super) fn flush(&mut self) {
        while !self.outgoing.is_empty() && !self.gone {
            let (bytes, _) = self.outgoing.as_slices();
            match self.socket.write(bytes) {
                Ok(length) => drop(self.outgoing.drain(..length)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.gone = true,
            }
        }
    }

    /// Sends all, however long that takes.
    pub(super) fn flush_all(&mut self) {
        let _ = self.socket.set_nonblocking(false);
        self.flush();
    }
}
