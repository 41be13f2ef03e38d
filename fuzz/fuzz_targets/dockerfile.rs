//! Dockerfiles: read, or refused with lines that are there, never a panic; what is read stands in order,
//! and is planned and carried out as far as that needs no files.
#![no_main]

use std::collections::BTreeMap;

use berth_builder::dockerfile::{Global, Inputs, parser};
use berth_builder::image::Draft;
use berth_builder::plan::{Origin, Plan};
use berth_builder::{Dockerfile, Problem};
use berth_oci::Platform;
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
    if let Err(problem) = made(&dockerfile) {
        assert!(problem.lines.last <= count);
        assert!(!problem.refusal.what.is_empty() && !problem.refusal.remedy.is_empty());
    }
});

/// Carries out everything, with images in which there is nothing.
fn made(dockerfile: &Dockerfile) -> Result<(), Problem> {
    let platform = Platform { architecture: "amd64".to_owned(), os: "linux".to_owned(), variant: None };
    let inputs = Inputs {
        arguments: BTreeMap::new(),
        build_platform: platform.clone(),
        target_platform: platform,
        target: String::new(),
    };
    let global = Global::new(dockerfile, inputs)?;
    let target = dockerfile.target(None).expect("there is a last stage");
    let mut plan = Plan::new(dockerfile, &global, target)?;
    for number in plan.without_triggers() {
        plan.add_triggers(number, &["RUN echo $PATH".to_owned()])?;
    }
    let mut drafts: BTreeMap<usize, Draft<'_>> = BTreeMap::new();
    for number in plan.order()? {
        let stage = plan.stage(number);
        assert!(plan.waits_for(number).iter().all(|other| drafts.contains_key(other)));
        let mut draft = match &stage.base {
            Origin::Stage(base) => Draft::from_stage(&drafts[base]),
            Origin::Image(_) | Origin::Scratch => Draft::scratch(&global),
        };
        for step in &stage.steps {
            std::hint::black_box((draft.apply(&step.instruction)?, draft.shown(&step.instruction)));
        }
        assert!(draft.image().config.env.iter().any(|it| it.starts_with("PATH=")));
        drafts.insert(number, draft);
    }
    Ok(())
}
