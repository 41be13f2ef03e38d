//! The ends of a command's input and output: pipes, or a terminal.

use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
use rustix::pipe::PipeFlags;

use crate::container::{Folder, Streams};

/// The monitor's ends.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    /// What is written here is the command's input.
    pub(crate) stdin: Option<OwnedFd>,
    pub(crate) stdout: Option<OwnedFd>,
    pub(crate) stderr: Option<OwnedFd>,
    /// Instead of the three, where the command has a terminal.
    pub(crate) terminal: Option<OwnedFd>,
}

/// The command's ends.
#[derive(Debug, Default)]
pub(crate) struct Theirs {
    pub(crate) stdin: Option<OwnedFd>,
    pub(crate) stdout: Option<OwnedFd>,
    pub(crate) stderr: Option<OwnedFd>,
}

impl Ends {
    /// Makes both ends of what `streams` says; a terminal is made in the container.
    pub(crate) fn make(streams: Streams) -> Result<(Self, Theirs), Errno> {
        let mut ours = Self::default();
        let mut theirs = Theirs::default();
        let Streams::Monitor { tty: false, stdin, .. } = streams else { return Ok((ours, theirs)) };
        let pipe = || rustix::pipe::pipe_with(PipeFlags::CLOEXEC);
        if stdin {
            let (read, write) = pipe()?;
            (theirs.stdin, ours.stdin) = (Some(read), Some(write));
        } else {
            let null =
                File::open("/dev/null").map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO));
            theirs.stdin = Some(null?.into());
        }
        for (ours, theirs) in [(&mut ours.stdout, &mut theirs.stdout), (&mut ours.stderr, &mut theirs.stderr)]
        {
            let (read, write) = pipe()?;
            (*ours, *theirs) = (Some(read), Some(write));
        }
        Ok((ours, theirs))
    }
}

/// Where libcontainer sends the terminal that it made in the container.
#[derive(Debug)]
pub(crate) struct Console {
    listener: UnixListener,
    path: PathBuf,
}

impl Console {
    /// Listens in `folder` when there is to be a terminal.
    pub(crate) fn listen(folder: &Folder, streams: Streams) -> io::Result<Option<Self>> {
        if !streams.has_terminal() {
            return Ok(None);
        }
        // Several may be started in one container at once.
        let name = format!("console-{}.sock", std::process::id());
        Ok(Some(Self { listener: listen(folder, &name)?, path: folder.path().join(name) }))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Receives the terminal, which has been sent.
    pub(crate) fn receive(self) -> io::Result<OwnedFd> {
        let (connection, _) = self.listener.accept()?;
        let _ = std::fs::remove_file(&self.path);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut bytes = [0; 64];
        let into = &mut [io::IoSliceMut::new(&mut bytes)];
        rustix::net::recvmsg(&connection, into, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
        let received = ancillary.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
            _ => None,
        });
        received.ok_or_else(|| io::Error::other("libcontainer sent none"))
    }
}

/// Listens on a socket in `folder`, whose path may be longer than a socket's address.
pub(crate) fn listen(folder: &Folder, name: &str) -> io::Result<UnixListener> {
    match std::fs::remove_file(folder.path().join(name)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let opened = folder.open()?;
    UnixListener::bind(short(&opened, name))
}

/// A short name for what is called `name` in an opened folder.
pub(crate) fn short(opened: &impl AsFd, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{name}", opened.as_fd().as_raw_fd()))
}
