//! `--init`: process 1 of a container that waits for orphans and passes signals on to the command.

use std::os::fd::{IntoRawFd, RawFd};

use rustix::pipe::PipeFlags;
use rustix::process::{Pid, WaitOptions};

/// The exit code when not even that worked.
const FAILED: i32 = 71;

/// Comes back in a child, which is to become the command, while this process stays as its parent, and ends
/// as the child does.
pub(super) fn stay(report: RawFd) {
    let all = crate::signals::block_all();
    let Ok((waits, opens)) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC) else { std::process::exit(FAILED) };
    #[expect(unsafe_code, reason = "fork has no safe form")]
    // SAFETY: this process has one thread, so the child may do whatever it could.
    let child = unsafe { libc::fork() };
    if child == 0 {
        drop(opens);
        // Nothing runs before its parent has closed what it must not see: the end of this pipe, too.
        let _ = rustix::io::read(&waits, &mut [0]);
        // While all signals are blocked: whoever takes a terminal from the background is stopped by one.
        let _ = rustix::process::setpgid(None, None);
        crate::terminal::take_foreground();
        crate::signals::as_in_a_new_process();
        return;
    }
    // They are closed with all others.
    let _ = (waits.into_raw_fd(), opens.into_raw_fd());
    close_but_standard(report);
    let _ = rustix::thread::set_name(c"berth-init");
    let code = Pid::from_raw(child).map_or(FAILED, |child| look_after(child, &all));
    std::process::exit(code);
}

/// Nothing may stay open here that the command closes by being executed.
fn close_but_standard(report: RawFd) {
    debug_assert!(report > 2, "the standard descriptors are the command's");
    #[expect(unsafe_code, reason = "closing what others opened has no safe form")]
    // SAFETY: nothing in this process uses any descriptor but the first three from here on.
    unsafe {
        libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0);
    }
}

fn look_after(child: Pid, all: &libc::sigset_t) -> i32 {
    loop {
        let signal = crate::signals::wait(all);
        if signal != libc::SIGCHLD {
            // It may be gone already, which the next SIGCHLD tells.
            crate::signals::send(child, signal);
            continue;
        }
        while let Ok(Some((ended, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            if ended == child {
                let signalled = status.terminating_signal().map(|signal| 128 + signal);
                return status.exit_status().or(signalled).unwrap_or(FAILED);
            }
        }
    }
}
