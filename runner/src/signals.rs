//! Signals: names, numbers, blocking and waiting.

use rustix::process::Pid;

/// Every name that docker takes, without `SIG`, and its number.
const NAMES: [(&str, i32); 34] = [
    ("ABRT", libc::SIGABRT),
    ("ALRM", libc::SIGALRM),
    ("BUS", libc::SIGBUS),
    ("CHLD", libc::SIGCHLD),
    ("CLD", libc::SIGCHLD),
    ("CONT", libc::SIGCONT),
    ("FPE", libc::SIGFPE),
    ("HUP", libc::SIGHUP),
    ("ILL", libc::SIGILL),
    ("INT", libc::SIGINT),
    ("IO", libc::SIGIO),
    ("IOT", libc::SIGIOT),
    ("KILL", libc::SIGKILL),
    ("PIPE", libc::SIGPIPE),
    ("POLL", libc::SIGPOLL),
    ("PROF", libc::SIGPROF),
    ("PWR", libc::SIGPWR),
    ("QUIT", libc::SIGQUIT),
    ("SEGV", libc::SIGSEGV),
    ("STKFLT", libc::SIGSTKFLT),
    ("STOP", libc::SIGSTOP),
    ("SYS", libc::SIGSYS),
    ("TERM", libc::SIGTERM),
    ("TRAP", libc::SIGTRAP),
    ("TSTP", libc::SIGTSTP),
    ("TTIN", libc::SIGTTIN),
    ("TTOU", libc::SIGTTOU),
    ("URG", libc::SIGURG),
    ("USR1", libc::SIGUSR1),
    ("USR2", libc::SIGUSR2),
    ("VTALRM", libc::SIGVTALRM),
    ("WINCH", libc::SIGWINCH),
    ("XCPU", libc::SIGXCPU),
    ("XFSZ", libc::SIGXFSZ),
];

/// Reads a signal's name, with or without `SIG`, or its number; also `RTMIN+n` and `RTMAX-n`.
pub fn parse(text: &str) -> Option<i32> {
    if let Ok(number) = text.parse::<i32>() {
        return (1..=libc::SIGRTMAX()).contains(&number).then_some(number);
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some((_, number)) = NAMES.iter().find(|(known, _)| *known == name) {
        return Some(*number);
    }
    let offset = |rest: &str, sign: char| match rest {
        "" => Some(0),
        rest => rest.strip_prefix(sign)?.parse::<i32>().ok(),
    };
    let number = match (name.strip_prefix("RTMIN"), name.strip_prefix("RTMAX")) {
        (Some(rest), _) => libc::SIGRTMIN() + offset(rest, '+')?,
        (None, Some(rest)) => libc::SIGRTMAX() - offset(rest, '-')?,
        (None, None) => return None,
    };
    (libc::SIGRTMIN()..=libc::SIGRTMAX()).contains(&number).then_some(number)
}

/// Sends `signal` to `process`; one that is gone gets none.
pub(crate) fn send(process: Pid, signal: i32) {
    #[expect(unsafe_code, reason = "rustix has no signals of the real-time kind")]
    // SAFETY: kill only takes numbers.
    unsafe {
        libc::kill(process.as_raw_pid(), signal);
    }
}

/// Blocks every signal, and returns the set of them.
pub(crate) fn block_all() -> libc::sigset_t {
    let mut set = empty();
    #[expect(unsafe_code, reason = "signal masks have no safe form")]
    // SAFETY: `set` is initialised and outlives the calls.
    unsafe {
        libc::sigfillset(&raw mut set);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut());
    }
    set
}

/// Blocks `signals`, and returns the set of them.
pub(crate) fn block(signals: &[i32]) -> libc::sigset_t {
    let mut set = empty();
    #[expect(unsafe_code, reason = "signal masks have no safe form")]
    // SAFETY: `set` is initialised and outlives the calls.
    unsafe {
        for signal in signals {
            libc::sigaddset(&raw mut set, *signal);
        }
        libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
    }
    set
}

/// Waits for a signal of `set`, which is blocked.
pub(crate) fn wait(set: &libc::sigset_t) -> i32 {
    loop {
        #[expect(unsafe_code, reason = "waiting for signals has no safe form")]
        // SAFETY: `set` is initialised; nothing is asked about the signal.
        let signal = unsafe { libc::sigwaitinfo(std::ptr::from_ref(set), std::ptr::null_mut()) };
        if signal > 0 {
            return signal;
        }
    }
}

/// Blocks none and ignores none, as a command expects to be started: Rust's own start ignores SIGPIPE, and
/// whoever started Berth may ignore more (nohup), which a shell could then never trap.
pub(crate) fn as_in_a_new_process() {
    let none = empty();
    #[expect(unsafe_code, reason = "signal masks have no safe form")]
    // SAFETY: `none` is initialised; only default handlers are set.
    unsafe {
        for signal in 1..=libc::SIGRTMAX() {
            // Those that can't be handled are refused, and have no other way.
            libc::signal(signal, libc::SIG_DFL);
        }
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

fn empty() -> libc::sigset_t {
    #[expect(unsafe_code, reason = "a set of signals has no safe form")]
    // SAFETY: sigemptyset initialises the set.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_read_by_name_and_number() {
        for (text, number) in [("TERM", 15), ("sigkill", 9), ("9", 9), ("SIGRTMIN+3", 37), ("RTMAX", 64)] {
            assert_eq!(parse(text), Some(number), "{text}");
        }
        for text in ["", "0", "65", "SIG", "FOO", "RTMIN+40", "RTMAX+1"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
