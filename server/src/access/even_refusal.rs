//! The time of a refusal, which must not tell a repository that exists from one that does not.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Longer than finding, reading and evaluating the longest policy takes, also on a busy machine.
const LOOKED_UP: Duration = Duration::from_millis(5);

/// Waits until it can't be told any more what was looked up since `began`: a policy in memory, one in
/// the database, one that had to be parsed, or none.
pub(crate) async fn refuse_evenly(began: Instant) {
    sleep_until(began + LOOKED_UP).await;
}
