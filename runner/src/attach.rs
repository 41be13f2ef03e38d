//! Being connected to a container's monitor: its output, its input, its signals, and how it ends.

mod detach_keys;
mod session;

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use crate::container::Folder;
use crate::failure::Failure;
use crate::monitor::SOCKET;
use crate::wire::{Answer, FromClient, FromMonitor, Incoming, Request};
use crate::{streams, terminal};

pub use detach_keys::DetachKeys;

/// What is passed between the caller's own streams and the container's.
#[derive(Debug, Clone, Default)]
pub struct Attach {
    /// Whether standard input goes to the container.
    pub stdin: bool,
    /// Whether the container has a terminal, so that keys go to it as they are.
    pub tty: bool,
    /// Whether signals go to the container.
    pub signals: bool,
    /// The keys that end it all and leave the container running.
    pub detach_keys: DetachKeys,
}

/// How it came to an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The container has ended.
    Exited(i32),
    /// It couldn't be started.
    Failed(Failure),
    /// The detach keys were pressed.
    Detached,
}

/// A connection to a monitor.
#[derive(Debug)]
pub struct Connection {
    socket: UnixStream,
    incoming: Incoming,
}

/// Ends what a [`Connection`] belongs to.
#[derive(Debug)]
pub struct Killer(UnixStream);

impl Killer {
    /// Has it killed; one that has ended is none the worse.
    pub fn kill(&self) {
        // Fails when the other side is gone already.
        let _ = self.0.shutdown(Shutdown::Write);
    }
}

impl Attach {
    /// What is asked of the monitor first, so that not even the first output is missed.
    pub(crate) fn requests(&self) -> Vec<Request> {
        let size = terminal::size().filter(|_| self.tty);
        let size = size.map(|(rows, columns)| Request::Resize { rows, columns });
        [Request::Attach { stdin: self.stdin }].into_iter().chain(size).collect()
    }
}

impl Connection {
    pub(crate) fn new(socket: UnixStream) -> Self {
        Self { socket, incoming: Incoming::default() }
    }

    /// Connects to the monitor of the container in `folder`; `None` when there is none.
    ///
    /// # Errors
    /// When there is one that can't be reached.
    pub fn open(folder: &Folder) -> io::Result<Option<Self>> {
        let opened = folder.open()?;
        match UnixStream::connect(streams::short(&opened, SOCKET)) {
            Ok(socket) => Ok(Some(Self::new(socket))),
            Err(error)
                if [io::ErrorKind::ConnectionRefused, io::ErrorKind::NotFound].contains(&error.kind()) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Waits until the container runs; `note` is told what is otherwise than asked.
    ///
    /// # Errors
    /// Why it doesn't.
    pub fn started(&mut self, mut note: impl FnMut(&str)) -> Result<(), Failure> {
        loop {
            match self.answer().map_err(lost)? {
                Answer::Note(sentence) => note(&sentence),
                Answer::Failed(failure) => return Err(failure),
                // One that ended at once has been started, too.
                Answer::Started | Answer::Exited { .. } => return Ok(()),
                Answer::Done | Answer::Refused(_) => {}
            }
        }
    }

    /// Waits until the container has ended; its exit code.
    ///
    /// # Errors
    /// Why it couldn't be started, or that its monitor is gone.
    pub fn ended(&mut self) -> Result<i32, Failure> {
        loop {
            match self.answer().map_err(lost)? {
                Answer::Exited { code } => return Ok(code),
                Answer::Failed(failure) => return Err(failure),
                Answer::Started | Answer::Done | Answer::Refused(_) | Answer::Note(_) => {}
            }
        }
    }

    /// What ends it from another thread: the process is killed, and whoever waits for its end hears of that.
    ///
    /// # Errors
    /// When the process may open no more files.
    pub fn killer(&self) -> io::Result<Killer> {
        Ok(Killer(self.socket.try_clone()?))
    }

    /// Asks for something and waits until it is done.
    pub(crate) fn ask(&mut self, request: Request) -> Result<(), Failure> {
        self.request(request).map_err(lost)?;
        loop {
            match self.answer().map_err(lost)? {
                Answer::Done | Answer::Exited { .. } => return Ok(()),
                Answer::Refused(sentence) => return Err(Failure::own(sentence)),
                Answer::Failed(failure) => return Err(failure),
                Answer::Started | Answer::Note(_) => {}
            }
        }
    }

    pub(crate) fn request(&mut self, request: Request) -> io::Result<()> {
        self.socket.write_all(&FromClient::Request(request).encode())
    }

    /// Passes streams and signals on until the container has ended, or somebody detaches; `note` is told what
    /// is otherwise than asked.
    ///
    /// # Errors
    /// When the monitor is gone.
    pub fn attach(self, attach: &Attach, note: impl FnMut(&str)) -> Result<Ending, Failure> {
        session::run(self, attach, note)
    }

    /// The next answer; output is passed over.
    fn answer(&mut self) -> io::Result<Answer> {
        loop {
            match self.incoming.next_from_monitor() {
                Ok(Some(FromMonitor::Answer(answer))) => return Ok(answer),
                Ok(Some(FromMonitor::Output(..))) => continue,
                Ok(None) => {}
                Err(_) => return Err(io::Error::from(io::ErrorKind::InvalidData)),
            }
            let mut bytes = [0; 4096];
            match self.socket.read(&mut bytes) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
                Ok(length) => self.incoming.push(&bytes[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[expect(clippy::needless_pass_by_value, reason = "map_err hands it over")]
fn lost(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => {
            Failure::own("the process that looks after the container has ended unexpectedly")
        }
        _ => Failure::own(format!("speaking to the process that looks after the container: {error}")),
    }
}
