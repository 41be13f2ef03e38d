use std::collections::BTreeMap;

use berth_oci::Platform;

use super::*;
use crate::dockerfile::Inputs;

fn planned(text: &str) -> Result<Plan, Problem> {
    let dockerfile = Dockerfile::parse(text.as_bytes())?;
    let platform = Platform { architecture: "amd64".to_owned(), os: "linux".to_owned(), variant: None };
    let inputs = Inputs {
        arguments: BTreeMap::new(),
        build_platform: platform.clone(),
        target_platform: platform,
        target: String::new(),
    };
    Plan::new(&dockerfile, &Global::new(&dockerfile, inputs)?, dockerfile.target(None).unwrap())
}

#[test]
fn stages_that_do_not_wait_for_each_other_are_known() {
    let plan = planned(
        "FROM a AS base\nFROM base AS left\nFROM base AS right\nFROM b AS unused\n\
         FROM scratch\nCOPY --from=left x y\nRUN --mount=from=right,target=/z x\n",
    )
    .unwrap();
    assert_eq!(plan.order().unwrap(), [0, 1, 2, 4]);
    let waits: Vec<Vec<usize>> = (0..5).map(|it| plan.waits_for(it).into_iter().collect()).collect();
    assert_eq!(waits, [vec![], vec![0], vec![0], vec![], vec![1, 2]]);
    assert_eq!(plan.without_triggers(), [0]);
}

#[test]
fn a_step_is_labelled_with_its_stage_and_number() {
    let plan = planned("FROM a AS base\nENV x=y\nRUN z\nFROM scratch\nCOPY --from=base p q\n").unwrap();
    assert_eq!((plan.label(0, 2), plan.label(1, 1)), ("[base 2/2]".to_owned(), "[stage-1 1/1]".to_owned()));
    let plan = planned(&format!("FROM a\n{}", "RUN x\n".repeat(9))).unwrap();
    assert_eq!((plan.label(0, 1), plan.label(0, 10)), ("[ 1/10]".to_owned(), "[10/10]".to_owned()));
}

#[test]
fn a_circle_of_stages_is_told_whole() {
    let sentence = planned(
        "FROM x AS a\nCOPY --from=b p q\nFROM x AS b\nCOPY --from=c p q\nFROM x AS c\nCOPY --from=b p q\n",
    )
    .unwrap_err()
    .to_string();
    assert_eq!(
        sentence,
        "line 2: circular dependency detected on stage: a; it copies in a circle (b from c from b): break it"
    );
}

#[test]
fn an_argument_that_is_missing_in_from_is_named() {
    let sentence = planned("FROM $BASE:1\nFROM ${BASE}\n").unwrap_err().to_string();
    assert_eq!(
        sentence,
        "line 2: base name (${BASE}) should not be blank; \
         declare BASE with ARG in front of the first FROM, or pass --build-arg BASE=…"
    );
}

#[test]
fn any_number_of_stages_is_planned() {
    let mut text = String::from("FROM x AS a\nONBUILD COPY --from=x p q\n");
    for _ in 0..5_000 {
        text += "FROM a AS a\nCOPY --from=a p q\nONBUILD RUN x\n";
    }
    // Each copies from the last one of its name, which copies from itself.
    assert!(planned(&text).unwrap_err().refusal.what.starts_with("circular dependency"));
    let text = format!("FROM x AS a\n{}", "FROM a AS a\nONBUILD RUN x\n".repeat(5_000));
    assert_eq!(planned(&text).unwrap().order().unwrap().len(), 5_001);
}
