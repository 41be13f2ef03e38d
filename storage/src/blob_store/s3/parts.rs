//! How an upload is cut into parts: no more than 10,000, however large it grows.

use std::num::NonZeroU64;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// The most parts that S3 takes.
const MOST_PARTS: u64 = 10_000;
/// The smallest part that S3 takes, but for the last, in bytes.
const SMALLEST: u64 = 5 * MIB;
/// The part that an upload begins with, in bytes.
const FIRST: u64 = 8 * MIB;
/// The largest part that is made, in bytes.
const LARGEST: u64 = 128 * MIB;
/// A part is about this fraction of what came before it.
const FRACTION: u64 = 2048;

/// The largest blob, in bytes.
pub(super) const LARGEST_BLOB: u64 = 500 * GIB;

/// How large parts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartSizes {
    /// They grow with the offset, so that small blobs are sent soon and large ones in few parts.
    Growing,
    /// All are of so many bytes, but for the last: what some servers insist on.
    Uniform(NonZeroU64),
}

impl PartSizes {
    /// The largest blob, in bytes.
    pub(super) fn largest_blob(self) -> u64 {
        match self {
            Self::Growing => LARGEST_BLOB,
            Self::Uniform(size) => LARGEST_BLOB.min(size.get().saturating_mul(MOST_PARTS)),
        }
    }

    /// How large the part at `offset` is, which `parts` come before; in bytes.
    pub(super) fn size(self, offset: u64, parts: u64) -> u64 {
        match self {
            Self::Growing => {
                let wanted = (offset / FRACTION).max(1).next_power_of_two().clamp(FIRST, LARGEST);
                if leaves_room(wanted, offset, parts) { wanted } else { LARGEST }
            }
            Self::Uniform(size) => size.get(),
        }
    }

    /// Whether `held` bytes at `offset`, which `parts` come before, may become a part before it is
    /// full: the largest blob must stay possible in the parts that are left.
    pub(super) fn may_cut_short(self, held: u64, offset: u64, parts: u64) -> bool {
        match self {
            Self::Growing => held >= SMALLEST && leaves_room(held, offset, parts),
            Self::Uniform(_) => false,
        }
    }
}

/// Whether the largest blob stays possible when the next part has `size` bytes.
const fn leaves_room(size: u64, offset: u64, parts: u64) -> bool {
    let left = MOST_PARTS.saturating_sub(parts + 1);
    LARGEST_BLOB.saturating_sub(offset + size) <= left * LARGEST
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uniform(size: u64) -> PartSizes {
        PartSizes::Uniform(NonZeroU64::new(size).unwrap())
    }

    /// How many parts a blob takes, of which every one that may be is cut short at `cut` bytes.
    fn parts_of(sizes: PartSizes, blob: u64, cut: Option<u64>) -> u64 {
        let (mut offset, mut parts) = (0, 0);
        while offset < blob {
            let full = sizes.size(offset, parts);
            let short = cut.filter(|cut| *cut < full && sizes.may_cut_short(*cut, offset, parts));
            offset += short.unwrap_or(full);
            parts += 1;
        }
        parts
    }

    #[test]
    fn the_largest_blob_fits_into_the_parts_that_there_may_be() {
        let parts = parts_of(PartSizes::Growing, LARGEST_BLOB, None);
        assert!((7000..=MOST_PARTS).contains(&parts), "{parts}");
    }

    #[test]
    fn the_largest_blob_fits_also_when_every_part_is_cut_short_that_may_be() {
        for cut in [SMALLEST, 6 * MIB, 20 * MIB, 100 * MIB] {
            let parts = parts_of(PartSizes::Growing, LARGEST_BLOB, Some(cut));
            assert!(parts <= MOST_PARTS, "{parts} parts when cut at {cut}");
        }
    }

    #[test]
    fn parts_grow_with_the_offset() {
        let sizes = [0, GIB, 20 * GIB, 40 * GIB, 100 * GIB, 300 * GIB].map(|offset| {
            let parts = parts_of(PartSizes::Growing, offset, None);
            PartSizes::Growing.size(offset, parts) / MIB
        });
        assert_eq!(sizes, [8, 8, 16, 32, 64, 128]);
    }

    #[test]
    fn less_than_the_smallest_part_is_not_cut() {
        assert!(!PartSizes::Growing.may_cut_short(SMALLEST - 1, 0, 0));
        assert!(PartSizes::Growing.may_cut_short(SMALLEST, 0, 0));
    }

    #[test]
    fn uniform_parts_are_all_alike_and_bound_the_largest_blob() {
        let sizes = uniform(16 * MIB);
        assert!([0, GIB, 100 * GIB].iter().all(|offset| sizes.size(*offset, offset / MIB) == 16 * MIB));
        assert!(!sizes.may_cut_short(15 * MIB, 0, 0));
        assert_eq!(sizes.largest_blob(), 16 * MIB * MOST_PARTS);
        assert_eq!(parts_of(sizes, sizes.largest_blob(), None), MOST_PARTS);
        assert_eq!(uniform(GIB).largest_blob(), LARGEST_BLOB);
    }
}
