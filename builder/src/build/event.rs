//! What happens during a build, told while it does.

use std::time::Duration;

/// Something that has just happened to a step.
#[derive(Debug, Clone, Copy)]
pub struct Event<'e> {
    /// The step's number, from 1, in the order in which steps began.
    pub step: usize,
    /// What it is shown as, such as `[2/3] RUN make`.
    pub name: &'e str,
    /// What happened.
    pub what: What<'e>,
}

/// What happened to a step.
#[derive(Debug, Clone, Copy)]
pub enum What<'e> {
    /// It began.
    Began,
    /// Its command said a line, so long after it began.
    Said(&'e str, Duration),
    /// Its layer is here from an earlier build.
    Cached,
    /// It is done, and took so long.
    Done(Duration),
    /// It failed.
    Failed,
}

/// Whoever is told, from several threads.
pub type Tell<'t> = &'t (dyn Fn(Event<'_>) + Sync);
