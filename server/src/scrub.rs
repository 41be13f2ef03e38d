//! Hashes every blob again, slowly, so that damage is known before somebody pulls it.

use std::time::Duration;

use berth_storage::{Lease, Leased, Pace, Scrubbed};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tracing::{info, warn};

use crate::config::ScrubConfig;
use crate::error::Error;
use crate::presence;
use crate::state::App;

/// How often somebody who rests looks whether there is something to do.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long after one process was last heard of another does it.
const LASTS: Duration = Duration::from_secs(60);

/// Scrubs, again and again; of several processes one does.
pub(crate) async fn keep(app: App, config: ScrubConfig, mut stopped: watch::Receiver<()>) {
    let holder = presence::holder(&app.folder);
    let lease = Lease { name: "scrub".into(), shown: holder.clone(), holder, lasts: LASTS };
    let mut throttle = Throttle::to(config.bytes_per_second);
    let mut tick = interval(LOOK_EVERY.min(config.every).max(Duration::from_millis(100)));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            _ = stopped.changed() => break,
        }
        count_damaged(&app).await;
        if config.bytes_per_second == 0 {
            continue;
        }
        tokio::select! {
            scrubbed = scrub(&app, &config, &lease, &mut throttle) => if let Err(error) = scrubbed {
                warn!(%error, "looking for damaged blobs failed; trying again");
            },
            _ = stopped.changed() => break,
        }
    }
    if let Err(error) = app.registry.records().give_back(lease.name, lease.holder).await {
        warn!(%error, "the lease of the scrub stays until it runs out");
    }
}

/// Scrubs until the round is over, if nobody else does.
async fn scrub(app: &App, config: &ScrubConfig, lease: &Lease, throttle: &mut Throttle) -> Result<(), Error> {
    while app.registry.scrub_is_due(config.every).await? && holds(app, lease).await? {
        let scrubbed = tokio::select! {
            scrubbed = app.registry.scrub(config.every, throttle) => scrubbed?,
            lost = keep_holding(app, lease) => return lost,
        };
        if scrubbed.blobs == 0 {
            return Ok(());
        }
        app.metrics.scrubbed.inc_by(scrubbed.bytes);
        if scrubbed.damaged + scrubbed.sound_again > 0 {
            let Scrubbed { damaged, sound_again, .. } = scrubbed;
            info!(damaged, sound_again, "hashed blobs again");
            count_damaged(app).await;
        }
    }
    Ok(())
}

async fn holds(app: &App, lease: &Lease) -> Result<bool, Error> {
    Ok(app.registry.records().lease(lease.clone(), app.registry.now()).await? == Leased::Yes)
}

/// Returns when somebody else has it, or nobody can be asked.
async fn keep_holding(app: &App, lease: &Lease) -> Result<(), Error> {
    loop {
        tokio::time::sleep(LASTS / 3).await;
        if !holds(app, lease).await? {
            return Ok(());
        }
    }
}

async fn count_damaged(app: &App) {
    if let Ok(damaged) = app.registry.damaged_blobs().await {
        app.metrics.blobs_damaged.set(i64::try_from(damaged).unwrap_or(i64::MAX));
    }
}

/// So many bytes in a second, on the average, and no more at once.
struct Throttle {
    bytes_per_second: f64,
    next: Instant,
}

impl Throttle {
    #[expect(clippy::cast_precision_loss, reason = "nobody counts single bytes of so many")]
    fn to(bytes_per_second: u64) -> Self {
        Self { bytes_per_second: bytes_per_second.max(1) as f64, next: Instant::now() }
    }
}

impl Throttle {
    /// When more may be read than these bytes.
    #[expect(clippy::cast_precision_loss, reason = "a piece is no larger than a buffer")]
    fn after(&mut self, bytes: u64, now: Instant) -> Instant {
        let takes = Duration::from_secs_f64(bytes as f64 / self.bytes_per_second);
        self.next = self.next.max(now) + takes;
        self.next
    }
}

impl Pace for Throttle {
    async fn read(&mut self, bytes: u64) {
        sleep_until(self.after(bytes, Instant::now())).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_megabyte_at_a_quarter_a_second_takes_four_seconds() {
        let (mut throttle, began) = (Throttle::to(250_000), Instant::now());
        let mut now = began;
        for _ in 0..10 {
            now = throttle.after(100_000, now);
        }
        let took = (now - began).as_secs_f64();
        assert!((3.99..4.02).contains(&took), "{took}");
    }

    #[test]
    fn what_was_not_read_while_it_rested_is_not_made_up_for() {
        let (mut throttle, began) = (Throttle::to(1000), Instant::now());
        let later = began + Duration::from_secs(3600);
        assert_eq!(throttle.after(1000, later) - later, Duration::from_secs(1));
    }
}
