//! The bytes that are pushed and pulled: one file of noise, of which every blob is a slice.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

pub(crate) const MIB: u64 = 1 << 20;
const SIZE: u64 = 512 * MIB;

/// Makes the file when first asked for a slice.
pub(crate) struct Payload {
    path: PathBuf,
    file: Option<Arc<File>>,
}

/// A blob: a part of the file, and its digest, computed before anything is timed.
#[derive(Clone)]
pub(crate) struct Slice {
    pub(crate) file: Arc<File>,
    pub(crate) offset: u64,
    pub(crate) length: u64,
    pub(crate) digest: String,
}

impl Slice {
    pub(crate) fn copy_to(&self, target: &mut File) -> Result<()> {
        let mut offset = self.offset;
        while offset < self.offset + self.length {
            let missing = (self.offset + self.length - offset) as usize;
            rustix::fs::sendfile(&*target, &*self.file, Some(&mut offset), missing)?;
        }
        Ok(())
    }
}

impl Payload {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, file: None }
    }

    /// The blob of `length` bytes at `offset`; different offsets give different blobs.
    pub(crate) fn slice(&mut self, offset: u64, length: u64) -> Result<Slice> {
        let file = match &self.file {
            Some(file) => Arc::clone(file),
            None => {
                let file = Arc::new(noise(&self.path, SIZE).context("writing the bytes to push")?);
                self.file = Some(Arc::clone(&file));
                file
            }
        };
        let digest = digest_of(&file, offset, length, 1)?;
        Ok(Slice { file, offset, length, digest })
    }

    /// The blob of all bytes there are; beside it the digest of so many of them, one after another.
    pub(crate) fn repeated(&mut self, times: u64) -> Result<(Slice, String)> {
        let slice = self.slice(0, SIZE)?;
        let digest = digest_of(&slice.file, 0, SIZE, times)?;
        Ok((slice, digest))
    }
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

fn digest_of(file: &File, offset: u64, length: u64, times: u64) -> Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; MIB as usize];
    for _ in 0..times {
        let mut done = 0;
        while done < length {
            let wanted = MIB.min(length - done) as usize;
            file.read_exact_at(&mut buffer[..wanted], offset + done)?;
            hash.update(&buffer[..wanted]);
            done += wanted as u64;
        }
    }
    Ok(format!("sha256:{}", hex::encode(hash.finalize())))
}

/// Bytes without structure (xorshift), the same in every run.
fn noise(path: &Path, size: u64) -> Result<File> {
    let mut file = File::options().read(true).write(true).create_new(true).open(path)?;
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut buffer = vec![0; MIB as usize];
    for _ in 0..size / MIB {
        for word in buffer.chunks_exact_mut(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            word.copy_from_slice(&state.to_le_bytes());
        }
        file.write_all(&buffer)?;
    }
    file.sync_all()?;
    Ok(file)
}

pub(crate) fn write_and_delete(path: &Path, size: u64) -> Result<()> {
    let mut file = File::create(path)?;
    let buffer = vec![1; MIB as usize];
    for _ in 0..size / MIB {
        file.write_all(&buffer)?;
    }
    std::fs::remove_file(path)?;
    Ok(())
}
