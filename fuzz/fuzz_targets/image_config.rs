//! An image's configuration: read without a panic, and what is written of it read back the same.
#![no_main]

use berth_oci::ImageConfig;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(config) = ImageConfig::parse(bytes) else { return };
    let written = serde_json::to_vec(&config).expect("what was read can be written");
    assert_eq!(ImageConfig::parse(&written).as_ref(), Ok(&config));
});
