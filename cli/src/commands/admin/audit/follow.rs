//! The audit as it is written: asked for again and again, across a restart of the server.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::{Duration, Instant};

use berth_server::{AuditEntry, AuditPage};

use super::super::Target;
use super::super::remote::Unheard;
use super::rows::Rows;
use super::{PAGE, TRIED, ask};
use crate::failure::Failure;
use crate::output;

const EVERY: Duration = Duration::from_secs(1);
/// How much later than a higher one an id may come: some databases give ids before they commit.
const LATE: Duration = Duration::from_secs(5);

/// Which records were printed lately.
struct Seen {
    /// All up to this id were, and long ago.
    settled: i64,
    lately: BTreeMap<i64, Instant>,
}

impl Seen {
    /// Those of `found` that are new.
    fn new_of(&mut self, found: Vec<AuditEntry>, now: Instant) -> Vec<AuditEntry> {
        let mut is_new = |entry: &AuditEntry| match self.lately.entry(entry.id) {
            Entry::Vacant(place) => {
                place.insert(now);
                true
            }
            Entry::Occupied(_) => false,
        };
        found.into_iter().filter(|entry| is_new(entry)).collect()
    }

    fn settle(&mut self, now: Instant) {
        while let Some(first) = self.lately.first_entry().filter(|first| *first.get() + LATE < now) {
            self.settled = *first.key();
            first.remove();
        }
    }
}

/// Prints what is there and what comes, until Ctrl-C or until nobody reads it any more.
pub(super) async fn until_interrupted(target: &Target, page: AuditPage, rows: Rows) -> Result<(), Failure> {
    if matches!(target, Target::Offline(_)) {
        return Err(Failure::new(TRIED, "nothing happens in a stopped server's folder; leave --follow out"));
    }
    tokio::select! {
        ended = follow(target, page, rows) => ended,
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(|error| Failure::new(TRIED, error)),
    }
}

async fn follow(target: &Target, mut page: AuditPage, mut rows: Rows) -> Result<(), Failure> {
    let mut seen = Seen { settled: 0, lately: BTreeMap::new() };
    let mut is_away = false;
    loop {
        page.after = seen.settled;
        loop {
            let found = match ask(target, page).await {
                Ok(found) => found,
                Err(Unheard::Refused(failure)) => return Err(failure),
                Err(Unheard::Away(failure)) => {
                    if !is_away {
                        output::note(format_args!("berth: {failure}; trying again until it answers"));
                    }
                    is_away = true;
                    break;
                }
            };
            if is_away {
                output::note("berth: the server answers again");
            }
            is_away = false;
            let is_last = (found.len() as u64) < PAGE;
            page.after = found.last().map_or(page.after, |last| last.id);
            if rows.print(&seen.new_of(found, Instant::now()))?.is_break() {
                return Ok(());
            }
            if is_last {
                break;
            }
        }
        seen.settle(Instant::now());
        tokio::time::sleep(EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(ids: &[i64]) -> Vec<AuditEntry> {
        let entry = |id: &i64| {
            let json = format!(r#"{{"id":{id},"time":"","action":"","outcome":"","times":1}}"#);
            serde_json::from_str(&json).unwrap()
        };
        ids.iter().map(entry).collect()
    }

    #[test]
    fn a_record_is_new_once_and_a_late_one_is_not_missed() {
        let mut seen = Seen { settled: 0, lately: BTreeMap::new() };
        let (start, ids) =
            (Instant::now(), |new: Vec<AuditEntry>| new.iter().map(|it| it.id).collect::<Vec<_>>());
        assert_eq!(ids(seen.new_of(entries(&[1, 2, 4]), start)), [1, 2, 4]);
        seen.settle(start + LATE);
        assert_eq!(seen.settled, 0);
        assert_eq!(ids(seen.new_of(entries(&[1, 2, 3, 4, 5]), start + LATE)), [3, 5]);
        seen.settle(start + LATE + EVERY);
        assert_eq!(seen.settled, 2, "3 came later");
    }
}
