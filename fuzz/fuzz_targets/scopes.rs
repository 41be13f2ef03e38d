//! The `scope` parameter: bounded, each resource once, and written so that it reads the same.
#![no_main]

use std::collections::HashSet;

use berth_auth::{Scope, parse_scopes};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let scopes = parse_scopes(text.lines());
    assert!(scopes.len() <= 32);
    let resources: HashSet<_> = scopes.iter().map(|scope| &scope.resource).collect();
    assert_eq!(resources.len(), scopes.len());
    assert!(scopes.iter().all(|scope| !scope.words.is_empty()));
    let written: Vec<String> = scopes.iter().map(Scope::to_string).collect();
    assert_eq!(parse_scopes([written.join(" ").as_str()]), scopes);
});
