//! One attached session: whatever arrives on either side is passed to the other.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, FromRawFd, OwnedFd};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;

use super::detach_keys::Watch;
use super::{Attach, Connection, Ending, lost};
use crate::failure::Failure;
use crate::signals;
use crate::terminal::{self, Raw};
use crate::wire::{Answer, FromClient, FromMonitor, Request, Stream};

/// How much may wait for the monitor, in bytes, before more input is read.
const MAX_WAITING: usize = 64 << 10;

/// What a container hears of, when its caller does; SIGWINCH tells that the terminal's size is another.
const PASSED_ON: [i32; 7] =
    [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGUSR1, libc::SIGUSR2, libc::SIGWINCH];

struct Session<'a> {
    connection: Connection,
    attach: &'a Attach,
    keys: Watch<'a>,
    outgoing: VecDeque<u8>,
    signals: File,
    input_is_open: bool,
}

pub(super) fn run(
    connection: Connection,
    attach: &Attach,
    note: impl FnMut(&str),
) -> Result<Ending, Failure> {
    let failed = |error: io::Error| Failure::own(format!("attaching to the container: {error}"));
    connection.socket.set_nonblocking(true).map_err(failed)?;
    // Signals that aren't passed on do what they always do.
    let wanted = if attach.signals { &PASSED_ON[..] } else { &[libc::SIGWINCH] };
    let signals = signals_to_read(wanted).map_err(|error| failed(error.into()))?;
    let raw = if attach.tty && attach.stdin { Raw::standard_input() } else { Ok(None) };
    let raw = raw.map_err(|error| failed(error.into()))?;
    let mut session = Session {
        connection,
        attach,
        keys: Watch::new(&attach.detach_keys),
        outgoing: VecDeque::new(),
        signals,
        input_is_open: attach.stdin,
    };
    let ending = session.pass_on(note);
    drop(raw);
    ending
}

/// Signals, blocked and as something to read.
fn signals_to_read(wanted: &[i32]) -> Result<File, Errno> {
    let set = signals::block(wanted);
    #[expect(unsafe_code, reason = "signalfd has no safe form")]
    // SAFETY: the set is initialised, and the new descriptor is nobody else's.
    unsafe {
        let descriptor = libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        if descriptor < 0 {
            Err(crate::last_error())
        } else {
            Ok(File::from(OwnedFd::from_raw_fd(descriptor)))
        }
    }
}

impl Session<'_> {
    fn pass_on(&mut self, mut note: impl FnMut(&str)) -> Result<Ending, Failure> {
        loop {
            let [socket, input, signalled] = self.wait();
            if signalled {
                self.pass_signals_on();
            }
            if input && self.pass_input_on() {
                self.flush().map_err(lost)?;
                return Ok(Ending::Detached);
            }
            self.flush().map_err(lost)?;
            if socket && let Some(ending) = self.take_frames(&mut note)? {
                return Ok(ending);
            }
        }
    }

    /// Waits for the monitor, for input, or for a signal; which of them is there.
    fn wait(&self) -> [bool; 3] {
        let mut socket = PollFlags::IN;
        if !self.outgoing.is_empty() {
            socket |= PollFlags::OUT;
        }
        let takes_input = self.input_is_open && self.outgoing.len() < MAX_WAITING;
        let input = if takes_input { PollFlags::IN } else { PollFlags::empty() };
        let stdin = rustix::stdio::stdin();
        let mut watched = [
            PollFd::new(&self.connection.socket, socket),
            PollFd::from_borrowed_fd(self.signals.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(stdin, input),
        ];
        // An input that isn't waited for would tell that it has ended all the same.
        let watched = if takes_input { &mut watched[..] } else { &mut watched[..2] };
        // Whatever the result is, the next turn finds out.
        let _ = rustix::event::poll(watched, None);
        let ready = |index: usize| watched.get(index).is_some_and(|one| !one.revents().is_empty());
        [ready(0), ready(2), ready(1)]
    }

    /// Reads a piece of input; whether it completed the detach keys.
    fn pass_input_on(&mut self) -> bool {
        let mut bytes = [0; 16 << 10];
        match rustix::io::read(rustix::stdio::stdin(), &mut bytes) {
            Ok(0) => {
                self.input_is_open = false;
                self.queue(&FromClient::InputEnds);
            }
            Ok(length) if self.attach.tty => {
                let passed = self.keys.pass(&bytes[..length]);
                if !passed.bytes.is_empty() {
                    self.queue(&FromClient::Input(passed.bytes));
                }
                return passed.detach;
            }
            Ok(length) => self.queue(&FromClient::Input(bytes[..length].to_vec())),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => {
                self.input_is_open = false;
                self.queue(&FromClient::InputEnds);
            }
        }
        false
    }

    fn pass_signals_on(&mut self) {
        let mut information = [0; size_of::<libc::signalfd_siginfo>()];
        while self.signals.read_exact(&mut information).is_ok() {
            let [a, b, c, d, ..] = information;
            let number = i32::from_ne_bytes([a, b, c, d]);
            if number == libc::SIGWINCH {
                self.tell_size();
            } else {
                self.queue(&FromClient::Request(Request::Signal(number)));
            }
        }
    }

    fn tell_size(&mut self) {
        if self.attach.tty
            && let Some((rows, columns)) = terminal::size()
        {
            self.queue(&FromClient::Request(Request::Resize { rows, columns }));
        }
    }

    fn queue(&mut self, frame: &FromClient) {
        self.outgoing.extend(frame.encode());
    }

    fn flush(&mut self) -> io::Result<()> {
        while !self.outgoing.is_empty() {
            let (bytes, _) = self.outgoing.as_slices();
            match self.connection.socket.write(bytes) {
                Ok(length) => drop(self.outgoing.drain(..length)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // It may have ended, and its last words are still to be read.
                Err(_) => self.outgoing.clear(),
            }
        }
        Ok(())
    }

    /// Takes what has arrived from the monitor; how it ended, if that was among it.
    fn take_frames(&mut self, note: &mut impl FnMut(&str)) -> Result<Option<Ending>, Failure> {
        let mut bytes = [0; 32 << 10];
        match self.connection.socket.read(&mut bytes) {
            Ok(0) => return Err(lost(io::Error::from(io::ErrorKind::UnexpectedEof))),
            Ok(length) => self.connection.incoming.push(&bytes[..length]),
            Err(error) if [io::ErrorKind::WouldBlock, io::ErrorKind::Interrupted].contains(&error.kind()) => {
            }
            Err(error) => return Err(lost(error)),
        }
        loop {
            match self.connection.incoming.next_from_monitor() {
                Ok(None) => return Ok(None),
                Ok(Some(FromMonitor::Output(stream, bytes))) => write_out(stream, &bytes)?,
                Ok(Some(FromMonitor::Answer(Answer::Exited { code }))) => {
                    return Ok(Some(Ending::Exited(code)));
                }
                Ok(Some(FromMonitor::Answer(Answer::Failed(failure)))) => {
                    return Ok(Some(Ending::Failed(failure)));
                }
                Ok(Some(FromMonitor::Answer(Answer::Note(sentence)))) => note(&sentence),
                Ok(Some(FromMonitor::Answer(Answer::Started | Answer::Done | Answer::Refused(_)))) => {}
                Err(_) => return Err(lost(io::Error::from(io::ErrorKind::InvalidData))),
            }
        }
    }
}

fn write_out(stream: Stream, bytes: &[u8]) -> Result<(), Failure> {
    let written = match stream {
        Stream::Stdout => {
            let mut stdout = io::stdout().lock();
            stdout.write_all(bytes).and_then(|()| stdout.flush())
        }
        Stream::Stderr => io::stderr().lock().write_all(bytes),
    };
    written.map_err(|error| Failure::own(format!("passing the container's output on: {error}")))
}
