//! Collection: what may have died is looked at when its time has come, while everybody works.

use berth_oci::{Digest, RepositoryName};
use futures_util::stream::{self, StreamExt};
use tracing::warn;

use super::Registry;
use crate::crash::crash_point;
use crate::error::Error;
use crate::metadata::collect::{self, Freed, Look};
use crate::metadata::reviews::{self, Keep, Kind};
use crate::{BlobStore, Timestamp};

/// How many reviews are taken at a time.
const STEP: u64 = 100;
/// How many of them are looked at side by side: SQLite makes what comes together durable together. On PostgreSQL
/// each takes a connection, of which requests need some.
const AT_A_TIME: usize = 8;

impl<B: BlobStore> Registry<B> {
    /// Looks at all that is due now; what becomes due meanwhile is left to the next time, or pushing without
    /// end would keep everything else from being swept. One thing that can't be looked at is tried again some
    /// minutes later and never stops the others; of several processes each takes what the others leave.
    pub(super) async fn collect(&self) -> Result<Freed, Error> {
        let (mut freed, began) = (Freed::default(), self.now());
        loop {
            let now = self.now();
            let due = self.metadata().write((began, now, STEP), reviews::take_due).await?;
            let taken = due.len() as u64;
            if taken > 0 {
                crash_point("reviews.taken");
            }
            let looks = due.into_iter().map(|review| {
                let look = Look { review, delays: self.shared.delays, began, now };
                self.metadata().write(look, collect::look)
            });
            let mut looked = stream::iter(looks).buffer_unordered(AT_A_TIME);
            while let Some(look) = looked.next().await {
                match look {
                    Ok(more) => {
                        freed += more;
                        crash_point("reviews.looked");
                    }
                    Err(error) => {
                        warn!(%error, "something may be needed no more, but could not be looked at; trying again later");
                    }
                }
            }
            if taken == 0 {
                return Ok(freed);
            }
        }
    }

    /// Puts off when something may go, if less than half of the time is left that a client who was
    /// just told of it may count on; whether it is still there.
    pub(super) async fn keep_longer(
        &self,
        name: &RepositoryName,
        kind: Kind,
        digest: &Digest,
        review_after: Option<Timestamp>,
    ) -> Result<bool, Error> {
        let (now, promised) = (self.now(), self.shared.delays.unreferenced);
        if review_after.is_none_or(|review_after| review_after >= now.after(promised / 2)) {
            return Ok(true);
        }
        let (name, digest, until) = (name.clone(), digest.clone(), now.after(promised));
        self.metadata().write(Keep { name, kind, digest, until }, reviews::keep).await
    }
}
