//! A piece of an upload in the spool: a part to be, or the end that is none yet.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use aws_sdk_s3::primitives::{ByteStream as Body, SdkBody};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::StreamExt;
use http_body::{Frame, SizeHint};
use parking_lot::Mutex;

use super::bucket::Content;
use super::spool::Room;
use crate::blob_store::read::stream_file;
use crate::blob_store::{ByteRange, ByteStream};
use crate::error::{Fault, OrFault};
use crate::{BufferBudget, blocking};

/// How many bytes are summed up at a time.
const SUMMED_AT_ONCE: usize = 128 * 1024;

/// Bytes of an upload from an offset on, in a file that nothing names.
#[derive(Debug)]
pub(super) struct Segment {
    file: Arc<File>,
    /// Where in the upload it begins.
    pub(super) first: u64,
    /// How many bytes it has.
    pub(super) length: u64,
    /// How many it has when it is full.
    pub(super) full: u64,
    room: Option<Room>,
}

impl Segment {
    pub(super) fn new(file: File, first: u64, full: u64) -> Self {
        Self { file: Arc::new(file), first, length: 0, full, room: None }
    }

    /// One past the offset of its last byte.
    pub(super) const fn end(&self) -> u64 {
        self.first + self.length
    }

    pub(super) const fn is_full(&self) -> bool {
        self.length >= self.full
    }

    /// How many bytes more it takes.
    pub(super) const fn left(&self) -> u64 {
        self.full.saturating_sub(self.length)
    }

    /// Writes `bytes` at its end, for which `room` was got.
    pub(super) async fn write(&mut self, bytes: Vec<Bytes>, room: Room) -> Result<(), Fault> {
        let (file, mut at) = (Arc::clone(&self.file), self.length);
        let written = blocking("writing to the spool", move || {
            for piece in &bytes {
                file.write_all_at(piece, at)?;
                at += piece.len() as u64;
            }
            Ok::<_, io::Error>(at)
        });
        self.length = written.await?.or_fault(|| "writing to the spool".to_owned())?;
        match &mut self.room {
            Some(held) => held.join(room),
            held @ None => *held = Some(room),
        }
        Ok(())
    }

    /// Forgets what lies behind the upload's `offset`.
    pub(super) fn cut(&mut self, offset: u64) {
        self.length = self.length.min(offset.saturating_sub(self.first));
    }

    /// Its bytes, to be sent, more than once if need be.
    pub(super) async fn content(&self, budget: &BufferBudget, checked: bool) -> Result<Content, Fault> {
        let crc = if checked { Some(self.crc().await?) } else { None };
        let (file, length, budget) = (Arc::clone(&self.file), self.length, budget.clone());
        let body = SdkBody::retryable(move || {
            let range = ByteRange { first: 0, end: length };
            let bytes = stream_file(Arc::clone(&file), "the spool", range, &budget);
            SdkBody::from_body_1_x(FileBody { bytes: Mutex::new(bytes), left: length })
        });
        Ok(Content { body: Body::new(body), size: length, crc })
    }

    /// Its bytes in memory.
    pub(super) async fn read(&self) -> Result<Bytes, Fault> {
        let (file, length) = (Arc::clone(&self.file), self.length);
        let read = blocking("reading from the spool", move || {
            let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
            file.read_exact_at(&mut bytes, 0)?;
            Ok::<_, io::Error>(Bytes::from(bytes))
        });
        read.await?.or_fault(|| "reading from the spool".to_owned())
    }

    async fn crc(&self) -> Result<String, Fault> {
        let (file, length) = (Arc::clone(&self.file), self.length);
        let summed = blocking("summing up a part", move || {
            let (mut digest, mut at) = (crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi), 0);
            let mut buffer = vec![0; SUMMED_AT_ONCE];
            while at < length {
                let wanted = buffer.len().min(usize::try_from(length - at).unwrap_or(usize::MAX));
                file.read_exact_at(&mut buffer[..wanted], at)?;
                digest.update(&buffer[..wanted]);
                at += wanted as u64;
            }
            Ok::<_, io::Error>(crc_in_base64(digest.finalize()))
        });
        summed.await?.or_fault(|| "reading from the spool".to_owned())
    }
}

/// Bytes in memory, to be sent.
pub(super) fn content_of(bytes: Bytes, checked: bool) -> Content {
    let crc = checked.then(|| crc_in_base64(crc_fast::crc32_iscsi(&bytes).into()));
    Content { size: bytes.len() as u64, crc, body: Body::from(bytes) }
}

/// As S3 writes it: big-endian.
fn crc_in_base64(crc: u64) -> String {
    STANDARD.encode(&crc.to_be_bytes()[4..])
}

/// A file as a request's body, whose length is known.
struct FileBody {
    /// Never locked: a body is to be `Sync`.
    bytes: Mutex<ByteStream>,
    left: u64,
}

impl http_body::Body for FileBody {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let polled = self.bytes.get_mut().poll_next_unpin(cx);
        if let Poll::Ready(Some(Ok(bytes))) = &polled {
            self.left = self.left.saturating_sub(bytes.len() as u64);
        }
        polled.map(|next| next.map(|bytes| bytes.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_written_as_s3_writes_it() {
        // The check value of CRC-32C is E3069283.
        assert_eq!(content_of(Bytes::from_static(b"123456789"), true).crc.as_deref(), Some("4waSgw=="));
    }
}
