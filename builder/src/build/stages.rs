//! Stages side by side: each in a thread, which waits for those that it needs.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, PoisonError};

use berth_oci::Platform;

use super::snapshot::Snapshot;
use super::steps::Builder;
use super::wrong::Error;
use crate::dockerfile::Refusal;
use crate::image::Draft;
use crate::plan::{Plan, PlannedStage};

/// What came of a stage.
pub(super) type Outcome<'g> = (Draft<'g>, Snapshot);

/// What came of stages so far.
#[derive(Default)]
pub(super) struct Outcomes<'g> {
    done: Mutex<HashMap<usize, Result<Outcome<'g>, ()>>>,
    changed: Condvar,
}

impl<'g> Outcomes<'g> {
    /// Waits for a stage; nothing if it failed.
    pub(super) fn wait_for(&self, number: usize) -> Option<Outcome<'g>> {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(outcome) = done.get(&number) {
                return outcome.clone().ok();
            }
            done = self.changed.wait(done).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn is(&self, number: usize, outcome: Result<Outcome<'g>, ()>) {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).insert(number, outcome);
        self.changed.notify_all();
    }
}

/// Builds the target and what it needs. The first failure stops all.
pub(super) fn build<'g>(builder: &Builder<'g>, plan: &Plan) -> Result<Outcome<'g>, Error> {
    let outcomes = Outcomes::default();
    let first = Mutex::new(None);
    let one = |number: usize| {
        let outcome = plan
            .waits_for(number)
            .into_iter()
            // Its own failure is told by itself.
            .try_for_each(|other| outcomes.wait_for(other).map(drop).ok_or(Error::Stopped))
            .and_then(|()| builder.stage(plan, number, &outcomes));
        let outcome = outcome.map_err(|error| {
            let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
            // What was only stopped isn't why.
            if !matches!((&*first, &error), (Some(_), _) | (None, Error::Stopped)) {
                *first = Some(error);
            }
            builder.stop.stop();
        });
        outcomes.is(number, outcome);
    };
    let order = plan.order()?;
    std::thread::scope(|scope| {
        for number in order {
            scope.spawn(move || one(number));
        }
    });
    match (outcomes.wait_for(plan.target()), first.into_inner().unwrap_or_else(PoisonError::into_inner)) {
        (_, Some(error)) => Err(error),
        (Some(outcome), None) => Ok(outcome),
        (None, None) => Err(Error::Stopped),
    }
}

/// Refuses a stage for another platform than this machine's.
pub(super) fn check_platform(stage: &PlannedStage, own: &Platform) -> Result<(), Error> {
    let Some(wanted) = stage.platform.as_deref() else { return Ok(()) };
    let own = format!("{}/{}", own.os, own.architecture);
    if wanted == own || wanted.strip_prefix(&own).is_some_and(|rest| rest.starts_with('/')) {
        return Ok(());
    }
    let what = format!("--platform={wanted} is not this machine's, which is {own}");
    let refusal = Refusal::new(what, "leave it out, or build on a machine of that kind");
    Err(refusal.at(stage.lines).into())
}
