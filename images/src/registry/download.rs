//! One blob, downloaded to a file and passed on as it comes; gone on with where it broke.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

use berth_oci::{Descriptor, Hasher};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::mpsc;

use crate::error::{Doing, Error, Result};
use crate::progress::{Event, LayerStep, Progress};
use crate::registry::client::Registry;

/// How often in a row nothing may come of trying.
const ATTEMPTS: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// How much of what is here already is read at a time.
const PIECE_BYTES: usize = 256 * 1024;

/// Brings `wanted` into the file at `path`, from what is there on, and passes all of it on to `feed`.
///
/// Returns when the file is whole and its digest is right, or when nobody wants what is passed on any more.
pub(crate) async fn download(
    registry: &Registry,
    wanted: &Descriptor,
    path: &Path,
    feed: mpsc::Sender<Bytes>,
    progress: Progress<'_>,
) -> Result<Came> {
    let writing = || format!("writing {}", path.display());
    let mut file =
        File::options().create(true).truncate(false).read(true).write(true).open(path).doing(writing)?;
    let mut hasher = Hasher::new(wanted.digest.algorithm());
    let mut offset = 0;
    if file.metadata().doing(writing)?.len() > wanted.size {
        file.set_len(0).doing(writing)?;
    }
    loop {
        let mut piece = vec![0; PIECE_BYTES];
        let read = file.read(&mut piece).doing(writing)?;
        if read == 0 {
            break;
        }
        piece.truncate(read);
        hasher.update(&piece);
        offset += read as u64;
        if feed.send(piece.into()).await.is_err() {
            return Ok(Came::Unwanted);
        }
    }
    file.seek(SeekFrom::Start(offset)).doing(writing)?;
    let mut failures = 0;
    while offset < wanted.size {
        let before = offset;
        let broke = match registry.blob(wanted, offset).await {
            Err(error) => error,
            Ok(mut blob) => {
                // Some registries send all of it, whatever is asked for.
                let mut skip = offset.saturating_sub(blob.offset);
                loop {
                    let mut chunk = match blob.stream.next().await {
                        Some(Ok(chunk)) => chunk,
                        Some(Err(error)) => break registry.broken(&error),
                        None => break Error::Registry("the registry ended the layer too soon".to_owned()),
                    };
                    let skipped = skip.min(chunk.len() as u64);
                    skip -= skipped;
                    drop(chunk.split_to(usize::try_from(skipped).unwrap_or(chunk.len())));
                    if chunk.is_empty() {
                        continue;
                    }
                    offset += chunk.len() as u64;
                    if offset > wanted.size {
                        discard(path);
                        let wrong =
                            format!("the registry sends more than the {} bytes it announced", wanted.size);
                        return Err(Error::Layer { layer: wanted.digest.clone(), wrong });
                    }
                    hasher.update(&chunk);
                    file.write_all(&chunk).doing(writing)?;
                    progress(Event::Layer(
                        &wanted.digest,
                        LayerStep::Downloading { done: offset, total: wanted.size },
                    ));
                    if feed.send(chunk).await.is_err() {
                        return Ok(Came::Unwanted);
                    }
                    if offset == wanted.size {
                        return finish(wanted, hasher, path);
                    }
                }
            }
        };
        failures = if offset > before { 0 } else { failures + 1 };
        if failures == ATTEMPTS || !matches!(broke, Error::Registry(_)) {
            return Err(broke);
        }
        tokio::time::sleep(FIRST_PAUSE * 2_u32.pow(failures)).await;
    }
    finish(wanted, hasher, path)
}

/// How a download ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Came {
    /// All of it is here.
    Whole,
    /// Whoever was passed it on wanted no more.
    Unwanted,
}

fn finish(wanted: &Descriptor, hasher: Hasher, path: &Path) -> Result<Came> {
    let digest = hasher.finish();
    if digest == wanted.digest {
        return Ok(Came::Whole);
    }
    discard(path);
    let wrong = format!("the registry sent something of the digest {digest} for it");
    Err(Error::Layer { layer: wanted.digest.clone(), wrong })
}

/// What is wrong is not gone on with.
pub(crate) fn discard(path: &Path) {
    let _ = std::fs::remove_file(path);
}
