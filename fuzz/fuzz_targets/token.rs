//! Bearer tokens: nothing but a signature of a known key makes one believed.
#![no_main]

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use berth_auth::{PublicKey, Verifier};
use libfuzzer_sys::fuzz_target;

/// RFC 8032's first public key: the fuzzer has no private one.
const KEY: [u8; 32] = [
    0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e,
    0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
];

static VERIFIER: LazyLock<(Verifier, String)> = LazyLock::new(|| {
    let key = PublicKey::from_bytes(&KEY).expect("the key of the RFC is a key");
    let kid = key.id().as_str().to_owned();
    (Verifier::new("berth", "berth", [&key]), kid)
});

/// A token of three parts, lines of `text`; `KID` stands for the id of the key that is known.
fn assembled(text: &str, kid: &str) -> String {
    let parts = text.splitn(3, '\n').map(|part| URL_SAFE_NO_PAD.encode(part.replace("KID", kid)));
    parts.collect::<Vec<_>>().join(".")
}

fuzz_target!(|text: &str| {
    let (verifier, kid) = &*VERIFIER;
    for token in [text.to_owned(), assembled(text, kid)] {
        assert!(verifier.verify(&token, 1_700_000_000).is_err(), "{token} is believed");
    }
});
