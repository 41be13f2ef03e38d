//! The blobs of a store, on their way into another.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Mutex, PoisonError};

use berth_oci::{Digest, Hasher, RepositoryName};
use bytes::Bytes;
use futures_util::future::{BoxFuture, join};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::{Migrated, Progress, Registry};
use crate::error::{Error, Fault};
use crate::metadata::uploads::{self, Begin};
use crate::metadata::{Tx, args, condemned};
use crate::registry::{Creation, fault};
use crate::{Actor, BlobStore, ByteRange, Location, Timestamp, UploadId, blocking};

/// How many blobs are on their way at a time.
const AT_A_TIME: usize = 4;
/// How many rows one look at the database takes.
const PAGE: u64 = 1000;
/// How many bytes are hashed and written at a time.
const BATCH: usize = 1 << 20;
/// What upload sessions of a migration say their repository is; none of that name is ever made.
const NOBODYS: &str = "berth/moving";
/// What no digest comes after.
const BEHIND_ALL: &str = "~";

/// A blob as its row has it.
#[derive(Debug, Clone)]
struct Blob {
    digest: Digest,
    size: u64,
    location: Location,
    created_at: Timestamp,
}

/// A blob of the source that is not what its row says.
enum Copied {
    Whole,
    Damaged(String),
}

impl<B: BlobStore> Registry<B> {
    pub(super) async fn move_blobs(
        &self,
        target: &Self,
        told: &(impl Fn(Progress) + Sync),
    ) -> Result<Migrated, Error> {
        let (blobs_in_all, bytes_in_all) = self.metadata().scan((), totals).await?;
        let progress = Mutex::new(Progress { bytes_in_all, blobs_in_all, ..Progress::default() });
        let moved = |bytes: u64, blobs: u64| {
            let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
            progress.bytes += bytes;
            progress.blobs += blobs;
            told(*progress);
        };
        let mut damaged = Vec::new();
        let mut after = String::new();
        loop {
            let page = self.metadata().scan((after.clone(), PAGE), blobs_after).await?;
            let upto = page.last().map_or_else(|| BEHIND_ALL.to_owned(), |last| last.digest.to_string());
            let there = target.metadata().scan((after, upto.clone()), between).await?;
            // Moved by an earlier run, and gone from the source since.
            let wanted: HashSet<&Digest> = page.iter().map(|blob| &blob.digest).collect();
            let gone = there.iter().filter(|digest| !wanted.contains(digest));
            target.metadata().write((gone.cloned().collect::<Vec<_>>(), target.now()), condemn).await?;
            if page.is_empty() {
                break;
            }
            after = upto;
            let copies = page.into_iter().map(|blob| {
                let (there, moved) = (&there, &moved);
                async move {
                    let copied = if there.contains(&blob.digest) {
                        moved(blob.size, 0);
                        Copied::Whole
                    } else {
                        self.move_blob(target, &blob, |bytes| moved(bytes, 0)).await?
                    };
                    moved(0, 1);
                    Ok::<_, Error>((blob.digest, copied))
                }
            });
            let copied: Vec<_> = stream::iter(copies).buffer_unordered(AT_A_TIME).try_collect().await?;
            damaged.extend(copied.into_iter().filter_map(|(digest, copied)| match copied {
                Copied::Whole => None,
                Copied::Damaged(how) => Some((digest, how)),
            }));
        }
        damaged.sort();
        let progress = *progress.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Migrated { progress, damaged })
    }

    /// Copies one blob, as a push would bring it: a row that names the place, the bytes, the blob's row.
    async fn move_blob(&self, target: &Self, blob: &Blob, moved: impl Fn(u64)) -> Result<Copied, Error> {
        let range = ByteRange { first: 0, end: blob.size };
        let Some(mut bytes) = self.shared.blobs.read(&blob.location, range).await? else {
            return Ok(Copied::Damaged("its bytes are missing".to_owned()));
        };
        let (id, now) = (UploadId::random(), target.now());
        let repository: RepositoryName = NOBODYS.parse().map_err(|error| Fault::new(super::DOING, error))?;
        let mut staged = target.shared.blobs.begin();
        let begin = Begin {
            id,
            repository,
            hasher: Hasher::new(blob.digest.algorithm()),
            staged: staged.clone(),
            creation: Creation::Allowed,
            actor: Actor::default(),
            now,
            // Whoever sweeps next ends it: nobody else sweeps a store that is being filled.
            expires_at: now,
        };
        target.metadata().write(begin, uploads::begin).await?;
        target.metadata().write((id, blob.digest.clone()), sealing).await?;
        let mut hasher = Hasher::new(blob.digest.algorithm());
        let mut read = 0u64;
        // Of one that turns out to be damaged, the session goes with the next sweep.
        while read < blob.size {
            let (mut batch, mut size) = (Vec::new(), 0);
            while size < BATCH
                && let Some(piece) = bytes.next().await
            {
                let piece = match piece {
                    Err(fault) if fault.is_cut_short() => {
                        let there = read + size as u64;
                        return Ok(Copied::Damaged(format!("{there} bytes are there of {}", blob.size)));
                    }
                    piece => piece?,
                };
                size += piece.len();
                batch.push(piece);
            }
            let pieces: Vec<Bytes> = batch.clone();
            let hashing = blocking("hashing a blob", move || {
                for piece in &pieces {
                    hasher.update(piece);
                }
                hasher
            });
            let (hashed, appended) = join(hashing, target.shared.blobs.append(&mut staged, batch)).await;
            (hasher, ()) = (hashed?, appended?);
            read += size as u64;
            moved(size as u64);
        }
        let actual = hasher.finish();
        if actual != blob.digest {
            return Ok(Copied::Damaged(format!("its bytes are {actual}")));
        }
        let location = target.shared.blobs.seal(&staged, &blob.digest).await?;
        let arrived = Blob { location, ..blob.clone() };
        target.metadata().write((id, arrived), arrive).await?;
        Ok(Copied::Whole)
    }
}

fn totals<'t>(tx: &'t mut Tx<'_>, (): &'t ()) -> BoxFuture<'t, Result<(u64, u64), Error>> {
    Box::pin(async move {
        let sql = "SELECT COUNT(*), CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM blobs";
        let row =
            tx.row(sql, args![]).await?.ok_or_else(|| fault(super::DOING, "the database counts nothing"))?;
        Ok((row.size(0)?, row.size(1)?))
    })
}

fn blobs_after<'t>(
    tx: &'t mut Tx<'_>,
    (after, limit): &'t (String, u64),
) -> BoxFuture<'t, Result<Vec<Blob>, Error>> {
    Box::pin(async move {
        let sql =
            "SELECT digest, size, location, created_at FROM blobs WHERE digest > $1 ORDER BY digest LIMIT $2";
        let rows = tx.rows(sql, args![after, *limit]).await?;
        let blobs = rows.iter().map(|row| {
            let created_at = Timestamp(row.int(3)?);
            Ok(Blob { digest: row.parsed(0)?, size: row.size(1)?, location: row.parsed(2)?, created_at })
        });
        blobs.collect()
    })
}

/// The digests of blobs after the one and up to the other.
fn between<'t>(
    tx: &'t mut Tx<'_>,
    (after, upto): &'t (String, String),
) -> BoxFuture<'t, Result<BTreeSet<Digest>, Error>> {
    Box::pin(async move {
        let rows = tx
            .rows("SELECT digest FROM blobs WHERE digest > $1 AND digest <= $2", args![after, upto])
            .await?;
        rows.iter().map(|row| Ok(row.parsed(0)?)).collect()
    })
}

/// Condemns the bytes of blobs that no repository holds.
fn condemn<'t>(
    tx: &'t mut Tx<'_>,
    (digests, now): &'t (Vec<Digest>, Timestamp),
) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        for digest in digests {
            let sql = "DELETE FROM blobs WHERE digest = $1 RETURNING location";
            if let Some(row) = tx.row(sql, args![digest]).await? {
                condemned::location(tx, &row.parsed(0)?, *now).await?;
            }
        }
        Ok(())
    })
}

/// Notes what a session is about to be sealed as, so that its row leads there.
fn sealing<'t>(tx: &'t mut Tx<'_>, (id, digest): &'t (UploadId, Digest)) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(
        async move { Ok(tx.run("UPDATE uploads SET sealing = $2 WHERE id = $1", args![id, digest]).await?) },
    )
}

/// Turns a session into a blob that no repository holds yet.
fn arrive<'t>(tx: &'t mut Tx<'_>, (id, blob): &'t (UploadId, Blob)) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        tx.run("DELETE FROM uploads WHERE id = $1", args![id]).await?;
        let sql = "INSERT INTO blobs (digest, size, location, created_at) VALUES ($1, $2, $3, $4)";
        let args = args![&blob.digest, blob.size, &blob.location, blob.created_at];
        Ok(tx.run(sql, args).await?)
    })
}
