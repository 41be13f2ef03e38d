//! Bringing a store back from a backup: its database is in place, and every blob that it names is looked for
//! in the blob store, and else brought from the backup's copies as a push would bring it.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use berth_oci::{Algorithm, Digest, Hasher, RepositoryName};
use bytes::Bytes;
use futures_util::TryStreamExt;
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use super::scrub::Condition;
use super::{Creation, Depth, FullSpeed, Registry, belonging, fault};
use crate::error::{Error, Fault, OrFault};
use crate::metadata::blobs;
use crate::metadata::damage::{self, Adoption, Kept, Mark};
use crate::metadata::uploads::{self, Begin};
use crate::metadata::{restore as rows, store};
use crate::{Actor, BlobStore, By, Item, UploadId, blocking};

/// In a database that is being restored: who does it.
pub(super) const RESTORING: &str = "restoring";
/// How many blobs one look at the database takes.
const PAGE: u64 = 1000;
/// How many bytes are hashed and written at a time.
const BATCH: usize = 1 << 20;
/// What upload sessions of a restore say their repository is; none of that name is ever made.
const NOBODYS: &str = "berth/restoring";
/// Who restores, as the audit has it.
const WHO: &str = "berth admin restore";
const DOING: &str = "restoring the store";

/// What came of a restore.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restored {
    /// Blobs that the database names.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Those among them that were brought from the backup.
    pub brought: u64,
    /// Blobs that are nowhere, or damaged: the next push brings them back.
    pub lost: Vec<Digest>,
}

/// Where a backup keeps the copy of a blob, below its folder of copies.
pub fn place_of_copy(digest: &Digest) -> PathBuf {
    let (algorithm, hex) = (digest.algorithm(), digest.hex());
    Path::new(algorithm.as_str()).join(&hex[..2]).join(hex)
}

/// Marks the SQLite file `database`, which nobody has open, as one that is being restored: no server starts
/// on it.
///
/// # Errors
/// When it is no database of berth's, or can't be written.
pub fn mark_restoring(database: &Path) -> Result<(), Fault> {
    rows::mark_file(database, RESTORING)
}

impl<B: BlobStore> Registry<B> {
    /// Makes every blob whole that can be, from what the blob store holds or from `copies`, the folder of a
    /// backup's copies; without one, what the blob store holds is only measured. What interrupts it is no
    /// matter: the next call goes on.
    ///
    /// # Errors
    /// When the blob store is another database's, or either can't be asked.
    pub async fn restore(&self, copies: Option<&Path>) -> Result<Restored, Error> {
        self.refuse_what_is_in_use().await?;
        self.take_blob_store(copies).await?;
        self.metadata().write(self.now(), rows::end_uploads).await?;
        let mut there: HashMap<String, Item> = HashMap::new();
        let mut survey = self.shared.blobs.survey();
        while let Some(item) = survey.try_next().await? {
            there.insert(item.name.clone(), item);
        }
        drop(survey);
        let depth = if copies.is_some() { Depth::Digests } else { Depth::Sizes };
        let (mut restored, mut after) = (Restored::default(), String::new());
        loop {
            let page = self.metadata().scan((after, PAGE), damage::page).await?;
            let Some(last) = page.last() else { break };
            after = last.digest.to_string();
            for blob in page {
                restored.blobs += 1;
                restored.bytes += blob.size;
                let item = there.get(&self.shared.blobs.item_name(&blob.location)?);
                match self.condition_of(&blob, item, depth, &mut FullSpeed).await? {
                    Condition::Sound if blob.mark == Mark::None => {}
                    Condition::Sound => drop(self.acquit(WHO, &blob.digest, &blob.location).await?),
                    condition => match copies {
                        Some(copies) if self.bring(&blob, copies).await? => restored.brought += 1,
                        Some(_) | None => {
                            self.quarantine(WHO, &blob.digest, &blob.location, condition).await?;
                            restored.lost.push(blob.digest);
                        }
                    },
                }
            }
        }
        self.metadata().write(RESTORING, store::forget).await?;
        Ok(restored)
    }

    /// Refuses an SQLite database that no restore put in place.
    async fn refuse_what_is_in_use(&self) -> Result<(), Error> {
        if !self.metadata().is_a_file() || self.metadata().read(RESTORING, store::fact).await?.is_some() {
            return Ok(());
        }
        Err(fault(DOING, "a store is there already; restore into an empty data folder"))
    }

    /// Joins the restored database with its old blob store, or with one that never had one; a PostgreSQL is
    /// marked from then on.
    async fn take_blob_store(&self, copies: Option<&Path>) -> Result<(), Error> {
        let known = self.metadata().read(belonging::STORE_ID, store::fact).await?;
        let known = known.ok_or_else(|| fault(DOING, "the database is none that a server kept"))?;
        let other = |found: &str| {
            let why = format!(
                "the blob store belongs to another database (it has the id {found}, the backup {known}); name the \
                 right one, or an empty one"
            );
            fault(DOING, &why)
        };
        match self.shared.blobs.fact(belonging::STORE_ID).await? {
            Some(found) if found != known => return Err(other(&found)),
            Some(_) => {}
            None if copies.is_none() && self.metadata().read((), blobs::any).await? => {
                let why = "the backup has no copies of blobs, and this blob store never belonged to a database; \
                           name the right one";
                return Err(fault(DOING, why));
            }
            None => {}
        }
        self.metadata().write((RESTORING, "1".to_owned()), store::note).await?;
        let found = self.shared.blobs.note_once(belonging::STORE_ID, &known).await?;
        if found == known { Ok(()) } else { Err(other(&found)) }
    }

    /// Brings a blob from its copy; false when there is none, or it is damaged itself.
    async fn bring(&self, blob: &Kept, copies: &Path) -> Result<bool, Error> {
        let path = copies.join(place_of_copy(&blob.digest));
        let reading = || format!("reading {}", path.display());
        let mut file = match File::open(&path).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            opened => opened.or_fault(reading)?,
        };
        let (id, now) = (UploadId::random(), self.now());
        let repository: RepositoryName = NOBODYS.parse().map_err(|error| Fault::new(DOING, error))?;
        let mut staged = self.shared.blobs.begin();
        let begin = Begin {
            id,
            repository,
            hasher: Hasher::new(Algorithm::Sha256),
            staged: staged.clone(),
            creation: Creation::Allowed,
            actor: Actor::default(),
            now,
            // Whoever sweeps next ends it, if this doesn't.
            expires_at: now,
        };
        self.metadata().write(begin, uploads::begin).await?;
        self.metadata().write((id, blob.digest.clone()), uploads::seals).await?;
        let mut hasher = Hasher::new(blob.digest.algorithm());
        loop {
            let mut batch = Vec::with_capacity(BATCH);
            let read = (&mut file).take(BATCH as u64).read_to_end(&mut batch).await.or_fault(reading)?;
            if read == 0 {
                break;
            }
            let batch = Bytes::from(batch);
            let piece = batch.clone();
            hasher = blocking("hashing a blob", move || {
                hasher.update(&piece);
                hasher
            })
            .await?;
            self.shared.blobs.append(&mut staged, vec![batch]).await?;
        }
        if blob.size == 0 {
            self.shared.blobs.append(&mut staged, Vec::new()).await?;
        }
        if hasher.finish() != blob.digest {
            return Ok(false);
        }
        let to = self.shared.blobs.seal(&staged, &blob.digest).await?;
        let by = By { actor: Actor { user: Some(WHO.into()), ..Actor::default() }, at: self.now() };
        let adoption = Adoption { digest: blob.digest.clone(), from: blob.location.clone(), to, by };
        self.metadata().write((id, adoption), rows::arrive).await
    }
}
