//! The range of a chunk: an accepted one is in order, and reads the same in the plain form.
#![no_main]

use berth_oci::ChunkRange;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(range) = text.parse::<ChunkRange>() else { return };
    assert!(range.first <= range.last);
    assert_eq!(range.first + range.len(), range.last + 1);
    let plain = format!("{}-{}", range.first, range.last);
    assert_eq!(plain.parse(), Ok(range), "{text}");
});
