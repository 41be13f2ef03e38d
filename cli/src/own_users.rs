//! An ordinary user's own users: a namespace in which whoever calls is root, and the ids that the system has
//! given them (`/etc/subuid`, `/etc/subgid`) are everybody else. Files of images belong to those.
//!
//! A process that has threads can't enter one, and may not write the map of more than itself. So the command
//! runs again as a child, which enters the namespace before anything else, and waits for this process to have
//! its ids mapped by `newuidmap` and `newgidmap`.

use std::env;
use std::fs;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::path::PathBuf;
use std::process::{Command, ExitCode, ExitStatus};

use rustix::process::{getegid, geteuid};
use rustix::thread::UnshareFlags;

/// Tells the child which descriptors to use: what it says, what it hears.
const CHILD: &str = "BERTH_OWN_USERS";

/// Enters the namespace, where this is the child that is to. Called before there is any thread.
pub(crate) fn enter_if_child() -> Result<(), String> {
    let Some(value) = env::var_os(CHILD) else { return Ok(()) };
    let text = value.into_string().unwrap_or_default();
    let numbers: Option<(RawFd, RawFd)> =
        text.split_once(',').and_then(|(said, heard)| Some((said.parse().ok()?, heard.parse().ok()?)));
    let Some((said, heard)) = numbers else { return Err(format!("{CHILD} is not to be set by hand")) };
    #[expect(unsafe_code, reason = "descriptors that were passed on have no safe form")]
    // SAFETY: the parent passed them for this alone, and nothing has used them; no other thread runs yet.
    let (mut said, mut heard, entered) = unsafe {
        env::remove_var(CHILD);
        let (said, heard) = (OwnedFd::from_raw_fd(said), OwnedFd::from_raw_fd(heard));
        let entered = rustix::thread::unshare_unsafe(UnshareFlags::NEWUSER);
        (PipeWriter::from(said), PipeReader::from(heard), entered)
    };
    entered
        .map_err(|error| format!("making a user namespace: {error}; the system may forbid it to users"))?;
    said.write_all(b"1").map_err(|error| format!("entering a user namespace: {error}"))?;
    let mut mapped = [0];
    heard.read_exact(&mut mapped).map_err(|_| "the ids of this user could not be mapped".to_owned())?;
    // Whoever kills the command means this process.
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .map_err(|error| format!("entering a user namespace: {error}"))
}

/// Runs this very command as root of the user's own namespace, and returns how it ended; none for root, who
/// needs none. It finds `data` where it would have found it here.
pub(crate) fn run_inside(data: Option<PathBuf>) -> Result<Option<ExitCode>, String> {
    if geteuid().is_root() {
        return Ok(None);
    }
    let failed = |what: &str| {
        let what = what.to_owned();
        move |error: io::Error| format!("{what}: {error}")
    };
    let (mut hears, says) = io::pipe().map_err(failed("making a pipe"))?;
    let (heard, mut tells) = io::pipe().map_err(failed("making a pipe"))?;
    for end in [says.as_raw_fd(), heard.as_raw_fd()] {
        keep_at_exec(end).map_err(failed("passing a pipe on"))?;
    }
    let program = env::current_exe().map_err(failed("finding the own program"))?;
    let mut command = Command::new(program);
    command.args(env::args_os().skip(1));
    command.env(CHILD, format!("{},{}", says.as_raw_fd(), heard.as_raw_fd()));
    if let Some(data) = data.filter(|_| env::var_os("BERTH_DATA").is_none_or(|data| data.is_empty())) {
        command.env("BERTH_DATA", data);
    }
    let mut child = command.spawn().map_err(failed("starting in a user namespace"))?;
    drop((says, heard));
    let mut entered = [0];
    if hears.read_exact(&mut entered).is_ok() {
        map(child.id())?;
        // A child that has ended says so by its status.
        let _ = tells.write_all(b"1");
    }
    drop(tells);
    let status = child.wait().map_err(failed("waiting for the own process"))?;
    Ok(Some(code(status)))
}

fn code(status: ExitStatus) -> ExitCode {
    use std::os::unix::process::ExitStatusExt;
    let number = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    ExitCode::from(u8::try_from(number).unwrap_or(1))
}

fn keep_at_exec(descriptor: RawFd) -> io::Result<()> {
    #[expect(unsafe_code, reason = "a number is what the child gets")]
    // SAFETY: the pipe's owner outlives this call.
    let descriptor = unsafe { std::os::fd::BorrowedFd::borrow_raw(descriptor) };
    Ok(rustix::io::fcntl_setfd(descriptor, rustix::io::FdFlags::empty())?)
}

/// Maps this user to root, and the ids the system gave this user to 1 and on. Without any, to root alone.
fn map(process: u32) -> Result<(), String> {
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    let name = name_of(uid);
    for (tool, file, own) in [("newuidmap", "/etc/subuid", uid), ("newgidmap", "/etc/subgid", gid)] {
        let mut ids = vec![0.to_string(), own.to_string(), 1.to_string()];
        let mut next = 1_u64;
        for (first, count) in ranges(&fs::read_to_string(file).unwrap_or_default(), &name, uid) {
            ids.extend([next.to_string(), first.to_string(), count.to_string()]);
            next += count;
        }
        if next == 1 {
            write_own(process, tool, own)?;
            continue;
        }
        let output = Command::new(tool).arg(process.to_string()).args(ids).output();
        let output =
            output.map_err(|error| format!("running {tool}: {error}; install the package uidmap"))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(format!("{tool} refuses the ids of {file}: {said}"));
        }
    }
    Ok(())
}

/// Maps one id alone, which everybody may.
fn write_own(process: u32, tool: &str, own: u32) -> Result<(), String> {
    let write = |file: &str, text: String| {
        let path = format!("/proc/{process}/{file}");
        fs::write(&path, text).map_err(|error| format!("writing {path}: {error}"))
    };
    if tool == "newuidmap" {
        return write("uid_map", format!("0 {own} 1\n"));
    }
    write("setgroups", "deny\n".to_owned())?;
    write("gid_map", format!("0 {own} 1\n"))
}

/// The name of a user, as `/etc/passwd` has it.
fn name_of(uid: u32) -> String {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let of_uid = |line: &&str| line.split(':').nth(2) == Some(uid.to_string().as_str());
    passwd.lines().find(of_uid).and_then(|line| line.split(':').next()).unwrap_or_default().to_owned()
}

/// The first id and the number of each range that `text` gives a user, by name or number.
fn ranges(text: &str, name: &str, uid: u32) -> Vec<(u64, u64)> {
    let own = |line: &str| {
        let mut fields = line.trim().split(':');
        let who = fields.next()?;
        let is_own = !who.is_empty() && (who == name || who == uid.to_string());
        let (first, count) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        (is_own && count > 0).then_some((first, count))
    };
    text.lines().filter_map(own).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_the_user_by_name_or_number() {
        let text = "root:1:2\nalice:100000:65536\n# a comment\n1000:300000:10\nalice:x:1\nbob:5:5\n:7:7\n";
        assert_eq!(ranges(text, "alice", 1000), [(100_000, 65536), (300_000, 10)]);
        assert_eq!(ranges(text, "", 77), []);
    }
}
