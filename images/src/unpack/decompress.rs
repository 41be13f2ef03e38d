//! A layer's bytes as they come, decompressed and hashed in a thread of their own.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, channel, sync_channel};

use berth_oci::{Algorithm, Digest, Hasher};
use bytes::{Buf, Bytes};
use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;
use liblzma::bufread::XzDecoder;
use liblzma::stream::{CONCATENATED, Stream};
use tokio::sync::mpsc;

use super::folder::too_large;
use super::{Archive, Limits, Privilege, Unpacked, Wrong, unpack};

/// How much is decompressed at a time, and how many such pieces wait to be unpacked.
const PIECE_BYTES: usize = 256 * 1024;
const PIECES: usize = 8;
/// How much memory undoing xz may take: that of `xz -9` and as much again.
const XZ_MEMORY: u64 = 128 << 20;

/// A layer's bytes, compressed or not, as something else receives them.
pub(crate) struct Feed {
    pieces: mpsc::Receiver<Bytes>,
    piece: Bytes,
}

/// Where a layer's files go.
pub(crate) enum Sink<'f> {
    /// Into this empty folder.
    Folder(&'f Path, Privilege),
    /// Nowhere: they are there already, and only the bytes are to be checked.
    Nowhere,
}

/// What was read.
#[derive(Debug)]
pub(crate) struct Read {
    /// The digest of the archive.
    pub(crate) diff_id: Digest,
    pub(crate) unpacked: Unpacked,
}

impl Feed {
    pub(crate) fn new(pieces: mpsc::Receiver<Bytes>) -> Self {
        Self { pieces, piece: Bytes::new() }
    }
}

impl io::Read for Feed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let length = available.len().min(into.len());
        into[..length].copy_from_slice(&available[..length]);
        self.consume(length);
        Ok(length)
    }
}

impl BufRead for Feed {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.piece.is_empty() {
            match self.pieces.blocking_recv() {
                Some(piece) => self.piece = piece,
                None => return Ok(&[]),
            }
        }
        Ok(&self.piece)
    }

    fn consume(&mut self, length: usize) {
        self.piece.advance(length);
    }
}

/// Reads a whole layer: decompresses and hashes it, and unpacks it meanwhile. Blocks.
pub(crate) fn read_layer(
    input: impl BufRead + Send,
    algorithm: Algorithm,
    limits: Limits,
    sink: &Sink<'_>,
) -> Result<Read, Wrong> {
    std::thread::scope(|scope| {
        let (full, pieces) = sync_channel(PIECES);
        // Emptied buffers go back: faulting new ones in costs as much as hashing them.
        let (back, empty) = channel();
        let reading = scope.spawn(move || decompress(input, algorithm, limits, &full, &empty));
        let mut archive = Pieces { pieces, back, piece: Vec::new(), at: 0 };
        let unpacked = match sink {
            Sink::Folder(folder, privilege) => unpack(&mut archive, folder, limits, *privilege),
            Sink::Nowhere => Ok(Unpacked::default()),
        };
        if unpacked.is_ok() {
            // What follows the archive's end belongs to its digest.
            while archive.refill() {}
        }
        drop(archive);
        let read = reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        match (read, unpacked) {
            // Bytes that end too soon are the cause of an archive that does.
            (Err(wrong), _) if !matches!(wrong, Wrong::Source(ref error) if is_stopped(error)) => Err(wrong),
            (_, Err(wrong)) => Err(wrong),
            (Err(wrong), Ok(_)) => Err(wrong),
            (Ok(diff_id), Ok(unpacked)) => Ok(Read { diff_id, unpacked }),
        }
    })
}

/// The unpacking stopped, and nobody wants the rest.
fn is_stopped(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

fn decompress(
    input: impl BufRead,
    algorithm: Algorithm,
    limits: Limits,
    full: &SyncSender<Vec<u8>>,
    empty: &Receiver<Vec<u8>>,
) -> Result<Digest, Wrong> {
    let mut input = decoder(input)?;
    let (mut hasher, mut total) = (Hasher::new(algorithm), 0);
    loop {
        let mut piece = empty.try_recv().unwrap_or_default();
        piece.resize(PIECE_BYTES, 0);
        let mut filled = 0;
        while filled < PIECE_BYTES {
            match input.read(&mut piece[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Wrong::Source(error)),
            }
        }
        if filled == 0 {
            return Ok(hasher.finish());
        }
        total += filled as u64;
        if total > limits.bytes {
            return Err(too_large(limits));
        }
        piece.truncate(filled);
        hasher.update(&piece);
        let stopped = || Wrong::Source(io::ErrorKind::BrokenPipe.into());
        match full.try_send(piece) {
            Ok(()) => {}
            Err(TrySendError::Full(piece)) => full.send(piece).map_err(|_| stopped())?,
            Err(TrySendError::Disconnected(_)) => return Err(stopped()),
        }
    }
}

/// What undoes the compression, known by the first bytes as docker knows it, whatever the manifest says.
pub(crate) fn decoder<'i>(mut input: impl BufRead + 'i) -> Result<Box<dyn io::Read + 'i>, Wrong> {
    const LONGEST: usize = 6;
    let mut start = Vec::with_capacity(LONGEST);
    while start.len() < LONGEST {
        let available = input.fill_buf().map_err(Wrong::Source)?;
        if available.is_empty() {
            break;
        }
        let length = available.len().min(LONGEST - start.len());
        start.extend_from_slice(&available[..length]);
        input.consume(length);
    }
    let is = |magic: &[u8]| start.starts_with(magic);
    let (gzip, zstd) = (is(&[0x1f, 0x8b]), is(&[0x28, 0xb5, 0x2f, 0xfd]));
    let (xz, bzip2) = (is(b"\xfd7zXZ\0"), is(b"BZh"));
    let input = io::Read::chain(io::Cursor::new(start), input);
    Ok(if gzip {
        Box::new(MultiGzDecoder::new(input))
    } else if zstd {
        Box::new(zstd::Decoder::with_buffer(input).map_err(Wrong::Source)?)
    } else if xz {
        let stream = Stream::new_stream_decoder(XZ_MEMORY, CONCATENATED).map_err(io::Error::from);
        Box::new(XzDecoder::new_stream(input, stream.map_err(Wrong::Source)?))
    } else if bzip2 {
        Box::new(MultiBzDecoder::new(input))
    } else {
        Box::new(input)
    })
}

/// Unpacks an archive that may be compressed into the empty folder at `folder`, as [`unpack`] does.
///
/// # Errors
/// As [`unpack`], and when it is compressed in an unknown way.
pub fn unpack_any(
    input: impl BufRead,
    folder: &Path,
    limits: Limits,
    privilege: Privilege,
) -> Result<Unpacked, Wrong> {
    unpack(BufReader::with_capacity(1 << 20, decoder(input)?), folder, limits, privilege)
}

/// Whether the file at `path` is an archive, compressed or not: it has a first entry.
pub fn is_archive(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    match decoder(BufReader::new(file)) {
        Ok(plain) => Archive::new(BufReader::new(plain)).next_entry().is_ok_and(|entry| entry.is_some()),
        Err(_) => false,
    }
}

/// Decompressed pieces as one stream.
struct Pieces {
    pieces: Receiver<Vec<u8>>,
    back: std::sync::mpsc::Sender<Vec<u8>>,
    piece: Vec<u8>,
    at: usize,
}

impl Pieces {
    /// Whether there is another piece.
    fn refill(&mut self) -> bool {
        let Ok(piece) = self.pieces.recv() else { return false };
        let used = std::mem::replace(&mut self.piece, piece);
        self.at = 0;
        // Nobody takes them back at the end.
        let _ = self.back.send(used);
        true
    }
}

impl io::Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let length = available.len().min(into.len());
        into[..length].copy_from_slice(&available[..length]);
        self.consume(length);
        Ok(length)
    }
}

impl BufRead for Pieces {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.piece.len() && !self.refill() {
            return Ok(&[]);
        }
        Ok(&self.piece[self.at..])
    }

    fn consume(&mut self, length: usize) {
        self.at += length;
    }
}
