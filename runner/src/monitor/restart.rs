//! Whether and when a container that has ended is started again: docker's rules.

use std::time::Duration;

use crate::container::{Restart, State};

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(60);

/// How long a container must have run for the next delay to be the first again.
const WENT_WELL: Duration = Duration::from_secs(10);

/// Whether a container that ended with `code` is started again.
pub(super) fn wanted(policy: Restart, state: &State, code: i32) -> bool {
    if state.stopped_by_hand {
        return false;
    }
    match policy {
        Restart::No => false,
        Restart::OnFailure { max } => code != 0 && (max == 0 || state.restarts < max),
        Restart::Always | Restart::UnlessStopped => true,
    }
}

/// How long to wait, twice as long each time.
#[derive(Debug, Default)]
pub(super) struct Delay {
    last: Option<Duration>,
}

impl Delay {
    pub(super) fn next(&mut self, ran_for: Duration) -> Duration {
        let delay = match self.last {
            Some(last) if ran_for < WENT_WELL => (last * 2).min(LONGEST),
            _ => FIRST,
        };
        self.last = Some(delay);
        delay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_says_what_is_started_again() {
        let once = State { restarts: 1, ..State::default() };
        let stopped = State { stopped_by_hand: true, ..State::default() };
        let wanted = |policy, state: &State, code| wanted(policy, state, code);
        assert!(!wanted(Restart::No, &once, 1));
        assert!(wanted(Restart::Always, &once, 0));
        assert!(!wanted(Restart::Always, &stopped, 0));
        assert!(wanted(Restart::OnFailure { max: 0 }, &once, 1));
        assert!(!wanted(Restart::OnFailure { max: 0 }, &once, 0));
        assert!(wanted(Restart::OnFailure { max: 2 }, &once, 1));
        assert!(!wanted(Restart::OnFailure { max: 1 }, &once, 1));
    }

    #[test]
    fn delays_double_until_a_container_ran_well() {
        let mut delay = Delay::default();
        let short = Duration::from_secs(1);
        assert_eq!([(); 3].map(|()| delay.next(short).as_millis()), [100, 200, 400]);
        assert_eq!(delay.next(WENT_WELL).as_millis(), 100);
        for _ in 0..20 {
            delay.next(short);
        }
        assert_eq!(delay.next(short), LONGEST);
    }
}
