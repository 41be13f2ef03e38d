//! Time as the store keeps it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment, in microseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The moment `time`.
    pub fn from_system(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    /// What this machine's own clock shows.
    pub(crate) fn own() -> Self {
        Self::from_system(SystemTime::now())
    }

    /// The moment `duration` later.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// The moment `duration` earlier.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// Whole seconds since the Unix epoch.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }
}

/// This machine's clock, moved to show what a database's does: processes that share the database then
/// agree on what has run out. Its clones move together.
#[derive(Debug, Clone, Default)]
pub struct SharedClock {
    /// How far the database is ahead, in microseconds.
    ahead: Arc<AtomicI64>,
}

impl SharedClock {
    /// The clock as the store takes it.
    pub fn clock(&self) -> Clock {
        let ahead = Arc::clone(&self.ahead);
        Arc::new(move || Timestamp(Timestamp::own().0.saturating_add(ahead.load(Ordering::Relaxed))))
    }

    /// Shows what a database's clock does: asked at `asked_at` of the own clock it showed `shown`, and
    /// answers now.
    pub(crate) fn follow(&self, asked_at: Timestamp, shown: Timestamp) {
        let between = asked_at.0.midpoint(Timestamp::own().0);
        self.ahead.store(shown.0.saturating_sub(between), Ordering::Relaxed);
    }
}

/// Where the store takes the present moment from, so that tests may hold it.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;
