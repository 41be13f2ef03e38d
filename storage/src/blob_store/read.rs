//! A local file as a stream: buffers that grow, the next read started while the last is written.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use rustix::io::{ReadWriteFlags, preadv2};
use tokio::task::{JoinHandle, spawn_blocking};

use super::{ByteRange, ByteStream};
use crate::buffers::{Buffer, BufferBudget, Filled, LARGEST, SMALLEST};
use crate::error::Fault;

struct Reading {
    file: Arc<File>,
    name: Arc<str>,
    budget: BufferBudget,
    next: u64,
    end: u64,
    size: usize,
    ahead: Option<JoinHandle<io::Result<Filled>>>,
}

/// The bytes of `range` of `file`, which `name` names in errors.
pub(super) fn stream_file(
    file: impl Into<Arc<File>>,
    name: &str,
    range: ByteRange,
    budget: &BufferBudget,
) -> ByteStream {
    let reading = Reading {
        file: file.into(),
        name: name.into(),
        budget: budget.clone(),
        next: range.first,
        end: range.end,
        size: SMALLEST,
        ahead: None,
    };
    stream::unfold(reading, |mut reading| async move {
        if reading.next >= reading.end {
            return None;
        }
        match reading.piece().await {
            Ok(bytes) => Some((Ok(bytes), reading)),
            Err(error) => {
                let fault = Fault::new(format!("reading {}", reading.name), error);
                // Nothing follows an error.
                reading.next = reading.end;
                Some((Err(fault), reading))
            }
        }
    })
    .boxed()
}

impl Reading {
    async fn piece(&mut self) -> io::Result<Bytes> {
        let read = match self.ahead.take() {
            Some(running) => running.await.map_err(io::Error::other)??,
            None => {
                let buffer = self.buffer();
                match cached(&self.file, self.next, buffer, self.left()) {
                    Ok(read) => read,
                    Err(buffer) => self.start(buffer).await.map_err(io::Error::other)??,
                }
            }
        };
        if read.filled == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file is shorter than its blob"));
        }
        self.next += read.filled as u64;
        self.size = (self.size * 2).min(LARGEST);
        // What the page cache holds is copied at once when it is asked for; only a disk is worth
        // reading ahead from.
        if self.next < self.end && !self.is_cached() {
            let buffer = self.buffer();
            self.ahead = Some(self.start(buffer));
        }
        Ok(Bytes::from_owner(read))
    }

    fn left(&self) -> usize {
        usize::try_from(self.end - self.next).unwrap_or(usize::MAX)
    }

    fn buffer(&self) -> Buffer {
        self.budget.take(self.size.min(self.left()))
    }

    /// Reads the next piece on a thread that may block.
    fn start(&self, mut buffer: Buffer) -> JoinHandle<io::Result<Filled>> {
        let (file, offset, left) = (Arc::clone(&self.file), self.next, self.left());
        spawn_blocking(move || {
            let wanted = buffer.len().min(left);
            let filled = file.read_at(&mut buffer[..wanted], offset)?;
            Ok(Filled { buffer, filled })
        })
    }

    fn is_cached(&self) -> bool {
        let mut probe = [0u8; 1];
        preadv2(&self.file, &mut [IoSliceMut::new(&mut probe)], self.next, ReadWriteFlags::NOWAIT).is_ok()
    }
}

/// Reads what the page cache holds without waiting; gives the buffer back when it holds nothing,
/// or the file system doesn't know how to say so.
fn cached(file: &File, offset: u64, mut buffer: Buffer, left: usize) -> Result<Filled, Buffer> {
    let wanted = buffer.len().min(left);
    let read = preadv2(file, &mut [IoSliceMut::new(&mut buffer[..wanted])], offset, ReadWriteFlags::NOWAIT);
    match read {
        Ok(filled) if filled > 0 => Ok(Filled { buffer, filled }),
        _ => Err(buffer),
    }
}
