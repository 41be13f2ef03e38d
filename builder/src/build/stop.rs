//! Stopping a build from another thread, and all its stages when one fails.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use berth_runner::Killer;

/// Stops a build.
#[derive(Debug, Default)]
pub struct Stop {
    is_asked: AtomicBool,
    commands: Mutex<Commands>,
}

#[derive(Debug, Default)]
struct Commands {
    killers: HashMap<u64, Killer>,
    next: u64,
}

/// A command that is killed when the build is stopped, as long as this is held.
pub(super) struct Watched<'s> {
    stop: &'s Stop,
    number: u64,
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.stop.commands().killers.remove(&self.number);
    }
}

impl Stop {
    /// Ends it: commands that run are killed, and no step begins any more.
    pub fn stop(&self) {
        self.is_asked.store(true, Ordering::SeqCst);
        self.commands().killers.values().for_each(Killer::kill);
    }

    /// Whether it was asked for.
    pub fn is_asked(&self) -> bool {
        self.is_asked.load(Ordering::SeqCst)
    }

    /// Has `killer` used when the build is stopped.
    pub(super) fn watch(&self, killer: Killer) -> Watched<'_> {
        let mut commands = self.commands();
        // Asked under the lock: whoever stops it comes before, and is seen, or after, and sees this one.
        if self.is_asked() {
            killer.kill();
        }
        let number = commands.next;
        commands.next += 1;
        commands.killers.insert(number, killer);
        Watched { stop: self, number }
    }

    fn commands(&self) -> MutexGuard<'_, Commands> {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
