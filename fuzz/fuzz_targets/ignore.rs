//! `.dockerignore`: patterns behind a path; a walk that asks folder by folder comes to the same.
#![no_main]

use berth_builder::ignore::{Above, Ignore};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (path, patterns) = bytes.split_at(bytes.iter().position(|b| *b == b'\n').unwrap_or(bytes.len()));
    let Ok(path) = std::str::from_utf8(path) else { return };
    let ignore = match Ignore::read(patterns) {
        Ok(ignore) => ignore,
        Err(problem) => {
            assert!(problem.lines.last <= patterns.split(|b| *b == b'\n').count());
            return;
        }
    };
    let mut above = Above::default();
    let mut ignored = false;
    let mut ends: Vec<usize> = path.match_indices('/').map(|(at, _)| at).collect();
    ends.push(path.len());
    for end in ends {
        let was = ignored;
        (ignored, above) = ignore.enter(&above, &path[..end]);
        // What is in a folder that is left out is left out with it, unless something takes it back.
        assert!(ignored || !was || ignore.has_exceptions());
    }
    assert_eq!(ignore.ignores(path), ignored);
});
