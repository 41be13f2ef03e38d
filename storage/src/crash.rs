//! Places at which a process can be made to die, so that tests see what it leaves there.

/// Each place: what was just done there, before what belongs to it was done to the other store, or was
/// answered.
pub const CRASH_POINTS: [&str; 15] = [
    "upload.begun",
    "upload.appended",
    "upload.synced",
    "upload.saved",
    "upload.claimed",
    "upload.sealed",
    "upload.finished",
    "manifest.put",
    "manifest.deleted",
    "uploads.expired",
    "reviews.taken",
    "reviews.looked",
    "condemned.taken",
    "condemned.cleared",
    "condemned.forgotten",
];

/// Ends the process as a kill would, if it is of a debug build that was started with
/// `BERTH_CRASH_AT=<point>:<n>` and is here for the nth time.
#[cfg(debug_assertions)]
pub(crate) fn crash_point(point: &'static str) {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static CHOSEN: LazyLock<Option<(String, u64)>> = LazyLock::new(|| {
        let chosen = std::env::var("BERTH_CRASH_AT").ok()?;
        let (point, time) = chosen.split_once(':')?;
        Some((point.to_owned(), time.parse().ok()?))
    });
    static TIMES: AtomicU64 = AtomicU64::new(0);

    debug_assert!(CRASH_POINTS.contains(&point), "{point} is in the list");
    if let Some((chosen, time)) = &*CHOSEN
        && chosen == point
        && TIMES.fetch_add(1, Ordering::Relaxed) + 1 == *time
    {
        std::process::abort();
    }
}

/// Nothing, in what is released.
#[cfg(not(debug_assertions))]
pub(crate) const fn crash_point(_: &'static str) {}
