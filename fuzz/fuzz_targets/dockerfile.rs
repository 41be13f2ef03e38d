//! Dockerfiles: read, or refused with lines that are there, never a panic; what is read stands in order.
#![no_main]

use berth_builder::Dockerfile;
use berth_builder::dockerfile::parser;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let count = bytes.split(|b| *b == b'\n').count();
    let dockerfile = match Dockerfile::parse(bytes) {
        Ok(dockerfile) => dockerfile,
        Err(problem) => {
            assert!(problem.lines.first >= 1 && problem.lines.first <= problem.lines.last);
            assert!(problem.lines.last <= count);
            assert!(!problem.refusal.what.is_empty() && !problem.refusal.remedy.is_empty());
            return;
        }
    };
    let mut last = 0;
    let mut instructions = 0;
    for stage in &dockerfile.stages {
        let sources = stage.instructions.iter().map(|it| &it.source);
        for source in std::iter::once(&stage.source).chain(sources) {
            assert!(source.lines.first > last && source.lines.first <= source.lines.last);
            last = source.lines.last;
            instructions += 1;
        }
    }
    assert!(last <= count);
    let tree = parser::parse(bytes).expect("a Dockerfile has a tree");
    assert_eq!(tree.nodes.len(), instructions + dockerfile.arguments.len());
});
