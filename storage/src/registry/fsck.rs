//! The inspection of a whole store: what its database says against what its blob store holds, both ways.
//!
//! The blob store is listed first. Whatever it holds was named by a row before it was there and is never
//! named anew once it is not, so what no row names afterwards is needed by nobody, whoever works meanwhile.

use std::collections::HashMap;

use berth_oci::{Digest, RepositoryName};
use futures_util::TryStreamExt;

use super::scrub::Condition;
use super::{Age, Pace, Registry, belonging, fault};
use crate::error::Error;
use crate::metadata::damage::{self, Adoption, Kept, Mark};
use crate::metadata::{blobs, inspection, store};
use crate::{Actor, BlobStore, By, Item, Location};

const PAGE: u64 = 1000;
/// Up to 4 MiB each.
const MANIFESTS: u64 = 16;
/// How many repositories are named that hold a damaged blob.
const HOLDERS: u64 = 5;
/// Who marks blobs, as the audit has it.
const WHO: &str = "berth fsck";

/// How far an inspection looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Whether everything is there, and as long as it should be.
    Sizes,
    /// Every byte is hashed.
    Digests,
}

/// Whether an inspection changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedies {
    /// It only looks.
    None,
    /// It marks what is lost, and removes what nobody names.
    Applied,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// A blob whose bytes are not there, or not what they should be.
    Lost {
        /// The blob.
        digest: Digest,
        /// Where its bytes should be.
        location: Location,
        /// Whether anything is there at all.
        missing: bool,
        /// What is wrong with them.
        how: String,
        /// Some repositories that hold it.
        holders: Vec<RepositoryName>,
        /// What was done about it.
        done: Option<String>,
    },
    /// A blob that was marked as damaged but is sound.
    Sound {
        /// The blob.
        digest: Digest,
        /// Whether the mark was taken away.
        done: Option<String>,
    },
    /// Something in the blob store that no row names.
    Unknown {
        /// What the store calls it.
        name: String,
        /// Its size, in bytes.
        size: u64,
        /// What was done about it, or why not.
        done: Option<String>,
    },
    /// Bytes that no longer tell by themselves what they are.
    Untold {
        /// The blob.
        digest: Digest,
        /// Where its bytes are.
        location: Location,
        /// What was done about it.
        done: Option<String>,
    },
    /// A manifest whose bytes are not what its digest says.
    Manifest {
        /// Its repository.
        repository: RepositoryName,
        /// Its digest.
        digest: Digest,
        /// What is wrong with it.
        how: String,
    },
    /// What the database finds wrong with itself.
    Database(String),
}

/// What an inspection found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inspection {
    /// Blobs that rows name.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Places that a running server clears by itself.
    pub waiting: u64,
    /// What is not as it should be.
    pub findings: Vec<Finding>,
}

impl<B: BlobStore> Registry<B> {
    /// Compares database and blob store both ways.
    ///
    /// # Errors
    /// When they don't belong together, or either can't be asked.
    pub async fn inspect(
        &self,
        depth: Depth,
        remedies: Remedies,
        pace: &mut impl Pace,
    ) -> Result<Inspection, Error> {
        self.refuse_half_moved().await?;
        self.refuse_strangers().await?;
        let mut there: HashMap<String, Item> = HashMap::new();
        let mut survey = self.shared.blobs.survey();
        while let Some(item) = survey.try_next().await? {
            there.insert(item.name.clone(), item);
        }
        drop(survey);
        let named = self.metadata().scan((), inspection::named).await?;
        let mut inspection = Inspection { waiting: named.waiting, ..Inspection::default() };
        if depth == Depth::Digests {
            let wrong = self.metadata().wrong_with_itself().await?;
            inspection.findings.extend(wrong.into_iter().map(Finding::Database));
            self.inspect_manifests(&mut inspection).await?;
        }
        let mut lost = Vec::new();
        let mut after = String::new();
        loop {
            let page = self.metadata().scan((after, PAGE), damage::page).await?;
            let Some(last) = page.last() else { break };
            after = last.digest.to_string();
            for blob in page {
                inspection.blobs += 1;
                inspection.bytes += blob.size;
                let item = there.remove(&self.shared.blobs.item_name(&blob.location)?);
                self.inspect_told(&blob, item.as_ref(), remedies, &mut inspection).await?;
                match self.condition_of(&blob, item.as_ref(), depth, pace).await? {
                    Condition::Sound if blob.mark == Mark::None => {}
                    Condition::Sound => {
                        let acquit = remedies == Remedies::Applied
                            && self.acquit(WHO, &blob.digest, &blob.location).await?;
                        let done = acquit.then(|| "unmarked".to_owned());
                        inspection.findings.push(Finding::Sound { digest: blob.digest, done });
                    }
                    condition => lost.push((blob, condition)),
                }
            }
        }
        for location in &named.condemned {
            there.remove(&self.shared.blobs.item_name(location)?);
        }
        there.retain(|_, item| {
            let told = item.told.as_ref().is_some_and(|(_, at)| named.condemned.contains(at));
            !told && !item.upload.as_ref().is_some_and(|id| named.uploads.contains(id))
        });
        self.treat(lost, there, remedies, pace, &mut inspection).await?;
        Ok(inspection)
    }

    /// Refuses a database and a blob store that don't belong together.
    async fn refuse_strangers(&self) -> Result<(), Error> {
        let known = self.metadata().read(belonging::STORE_ID, store::fact).await?;
        let found = self.shared.blobs.fact(belonging::STORE_ID).await?;
        let together = match (&known, &found) {
            (Some(known), Some(found)) => known == found,
            (None, Some(_)) => false,
            (_, None) => !self.metadata().read((), blobs::any).await?,
        };
        if together {
            return Ok(());
        }
        let words = |id: Option<String>| id.unwrap_or_else(|| "none".to_owned());
        let why = format!(
            "they don't belong together (the blob store's id is {}, the database's {}); put the right one of both \
             into the configuration",
            words(found),
            words(known)
        );
        Err(fault("comparing the database with the blob store", &why))
    }

    async fn inspect_manifests(&self, inspection: &mut Inspection) -> Result<(), Error> {
        let (mut repository, mut digest) = (String::new(), String::new());
        loop {
            let page = self.metadata().scan((repository, digest, MANIFESTS), inspection::manifests).await?;
            let Some(last) = page.last() else { return Ok(()) };
            (repository, digest) = (last.repository_id.clone(), last.digest.to_string());
            for manifest in page {
                let actual = Digest::of(manifest.digest.algorithm(), &manifest.content);
                let how = if actual != manifest.digest {
                    format!("its bytes are {actual}")
                } else if manifest.size != manifest.content.len() as u64 {
                    format!("{} bytes are there, {} are its size", manifest.content.len(), manifest.size)
                } else {
                    continue;
                };
                let (repository, digest) = (manifest.repository, manifest.digest);
                inspection.findings.push(Finding::Manifest { repository, digest, how });
            }
        }
    }

    /// Whether the store alone would tell what these bytes are.
    async fn inspect_told(
        &self,
        blob: &Kept,
        item: Option<&Item>,
        remedies: Remedies,
        inspection: &mut Inspection,
    ) -> Result<(), Error> {
        let Some(item) = item else { return Ok(()) };
        if item.told.as_ref().is_some_and(|(digest, _)| *digest == blob.digest) {
            return Ok(());
        }
        let mut done = None;
        if remedies == Remedies::Applied {
            self.shared.blobs.tell(&blob.location).await?;
            done = Some("marked".to_owned());
        }
        let (digest, location) = (blob.digest.clone(), blob.location.clone());
        inspection.findings.push(Finding::Untold { digest, location, done });
        Ok(())
    }

    pub(super) async fn condition_of(
        &self,
        blob: &Kept,
        item: Option<&Item>,
        depth: Depth,
        pace: &mut impl Pace,
    ) -> Result<Condition, Error> {
        let Some(item) = item else { return Ok(Condition::Missing) };
        if item.size != blob.size {
            let how = format!("{} bytes are there, {} are its size", item.size, blob.size);
            return Ok(Condition::Damaged(how));
        }
        match (depth, blob.mark) {
            (Depth::Digests, _) => Ok(self.examine(blob, pace).await?),
            (Depth::Sizes, Mark::None) => Ok(Condition::Sound),
            (Depth::Sizes, Mark::Damaged) => Ok(Condition::Damaged("it was found to be damaged".to_owned())),
        }
    }

    /// What is lost is looked for among what nobody names, or marked; the rest of that goes.
    async fn treat(
        &self,
        lost: Vec<(Kept, Condition)>,
        mut unknown: HashMap<String, Item>,
        remedies: Remedies,
        pace: &mut impl Pace,
        inspection: &mut Inspection,
    ) -> Result<(), Error> {
        for (blob, condition) in lost {
            let mut done = None;
            if remedies == Remedies::Applied {
                done = Some(match self.adopt(&blob, &mut unknown, pace).await? {
                    Some(location) => format!("found at {location}"),
                    None => {
                        self.quarantine(WHO, &blob.digest, &blob.location, condition.clone()).await?;
                        "marked: push it again".to_owned()
                    }
                });
            }
            let asked = (blob.digest.clone(), String::new(), HOLDERS);
            inspection.findings.push(Finding::Lost {
                holders: self.metadata().scan(asked, blobs::holders).await?,
                how: condition.wrong().unwrap_or_default(),
                missing: condition == Condition::Missing,
                digest: blob.digest,
                location: blob.location,
                done,
            });
        }
        let restored = self.age().await? != Age::Same;
        let mut unknown: Vec<Item> = unknown.into_values().collect();
        unknown.sort_by(|a, b| a.name.cmp(&b.name));
        for item in unknown {
            let done = match remedies {
                Remedies::None => None,
                // What was pushed after the backup: whoever restores another one needs it.
                Remedies::Applied if restored => Some(
                    "kept: the database was restored; start the server, say `berth admin gc --accept-restore`"
                        .to_owned(),
                ),
                Remedies::Applied => {
                    self.shared.blobs.discard(&item).await?;
                    Some("removed".to_owned())
                }
            };
            inspection.findings.push(Finding::Unknown { name: item.name, size: item.size, done });
        }
        Ok(())
    }

    /// Gives a lost blob bytes that nobody names, if they are the right ones; tells where.
    async fn adopt(
        &self,
        blob: &Kept,
        unknown: &mut HashMap<String, Item>,
        pace: &mut impl Pace,
    ) -> Result<Option<Location>, Error> {
        let told = unknown.values().filter_map(|item| {
            let (digest, location) = item.told.as_ref()?;
            (*digest == blob.digest && item.size == blob.size).then(|| (item.name.clone(), location.clone()))
        });
        let candidates: Vec<_> = told.collect();
        for (name, location) in candidates {
            let candidate = Kept { location: location.clone(), ..blob.clone() };
            if self.examine(&candidate, pace).await? != Condition::Sound {
                continue;
            }
            unknown.remove(&name);
            let actor = Actor { user: Some(WHO.into()), ..Actor::default() };
            let by = By { actor, at: self.now() };
            let (digest, from) = (blob.digest.clone(), blob.location.clone());
            let adoption = Adoption { digest, from, to: location.clone(), by };
            if self.metadata().write(adoption, damage::adopt).await? {
                return Ok(Some(location));
            }
        }
        Ok(None)
    }
}
