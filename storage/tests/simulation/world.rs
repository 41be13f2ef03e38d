//! One play: a store, those who use it, and a seed that decides everything.

use std::sync::Arc;
use std::time::Duration;

use berth_storage::testing::simulation::{
    Ground, MemoryBlobStore, Scheduler, Step, Template, Turn, seed_ids,
};
use berth_storage::testing::{TestClock, options};
use berth_storage::{Delays, Metadata, Registry, Row};
use parking_lot::Mutex;
use tokio::runtime::{Builder, Runtime};

use crate::clients::{Client, WINDOW, any_deed};
use crate::expectations::Expectations;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// How many clients use the store at once, at most.
const CLIENTS: usize = 4;
/// How many deeds each does, at most.
const DEEDS: usize = 7;
/// No play needs more steps.
const TOO_MANY: u64 = 20_000;

/// A store, between the crashes of its processes.
pub(crate) struct World {
    seed: u64,
    random: fastrand::Rng,
    process: Process,
    /// One in so many calls fails; 0: none.
    faults: u32,
    /// One in so many steps is the last of its process; 0: none.
    crashes: u32,
    steps: u64,
}

/// What a process has, and what outlives it.
pub(crate) struct Process {
    pub(crate) ground: Ground,
    pub(crate) clock: TestClock,
    pub(crate) expectations: Arc<Mutex<Expectations>>,
    metadata: Metadata,
}

/// How a process ended.
enum End {
    Done,
    Crash,
}

impl World {
    pub(crate) fn new(template: &Template, seed: u64) -> Self {
        seed_ids(seed);
        let mut random = fastrand::Rng::with_seed(seed);
        let faults = [0, 0, 0, 40, 10][random.usize(..5)];
        let crashes = [0, 0, 150, 40][random.usize(..4)];
        Self { seed, random, process: Process::new(template), faults, crashes, steps: 0 }
    }

    /// Plays to the end; gives how many steps there were.
    pub(crate) fn play(mut self) -> u64 {
        loop {
            // A process of its own: what it leaves running ends with it.
            let runtime = quiet_runtime();
            let end = runtime.block_on(self.live());
            drop(runtime);
            match end {
                End::Done => break,
                End::Crash => self.process.crash(),
            }
        }
        self.faults = 0;
        self.settle_down();
        self.steps
    }

    /// Some clients do something, until they are done or the process dies.
    async fn live(&mut self) -> End {
        let registry = self.process.open();
        let clients = 1 + self.random.usize(..CLIENTS);
        let mut running = Vec::new();
        for _ in 0..clients {
            let client = self.process.client(&registry);
            let deeds: Vec<_> =
                (0..1 + self.random.usize(..DEEDS)).map(|_| any_deed(&mut self.random)).collect();
            running.push(tokio::spawn(async move {
                for deed in deeds {
                    client.does(deed).await;
                }
            }));
        }
        drop(registry);
        loop {
            self.process.ground.scheduler.settle().await;
            let waiting = self.process.ground.scheduler.waiting();
            if waiting.is_empty() {
                for client in running {
                    client.await.unwrap();
                }
                return End::Done;
            }
            let place = self.random.usize(..waiting.len());
            let turn = if self.faults > 0 && self.random.u32(..self.faults) == 0 {
                if self.random.bool() { Turn::FailBefore } else { Turn::FailAfter }
            } else {
                Turn::Pass
            };
            self.step(place, waiting[place], turn).await;
            if self.random.u32(..12) == 0 {
                let time = self.some_time();
                self.process.clock.advance(time);
            }
            if self.crashes > 0 && self.random.u32(..self.crashes) == 0 {
                for client in running.into_iter().filter(tokio::task::JoinHandle::is_finished) {
                    client.await.unwrap();
                }
                return End::Crash;
            }
        }
    }

    async fn step(&mut self, place: usize, step: Step, turn: Turn) {
        self.steps += 1;
        assert!(self.steps < TOO_MANY, "seed {} never ends", self.seed);
        self.process.ground.scheduler.release(place, turn);
        self.process.ground.scheduler.settle().await;
        match step {
            Step::Write | Step::Bytes => self.process.check(),
            Step::Read | Step::ReadBytes => {}
        }
    }

    fn some_time(&mut self) -> Duration {
        match self.random.u32(..20) {
            0 => DAY * (1 + self.random.u32(..31)),
            1..4 => HOUR * (1 + self.random.u32(..24)),
            4..10 => Duration::from_secs(60 * u64::from(self.random.u32(..60))),
            _ => Duration::from_secs(u64::from(self.random.u32(..30))),
        }
    }

    /// Everybody has gone, all delays pass, and only the sweeps work.
    fn settle_down(&mut self) {
        let runtime = quiet_runtime();
        runtime.block_on(async {
            let registry = self.process.open();
            // The longest: a session that was left.
            for _ in 0..110 {
                self.process.clock.advance(DAY);
                let sweeping = tokio::spawn({
                    let registry = registry.clone();
                    async move { registry.sweep().await.map(drop) }
                });
                while !sweeping.is_finished() {
                    self.process.ground.scheduler.settle().await;
                    if !self.process.ground.scheduler.waiting().is_empty() {
                        self.steps += 1;
                        self.process.ground.scheduler.release(0, Turn::Pass);
                    }
                }
                sweeping.await.unwrap().unwrap();
            }
            self.process.check();
            self.process.nothing_unneeded_is_left();
        });
    }
}

/// One thread; what it waits for by the clock never comes in so short a time.
pub(crate) fn quiet_runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

impl Process {
    pub(crate) fn new(template: &Template) -> Self {
        let scheduler = Arc::new(Scheduler::default());
        let blobs = MemoryBlobStore::new(Arc::clone(&scheduler));
        let metadata = Metadata::open_inline(template.copy().unwrap(), Arc::clone(&scheduler));
        let ground = Ground { blobs, scheduler };
        Self { ground, clock: TestClock::new(), expectations: Arc::default(), metadata }
    }

    /// The registry of a process that starts on what the last one left.
    pub(crate) fn open(&mut self) -> Registry<MemoryBlobStore> {
        let mut options = options(&self.clock);
        // No process of this world sleeps for longer than a session lives.
        options.uploads_expire_after = 100 * DAY;
        options.delays = Delays { unreferenced: WINDOW, untagged: Some(30 * DAY) };
        let scheduler = Arc::clone(&self.ground.scheduler);
        let opened = Registry::open_inline(&self.metadata, scheduler, self.ground.blobs.clone(), options);
        let (registry, metadata) = opened.unwrap();
        self.metadata = metadata;
        registry
    }

    pub(crate) fn client(&self, registry: &Registry<MemoryBlobStore>) -> Client {
        Client {
            registry: registry.clone(),
            clock: self.clock.clone(),
            expectations: Arc::clone(&self.expectations),
        }
    }

    /// What is left of the process: nothing that was not durable.
    pub(crate) fn crash(&self) {
        self.ground.blobs.crash();
        self.expectations.lock().crash();
    }

    /// What a statement finds now.
    pub(crate) fn rows(&self, sql: &'static str) -> Vec<Row> {
        self.metadata.look(sql).unwrap()
    }
}
