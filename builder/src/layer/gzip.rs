//! gzip on any number of threads with one outcome: blocks of one size, compressed each by itself,
//! joined as one member.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// What the bytes depend on beside the archive: it belongs into every key of a cache.
pub const COMPRESSOR: &str = "gzip zlib-rs-6 1MiB";

const BLOCK: usize = 1 << 20;

/// No name, no time, no system: a header that is always the same.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// Whether a block ends the member.
#[derive(Clone, Copy)]
enum End {
    More,
    Last,
}

struct Job {
    block: Vec<u8>,
    end: End,
    done: SyncSender<Compressed>,
}

struct Compressed {
    bytes: Vec<u8>,
    crc: Crc,
}

/// Compresses what is written to it.
pub struct GzipWriter<W: Write> {
    out: W,
    block: Vec<u8>,
    crc: Crc,
    jobs: Option<Sender<Job>>,
    /// Blocks on their way, in order.
    pending: VecDeque<Receiver<Compressed>>,
    threads: Vec<JoinHandle<()>>,
}

impl<W: Write> GzipWriter<W> {
    /// Starts the threads.
    ///
    /// # Errors
    /// When they can't be started, or `out` can't be written.
    pub fn new(mut out: W, threads: NonZeroUsize) -> io::Result<Self> {
        out.write_all(&HEADER)?;
        let (jobs, queue) = channel();
        let queue = Arc::new(Mutex::new(queue));
        let start = |_| {
            let queue = Arc::clone(&queue);
            std::thread::Builder::new().name("gzip".to_owned()).spawn(move || work(&queue))
        };
        let threads = (0..threads.get()).map(start).collect::<io::Result<_>>()?;
        let block = Vec::with_capacity(BLOCK);
        Ok(Self { out, block, crc: Crc::new(), jobs: Some(jobs), pending: VecDeque::new(), threads })
    }

    /// Ends the member.
    ///
    /// # Errors
    /// When `out` can't be written.
    pub fn finish(mut self) -> io::Result<W> {
        self.send(End::Last)?;
        while let Some(next) = self.pending.pop_front() {
            self.take(&next)?;
        }
        self.out.write_all(&self.crc.sum().to_le_bytes())?;
        self.out.write_all(&self.crc.amount().to_le_bytes())?;
        self.jobs = None;
        for thread in self.threads.drain(..) {
            thread.join().map_err(|_| stopped())?;
        }
        Ok(self.out)
    }

    /// Gives the block to the threads, and waits for the oldest one when many are on their way: memory
    /// is two blocks and their outcomes for each thread.
    fn send(&mut self, end: End) -> io::Result<()> {
        if self.pending.len() >= 2 * self.threads.len()
            && let Some(oldest) = self.pending.pop_front()
        {
            self.take(&oldest)?;
        }
        let block = std::mem::replace(&mut self.block, Vec::with_capacity(BLOCK));
        let (done, pending) = sync_channel(1);
        let jobs = self.jobs.as_ref().ok_or_else(stopped)?;
        jobs.send(Job { block, end, done }).map_err(|_| stopped())?;
        self.pending.push_back(pending);
        Ok(())
    }

    fn take(&mut self, pending: &Receiver<Compressed>) -> io::Result<()> {
        let compressed = pending.recv().map_err(|_| stopped())?;
        self.crc.combine(&compressed.crc);
        self.out.write_all(&compressed.bytes)
    }
}

impl<W: Write> Write for GzipWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full block waits for the next byte: the last one isn't known before the end.
        if self.block.len() == BLOCK {
            self.send(End::More)?;
        }
        let taken = bytes.len().min(BLOCK - self.block.len());
        self.block.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    /// Nothing: what is written early would depend on when.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn stopped() -> io::Error {
    io::Error::other("a compressing thread stopped")
}

fn work(queue: &Mutex<Receiver<Job>>) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        // No more jobs.
        let Ok(Job { block, end, done }) = job else { return };
        let mut crc = Crc::new();
        crc.update(&block);
        // Without a taker the writer has failed, and knows.
        drop(done.send(Compressed { bytes: compressed(&block, end), crc }));
    }
}

/// One block as raw deflate; all but the last end at a byte with nothing that later ones could refer to.
fn compressed(block: &[u8], end: End) -> Vec<u8> {
    let mut compress = Compress::new(Compression::new(6), false);
    let (flush, expected) = match end {
        End::More => (FlushCompress::Full, Status::Ok),
        End::Last => (FlushCompress::Finish, Status::StreamEnd),
    };
    // What can't be compressed is stored, with some bytes around each 16 KiB: with this room the outcome
    // is complete at once, and doesn't depend on where room ended.
    let mut bytes = Vec::with_capacity(block.len() + block.len() / 100 + 1024);
    let status = compress.compress_vec(block, &mut bytes, flush).expect("deflate takes any bytes");
    assert_eq!(status, expected);
    assert!(compress.total_in() == block.len() as u64 && bytes.len() < bytes.capacity());
    bytes
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use berth_oci::{Algorithm, Hasher};
    use proptest::prelude::*;

    use super::*;

    fn gzip(data: &[u8], threads: usize) -> Vec<u8> {
        let mut writer = GzipWriter::new(Vec::new(), NonZeroUsize::new(threads).unwrap()).unwrap();
        writer.write_all(data).unwrap();
        writer.finish().unwrap()
    }

    fn gunzip(bytes: &[u8]) -> Vec<u8> {
        let mut decoder = flate2::read::GzDecoder::new(bytes);
        let mut data = Vec::new();
        decoder.read_to_end(&mut data).unwrap();
        // One member: a reader that stops behind the first has all.
        assert!(decoder.into_inner().is_empty());
        data
    }

    /// Text, noise and zeros, so that blocks differ in how they compress.
    fn sample(length: usize) -> Vec<u8> {
        let mut state: u64 = 7;
        let mut next = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        (0..length)
            .map(|at| match at >> 18 & 3 {
                0 => b"all work and no play "[at % 21],
                1 => next(),
                2 => 0,
                _ => next() & 3,
            })
            .collect()
    }

    #[test]
    fn the_number_of_threads_has_no_influence() {
        let data = sample(9 * BLOCK + 12_345);
        let one = gzip(&data, 1);
        assert_eq!(gunzip(&one), data);
        for threads in [2, 7] {
            assert!(gzip(&data, threads) == one, "{threads} threads");
        }
    }

    /// When this fails after an update, the compressor is another one: give it another name.
    #[test]
    fn the_compressor_is_the_one_that_is_named() {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(&gzip(&sample(2 * BLOCK + 5), 2));
        let known = "sha256:81ed9884258133799e2994871a02788e5950b7b6fa120a610f762ef1405b0542";
        assert_eq!((COMPRESSOR, hasher.finish().as_str()), ("gzip zlib-rs-6 1MiB", known));
    }

    #[test]
    fn ends_of_blocks_are_no_ends_of_data() {
        for length in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK] {
            let data = sample(length);
            assert!(gunzip(&gzip(&data, 2)) == data, "{length}");
        }
    }

    #[test]
    fn how_it_is_written_has_no_influence() {
        let data = sample(2 * BLOCK + 77);
        let whole = gzip(&data, 2);
        let mut writer = GzipWriter::new(Vec::new(), NonZeroUsize::MIN).unwrap();
        for part in data.chunks(65_521) {
            writer.write_all(part).unwrap();
            writer.flush().unwrap();
        }
        assert!(writer.finish().unwrap() == whole);
    }

    #[test]
    fn a_writer_that_fails_is_told_and_nothing_hangs() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                if bytes.len() == HEADER.len() { Ok(bytes.len()) } else { Err(io::Error::other("full")) }
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut writer = GzipWriter::new(Full, NonZeroUsize::new(2).unwrap()).unwrap();
        let failed = writer.write_all(&sample(8 * BLOCK)).and_then(|()| writer.finish().map(|_| ()));
        assert_eq!(failed.unwrap_err().to_string(), "full");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn what_is_packed_is_unpacked(data in proptest::collection::vec(any::<u8>(), 0..5_000)) {
            prop_assert_eq!(gunzip(&gzip(&data, 1)), data);
        }
    }
}
