//! The scrub: every blob's bytes are hashed again, one after the other, and what is lost or wrong is
//! marked, so that nobody is given it and the next push of the same bytes brings it back.

use std::time::Duration;

use berth_oci::{Digest, Hasher};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use tracing::{error, info, warn};

use super::{Registry, fault};
use crate::error::{Error, Fault, OrFault};
use crate::metadata::damage::{self, Found, Kept, Mark};
use crate::metadata::store;
use crate::{Actor, BlobStore, By, ByteRange, Location, Timestamp, blocking};

/// In the database: how far the scrub is.
const SCRUB: &str = "scrub";
/// How many blobs one step looks at, at most.
const BLOBS: u64 = 64;
/// After so many bytes a step ends: what is read again after a kill.
const BYTES: u64 = 64 << 20;
/// Up to here a piece is hashed where it is read: a hop to another thread takes as long.
const HASHED_HERE: usize = 32 << 10;
/// Who marks blobs, as the audit has it.
pub(super) const WHO: &str = "the scrub";

/// How fast blobs are read.
pub trait Pace: Send {
    /// So many bytes were read, or so few that they count as so many: returns when more may be.
    fn read(&mut self, bytes: u64) -> impl Future<Output = ()> + Send;
}

/// As fast as the store gives them.
#[derive(Debug, Clone, Copy)]
pub struct FullSpeed;

impl Pace for FullSpeed {
    async fn read(&mut self, _: u64) {}
}

/// What a step of the scrub did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// Blobs that it looked at; none: it rests until the next round is due.
    pub blobs: u64,
    /// Bytes of those that it read.
    pub bytes: u64,
    /// Blobs that turned out to be lost or wrong.
    pub damaged: u64,
    /// Blobs that were marked as such and turned out to be sound.
    pub sound_again: u64,
}

/// What became of a blob's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    /// They are what the digest says.
    Sound,
    /// Nothing is there.
    Missing,
    /// Something else is there.
    Damaged(String),
}

impl Condition {
    pub(super) fn wrong(&self) -> Option<String> {
        match self {
            Self::Sound => None,
            Self::Missing => Some("its bytes are missing".to_owned()),
            Self::Damaged(how) => Some(how.clone()),
        }
    }
}

/// How far the scrub is, as the database keeps it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Round {
    /// When it began, in microseconds since the Unix epoch.
    began: i64,
    /// Every blob up to this digest was looked at.
    after: String,
    /// Whether that were all.
    done: bool,
}

impl Round {
    fn is_due(&self, every: Duration, now: Timestamp) -> bool {
        !self.done || Timestamp(self.began).after(every) <= now
    }
}

impl<B: BlobStore> Registry<B> {
    /// Looks at the next blobs of this round, or of a new one if the last began long enough ago. Only one
    /// process may do it at a time; whatever interrupts it, the next step goes on from the last.
    ///
    /// # Errors
    /// When a store can't be asked. A blob that can't be read for another reason than damage is left to
    /// the next round.
    pub async fn scrub(&self, every: Duration, pace: &mut impl Pace) -> Result<Scrubbed, Error> {
        let now = self.now();
        let mut round = self.round().await?;
        if !round.is_due(every, now) {
            return Ok(Scrubbed::default());
        }
        if round.done || round.began == 0 {
            round = Round { began: now.0, ..Round::default() };
        }
        let mut scrubbed = Scrubbed::default();
        let page = self.metadata().scan((round.after.clone(), BLOBS), damage::page).await?;
        round.done = (page.len() as u64) < BLOBS;
        for (index, blob) in page.iter().enumerate() {
            self.scrub_blob(blob, pace, &mut scrubbed).await?;
            round.after = blob.digest.to_string();
            if scrubbed.bytes >= BYTES && index + 1 < page.len() {
                round.done = false;
                break;
            }
        }
        let kept = serde_json::to_string(&round).or_fault(|| "noting how far the scrub is".to_owned())?;
        self.metadata().write((SCRUB, kept), store::note).await?;
        Ok(scrubbed)
    }

    /// Whether there is something to look at, in this round or a new one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn scrub_is_due(&self, every: Duration) -> Result<bool, Error> {
        Ok(self.round().await?.is_due(every, self.now()))
    }

    /// How many blobs are known to be damaged.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn damaged_blobs(&self) -> Result<u64, Error> {
        self.metadata().scan((), damage::count).await
    }

    async fn round(&self) -> Result<Round, Error> {
        let Some(text) = self.metadata().read(SCRUB, store::fact).await? else { return Ok(Round::default()) };
        // What another version noted begins anew.
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }

    async fn scrub_blob(
        &self,
        blob: &Kept,
        pace: &mut impl Pace,
        scrubbed: &mut Scrubbed,
    ) -> Result<(), Error> {
        scrubbed.blobs += 1;
        let condition = match self.examine(blob, pace).await {
            Ok(condition) => condition,
            Err(fault) => {
                warn!(digest = %blob.digest, %fault, "a blob could not be read; it is left to the next round");
                return Ok(());
            }
        };
        scrubbed.bytes += blob.size;
        match (blob.mark, &condition) {
            (Mark::None, Condition::Sound) => {}
            (Mark::Damaged, Condition::Sound) => {
                scrubbed.sound_again += u64::from(self.acquit(WHO, &blob.digest, &blob.location).await?);
            }
            (_, wrong) => {
                let marked = self.quarantine(WHO, &blob.digest, &blob.location, wrong.clone()).await?;
                scrubbed.damaged += u64::from(marked);
            }
        }
        Ok(())
    }

    /// Reads a blob's bytes and compares them with its digest.
    pub(super) async fn examine(&self, blob: &Kept, pace: &mut impl Pace) -> Result<Condition, Fault> {
        match self.hash_of(&blob.location, &blob.digest, blob.size, pace).await {
            Ok(None) => Ok(Condition::Missing),
            Ok(Some(actual)) if actual == blob.digest => Ok(Condition::Sound),
            Ok(Some(actual)) => Ok(Condition::Damaged(format!("its bytes are {actual}"))),
            Err(fault) if fault.is_damage() => Ok(Condition::Damaged(fault.to_string())),
            Err(fault) => Err(fault),
        }
    }

    async fn hash_of(
        &self,
        at: &Location,
        digest: &Digest,
        size: u64,
        pace: &mut impl Pace,
    ) -> Result<Option<Digest>, Fault> {
        // A small one costs as much as this, too.
        const LEAST: u64 = 64 << 10;
        let range = ByteRange { first: 0, end: size };
        let Some(mut bytes) = self.shared.blobs.read(at, range).await? else { return Ok(None) };
        pace.read(LEAST.saturating_sub(size)).await;
        let mut hasher = Hasher::new(digest.algorithm());
        while let Some(piece) = bytes.next().await {
            let piece = piece?;
            let read = piece.len();
            let hash = move || {
                hasher.update(&piece);
                hasher
            };
            hasher = if read <= HASHED_HERE { hash() } else { blocking("hashing a blob", hash).await? };
            pace.read(read as u64).await;
        }
        Ok(Some(hasher.finish()))
    }

    /// Marks a blob whose bytes are lost or wrong, so that the next push brings it back; whether that was
    /// news.
    pub(super) async fn quarantine(
        &self,
        who: &'static str,
        digest: &Digest,
        location: &Location,
        condition: Condition,
    ) -> Result<bool, Error> {
        // A folder that is not mounted has lost nothing, nor has a disk that answers nobody.
        if self.shared.blobs.fact(super::belonging::STORE_ID).await?.is_none() {
            return Err(fault(
                &format!("reading blob {location}"),
                "the whole blob store is empty; is its folder mounted, and the bucket the right one?",
            ));
        }
        let wrong = condition.wrong();
        let marked = self.note_condition(who, digest, location, wrong.clone()).await?;
        if marked {
            let wrong = wrong.unwrap_or_default();
            error!(%digest, %location, wrong, "a blob is damaged; push an image that has it again");
        }
        Ok(marked)
    }

    /// Takes the mark from a blob that is sound after all; whether it had one.
    pub(super) async fn acquit(
        &self,
        who: &'static str,
        digest: &Digest,
        location: &Location,
    ) -> Result<bool, Error> {
        let cleared = self.note_condition(who, digest, location, None).await?;
        if cleared {
            info!(%digest, %location, "a blob that was marked as damaged is sound");
        }
        Ok(cleared)
    }

    async fn note_condition(
        &self,
        who: &'static str,
        digest: &Digest,
        location: &Location,
        wrong: Option<String>,
    ) -> Result<bool, Error> {
        let actor = Actor { user: Some(who.into()), ..Actor::default() };
        let by = By { actor, at: self.now() };
        let found = Found { digest: digest.clone(), location: location.clone(), wrong, by };
        self.metadata().write(found, damage::mark).await
    }
}
