//! A server's process: its CPU time, its memory, and its end, whatever becomes of the benches.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

static RUNNING: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// A child, and the children it may have (nginx's workers).
pub(crate) struct Process {
    child: Child,
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let mut running = RUNNING.lock().expect("no panic while held");
        let child = command.spawn().with_context(|| format!("running {:?}", command.get_program()))?;
        running.push(child.id());
        Ok(Self { child })
    }

    pub(crate) fn is_running(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
    }

    /// CPU seconds spent so far, in user and kernel mode, by all threads.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        let mut ticks = 0_u64;
        for id in self.family()? {
            let stat = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
            // The name in parentheses may hold spaces; utime and stime are the 12th and 13th words after it.
            let words = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
            let times = words.split_whitespace().skip(11).take(2);
            ticks += times.filter_map(|word| word.parse::<u64>().ok()).sum::<u64>();
        }
        Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
    }

    /// Memory in use now, MiB.
    pub(crate) fn rss_mib(&self) -> Result<f64> {
        self.status("VmRSS:")
    }

    /// The most memory used since the last `reset_peak`, MiB.
    pub(crate) fn peak_rss_mib(&self) -> Result<f64> {
        self.status("VmHWM:")
    }

    pub(crate) fn reset_peak(&self) -> Result<()> {
        for id in self.family()? {
            std::fs::write(format!("/proc/{id}/clear_refs"), "5").context("resetting the peak of memory")?;
        }
        Ok(())
    }

    /// Asks it to end, and makes it end after ten seconds.
    pub(crate) fn stop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            // Its id may be another's by now.
            RUNNING.lock().expect("no panic while held").retain(|&id| id != self.child.id());
            return;
        }
        let family = self.family().unwrap_or_default();
        signal(self.child.id(), Signal::TERM);
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(2));
        }
        if matches!(self.child.try_wait(), Ok(None)) {
            family.into_iter().for_each(|id| signal(id, Signal::KILL));
        }
        // An error means that it is gone already.
        let _ = self.child.wait();
        RUNNING.lock().expect("no panic while held").retain(|&id| id != self.child.id());
    }

    fn family(&self) -> Result<Vec<u32>> {
        let id = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?;
        let children = children.split_whitespace().filter_map(|word| word.parse().ok());
        Ok(std::iter::once(id).chain(children).collect())
    }

    fn status(&self, label: &str) -> Result<f64> {
        let mut kib = 0.0;
        for id in self.family()? {
            let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
            let line = status.lines().find_map(|line| line.strip_prefix(label));
            let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
            kib += number.and_then(|number| number.parse::<f64>().ok()).context("reading memory use")?;
        }
        Ok(kib / 1024.0)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

/// On Ctrl-C and the like: ends every server by its id, removes the data, and leaves.
pub(crate) fn stop_all_when_interrupted(root: PathBuf) -> Result<()> {
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    std::thread::spawn(move || {
        if let Some(number) = signals.forever().next() {
            // Held until the end, so that nothing is started meanwhile.
            let running = RUNNING.lock().expect("no panic while held");
            running.iter().for_each(|&id| signal(id, Signal::TERM));
            remove(&root);
            std::process::exit(128 + number);
        }
    });
    Ok(())
}

/// Servers that are still ending may write once more, so it is tried for a while.
fn remove(root: &Path) {
    for _ in 0..50 {
        match std::fs::remove_dir_all(root) {
            Err(_) if root.exists() => std::thread::sleep(Duration::from_millis(20)),
            _ => return,
        }
    }
}

fn signal(id: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(id).ok().and_then(Pid::from_raw) {
        // It may have ended by itself.
        let _ = kill_process(pid, signal);
    }
}
