//! Starting a monitor: the own binary again, with one thread and nothing in its environment.
//!
//! A container's process is this binary until it becomes its command, and a hostile image can make that
//! moment last and write to `/proc/1/exe` (CVE-2019-5736). So the binary is executed through a mount of its
//! own that is read-only: writing fails, whatever the container's root may do.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::OpenTreeFlags;

use crate::container::Streams;
use crate::wire::{FromClient, Request};

/// What a process of ours, with one thread, looks after: the hidden sub-commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    /// A container, and its first process.
    Container,
    /// One more process in it.
    Exec,
}

impl Task {
    pub(crate) fn sub_command(self) -> &'static str {
        match self {
            Self::Container => "isolated-process",
            Self::Exec => "isolated-exec",
        }
    }

    pub(crate) fn parse(word: &OsStr) -> Option<Self> {
        [Self::Container, Self::Exec].into_iter().find(|task| word == task.sub_command())
    }
}

/// Starts the process for `task` in the container in `folder`, and returns the connection to it, on which
/// `requests` have been made.
pub(crate) fn start(
    task: Task,
    folder: &Path,
    streams: Streams,
    requests: &[Request],
) -> io::Result<UnixStream> {
    let output = || -> io::Result<Stdio> {
        Ok(match streams {
            Streams::Caller => Stdio::inherit(),
            Streams::Monitor { .. } => File::options().write(true).open("/dev/null")?.into(),
        })
    };
    start_with(task, folder, [output()?, output()?], requests)
}

/// The same, with what becomes of its standard output and its standard error.
pub(crate) fn start_with(
    task: Task,
    folder: &Path,
    [stdout, stderr]: [Stdio; 2],
    requests: &[Request],
) -> io::Result<UnixStream> {
    let (mut ours, theirs) = UnixStream::pair()?;
    let executable = read_only_executable()?;
    // Nobody waits for it: it lives longer than this process, or is init's when this one has ended.
    let _child = Command::new(format!("/proc/self/fd/{}", executable.as_raw_fd()))
        .arg(task.sub_command())
        .arg(folder)
        .env_clear()
        .current_dir("/")
        .stdin(OwnedFd::from(theirs))
        .stdout(stdout)
        .stderr(stderr)
        .spawn()?;
    for request in requests.iter().chain([&Request::Begin]) {
        match ours.write_all(&FromClient::Request(request.clone()).encode()) {
            // It has ended already, and said why.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
            result => result?,
        }
    }
    Ok(ours)
}

/// The own binary on a mount that can't be written to, and that nobody else sees. It is made once: a thread with
/// mounts of its own can't make it any more, for the binary isn't on one of those.
pub(crate) fn read_only_executable() -> Result<&'static OwnedFd, Errno> {
    static EXECUTABLE: OnceLock<Result<OwnedFd, Errno>> = OnceLock::new();
    EXECUTABLE.get_or_init(make_read_only_executable).as_ref().map_err(|error| *error)
}

fn make_read_only_executable() -> Result<OwnedFd, Errno> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let mount = rustix::mount::open_tree(CWD, "/proc/self/exe", flags)?;
    let attributes =
        libc::mount_attr { attr_set: libc::MOUNT_ATTR_RDONLY, attr_clr: 0, propagation: 0, userns_fd: 0 };
    #[expect(unsafe_code, reason = "rustix doesn't have mount_setattr")]
    // SAFETY: the path is empty, the attributes live until the call returns, and their size is theirs.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            std::ptr::from_ref(&attributes),
            size_of::<libc::mount_attr>(),
        )
    };
    if result == 0 { Ok(mount) } else { Err(crate::last_error()) }
}
