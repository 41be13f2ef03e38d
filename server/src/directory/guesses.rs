//! Wrong logins, counted, so that nobody can try passwords for long.
//!
//! Counted by the client's address, and by address and user name together; never by the name alone,
//! as then any stranger could lock its owner out.

use std::convert::Infallible;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use berth_storage::Timestamp;
use quick_cache::sync::Cache;

/// How many addresses, and names at addresses, are remembered: some MiB at most.
const REMEMBERED: usize = 10_000;

/// So many wrong logins at once, and then one in each interval.
struct Allowance {
    burst: u32,
    interval: Duration,
}

/// Of one user name from one address: a person who mistypes never meets it.
const PER_USER: Allowance = Allowance { burst: 10, interval: Duration::from_secs(10) };
/// Of all names from one address, which many people may share.
const PER_ADDRESS: Allowance = Allowance { burst: 50, interval: Duration::from_secs(2) };

/// The wrong logins of late.
pub(super) struct Guesses {
    hasher: RandomState,
    by_user: Cache<u64, Bucket>,
    by_address: Cache<u64, Bucket>,
}

/// When, in microseconds since the epoch, all that was taken will have been given back.
type Bucket = Arc<AtomicI64>;

/// A login that is being tried; counted as wrong unless it is [taken back](Self::take_back).
pub(super) struct Guess([(Bucket, i64); 2]);

impl Guesses {
    pub(super) fn new() -> Self {
        Self {
            hasher: RandomState::new(),
            by_user: Cache::new(REMEMBERED),
            by_address: Cache::new(REMEMBERED),
        }
    }

    /// Lets a login be tried, or says how long to wait before the next one.
    ///
    /// It is counted from its beginning: many at once are no way around.
    pub(super) fn begin(
        &self,
        user: &str,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Guess, Duration> {
        let address = address.map(network);
        // Hashed, so that long names take no memory.
        let by_address = bucket(&self.by_address, self.hasher.hash_one(address));
        let by_user = bucket(&self.by_user, self.hasher.hash_one((user, address)));
        let interval = PER_USER.take(&by_user, now)?;
        let of_user = (by_user, interval);
        match PER_ADDRESS.take(&by_address, now) {
            Ok(interval) => Ok(Guess([of_user, (by_address, interval)])),
            Err(wait) => {
                of_user.0.fetch_sub(of_user.1, Ordering::Relaxed);
                Err(wait)
            }
        }
    }
}

impl Guess {
    /// The login was right: it counts for nothing.
    pub(super) fn take_back(self) {
        for (bucket, taken) in self.0 {
            bucket.fetch_sub(taken, Ordering::Relaxed);
        }
    }
}

impl Allowance {
    /// Takes one; gives what was added to the bucket, or how long to wait for one.
    fn take(&self, bucket: &Bucket, now: Timestamp) -> Result<i64, Duration> {
        let interval = i64::try_from(self.interval.as_micros()).unwrap_or(i64::MAX);
        let most = now.0.saturating_add(interval.saturating_mul(i64::from(self.burst)));
        // Never more than all of it, also when the clock was set back.
        let held = |full_at: i64| full_at.clamp(now.0, most);
        let after = |full_at: i64| held(full_at).saturating_add(interval);
        let take = |full_at: i64| Some(if after(full_at) <= most { after(full_at) } else { held(full_at) });
        let before = bucket.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        let wait = after(before.unwrap_or_else(|unchanged| unchanged)).saturating_sub(most);
        match u64::try_from(wait) {
            Ok(wait) if wait > 0 => Err(Duration::from_micros(wait)),
            Ok(_) | Err(_) => Ok(interval),
        }
    }
}

fn bucket(buckets: &Cache<u64, Bucket>, key: u64) -> Bucket {
    match buckets.get_or_insert_with(&key, || Ok::<_, Infallible>(Bucket::default())) {
        Ok(bucket) => bucket,
    }
}

/// Of IPv6 the /64, which one client has to itself.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000_000);

    fn at(address: &str) -> Option<IpAddr> {
        Some(address.parse().unwrap())
    }

    /// Tries so many wrong logins and gives the first refusal.
    fn wrong(guesses: &Guesses, user: &str, address: &str, times: u32) -> Option<Duration> {
        (0..times).find_map(|_| guesses.begin(user, at(address), NOW).err())
    }

    #[test]
    fn the_eleventh_wrong_login_waits_and_one_more_is_let_in_each_interval() {
        let guesses = Guesses::new();
        assert_eq!(wrong(&guesses, "alice", "10.0.0.1", 10), None);
        assert_eq!(wrong(&guesses, "alice", "10.0.0.1", 1), Some(Duration::from_secs(10)));
        let later = NOW.after(Duration::from_secs(4));
        assert_eq!(guesses.begin("alice", at("10.0.0.1"), later).err(), Some(Duration::from_secs(6)));
        let later = NOW.after(Duration::from_secs(10));
        assert!(guesses.begin("alice", at("10.0.0.1"), later).is_ok());
        assert!(guesses.begin("alice", at("10.0.0.1"), later).is_err());
    }

    #[test]
    fn others_elsewhere_and_other_names_are_not_hindered() {
        let guesses = Guesses::new();
        assert!(wrong(&guesses, "alice", "10.0.0.1", 11).is_some());
        assert_eq!(wrong(&guesses, "alice", "10.0.0.2", 1), None);
        assert_eq!(wrong(&guesses, "bob", "10.0.0.1", 1), None);
    }

    #[test]
    fn many_names_from_one_address_share_one_allowance() {
        let guesses = Guesses::new();
        for name in 0..50 {
            assert_eq!(wrong(&guesses, &name.to_string(), "2001:db8::1", 1), None, "{name}");
        }
        assert_eq!(wrong(&guesses, "next", "2001:db8::2", 1), Some(Duration::from_secs(2)));
        assert_eq!(wrong(&guesses, "next", "2001:db8:0:1::2", 1), None);
    }

    #[test]
    fn right_logins_count_for_nothing() {
        let guesses = Guesses::new();
        for _ in 0..1000 {
            guesses.begin("alice", at("10.0.0.1"), NOW).ok().unwrap().take_back();
        }
        assert_eq!(wrong(&guesses, "alice", "10.0.0.1", 10), None);
    }

    #[test]
    fn a_clock_set_back_locks_nobody_out_for_longer() {
        let guesses = Guesses::new();
        assert!(wrong(&guesses, "alice", "10.0.0.1", 11).is_some());
        let before = Timestamp(NOW.0 - 3_600_000_000);
        assert_eq!(guesses.begin("alice", at("10.0.0.1"), before).err(), Some(Duration::from_secs(10)));
        let after = |seconds| before.after(Duration::from_secs(seconds));
        // The address's own allowance was in the future, too.
        assert_eq!(guesses.begin("alice", at("10.0.0.1"), after(10)).err(), Some(Duration::from_secs(2)));
        assert!(guesses.begin("alice", at("10.0.0.1"), after(12)).is_ok());
    }
}
