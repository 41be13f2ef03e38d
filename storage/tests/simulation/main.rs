//! The store's logic in a simulation: clients, collectors, crashes and faults in an order that a seed
//! decides, on a real SQLite and a blob store in memory, with what must hold looked at after every step.
//!
//! `BERTH_SIMULATION_SEEDS=FIRST..END` plays other seeds than the few of a test run.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod clients;
mod content;
mod expectations;
mod invariants;
mod pairs;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use berth_storage::testing::simulation::Template;
use world::World;

/// What a test run plays; `.ci/run` and `.ci/nightly` play more.
const A_FEW: (u64, u64) = (0, 400);

fn seeds() -> (u64, u64) {
    let Ok(text) = std::env::var("BERTH_SIMULATION_SEEDS") else { return A_FEW };
    let range = text.split_once("..").and_then(|(first, end)| Some((first.parse().ok()?, end.parse().ok()?)));
    range.unwrap_or_else(|| panic!("BERTH_SIMULATION_SEEDS is FIRST..END, not {text}"))
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_unneeded_is_kept() {
    let (first, end) = seeds();
    let started = Instant::now();
    let (next, steps) = (AtomicU64::new(first), AtomicU64::new(0));
    let failed = AtomicU64::new(u64::MAX);
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                let template = Template::new().unwrap();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end || failed.load(Ordering::Relaxed) != u64::MAX {
                        return;
                    }
                    match catch_unwind(AssertUnwindSafe(|| World::new(&template, seed).play())) {
                        Ok(played) => drop(steps.fetch_add(played, Ordering::Relaxed)),
                        Err(_) => failed.store(seed, Ordering::Relaxed),
                    }
                }
            });
        }
    });
    let steps = steps.load(Ordering::Relaxed);
    eprintln!("seeds {first}..{end}: {steps} steps in {:.1} s", started.elapsed().as_secs_f64());
    let failed = failed.load(Ordering::Relaxed);
    assert_eq!(
        failed,
        u64::MAX,
        "again: BERTH_SIMULATION_SEEDS={failed}..{} cargo test -p berth-storage --features testing --test simulation nothing",
        failed.wrapping_add(1),
    );
    assert!(steps > (end - first) * 10, "{steps} steps are hardly any");
}
