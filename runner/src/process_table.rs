//! Processes of the host, told apart from later ones of the same number.

/// When process `pid` started, in the kernel's ticks since the machine did.
pub(crate) fn start_time(pid: i32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may contain anything; the 20th field after it is the time.
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}
