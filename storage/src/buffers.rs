//! Buffers for bytes on their way, used again and bounded all together.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

/// The smallest buffer, in bytes. Each response and each upload may always have one of these, whatever the budget.
pub(crate) const SMALLEST: usize = 64 * 1024;
/// The largest buffer, in bytes.
pub(crate) const LARGEST: usize = 1024 * 1024;
/// How many bytes of idle buffers are kept for the next one.
const KEPT: usize = 8 * LARGEST;

/// How much memory all who share it may use for buffers; cheap to clone, shared by the clones.
#[derive(Debug, Clone)]
pub struct BufferBudget(Arc<Mutex<Pool>>);

#[derive(Debug)]
struct Pool {
    /// Below zero while small buffers are out that the budget had no room for.
    left: isize,
    kept: usize,
    idle: Vec<Vec<u8>>,
}

impl BufferBudget {
    /// A budget of `bytes`.
    pub fn new(bytes: usize) -> Self {
        let left = isize::try_from(bytes).unwrap_or(isize::MAX);
        Self(Arc::new(Mutex::new(Pool { left, kept: 0, idle: Vec::new() })))
    }

    /// A buffer of `wanted` bytes, or the smallest when the budget has no room for it.
    pub(crate) fn take(&self, wanted: usize) -> Buffer {
        let wanted = wanted.clamp(1, LARGEST).next_power_of_two().max(SMALLEST);
        let mut pool = self.0.lock();
        let size = if wanted.cast_signed() <= pool.left { wanted } else { SMALLEST };
        pool.left = pool.left.saturating_sub_unsigned(size);
        let idle = pool.idle.iter().rposition(|buffer| buffer.len() == size);
        let reused = idle.map(|at| pool.idle.swap_remove(at));
        if reused.is_some() {
            pool.kept -= size;
        }
        drop(pool);
        let bytes = reused.unwrap_or_else(|| vec![0; size]);
        Buffer { bytes, budget: self.clone() }
    }
}

/// A buffer that goes back to its budget when the last reader of its bytes is done.
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    budget: BufferBudget,
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        let mut pool = self.budget.0.lock();
        pool.left = pool.left.saturating_add_unsigned(bytes.len());
        if pool.kept + bytes.len() <= KEPT {
            pool.kept += bytes.len();
            pool.idle.push(bytes);
        }
    }
}

/// The first `filled` bytes of a buffer, as an owner for [`bytes::Bytes`].
pub(crate) struct Filled {
    pub(crate) buffer: Buffer,
    pub(crate) filled: usize,
}

impl Filled {
    /// An empty buffer, to be filled.
    pub(crate) const fn new(buffer: Buffer) -> Self {
        Self { buffer, filled: 0 }
    }

    /// Whether no byte more fits.
    pub(crate) fn is_full(&self) -> bool {
        self.filled == self.buffer.len()
    }

    /// Copies from the front of `bytes` as much as fits.
    pub(crate) fn take_from(&mut self, bytes: &mut Bytes) {
        let room = &mut self.buffer[self.filled..];
        let taken = bytes.split_to(room.len().min(bytes.len()));
        room[..taken.len()].copy_from_slice(&taken);
        self.filled += taken.len();
    }
}

impl AsRef<[u8]> for Filled {
    fn as_ref(&self) -> &[u8] {
        &self.buffer[..self.filled]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_buffers_beyond_the_budget_do_not_make_it_grow() {
        let budget = BufferBudget::new(LARGEST);
        let large = budget.take(LARGEST);
        let beyond: Vec<Buffer> = (0..100).map(|_| budget.take(LARGEST)).collect();
        assert!(beyond.iter().all(|buffer| buffer.len() == SMALLEST));
        drop(beyond);
        assert_eq!(budget.take(LARGEST).len(), SMALLEST);
        drop(large);
        assert_eq!(budget.take(LARGEST).len(), LARGEST);
    }
}
