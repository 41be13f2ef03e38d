//! Stages that wait for each other can't be built.

use super::{Origin, PlannedStage};
use crate::dockerfile::{Lines, Problem, Refusal};

#[derive(Clone, Copy, PartialEq)]
enum State {
    New,
    OnPath,
    Done,
}

/// Checks that no stage copies from one that copies from it, in however many steps. Also of stages
/// that aren't needed: no order makes sense of them.
pub(super) fn none_in(stages: &[PlannedStage]) -> Result<(), Problem> {
    let copies: Vec<Vec<(usize, Lines)>> = stages.iter().map(copies_from).collect();
    let mut states = vec![State::New; stages.len()];
    for start in 0..stages.len() {
        // The path from `start`: stages, and how many of their copies were followed. No recursion:
        // a Dockerfile may have any number of stages.
        let mut path = vec![(start, 0)];
        if states[start] != State::New {
            continue;
        }
        states[start] = State::OnPath;
        while let Some((stage, followed)) = path.last_mut() {
            let Some((other, _)) = copies[*stage].get(*followed).copied() else {
                states[*stage] = State::Done;
                path.pop();
                continue;
            };
            *followed += 1;
            match states[other] {
                State::Done => {}
                State::New => {
                    states[other] = State::OnPath;
                    path.push((other, 0));
                }
                State::OnPath => {
                    let circle = path.iter().map(|it| it.0).skip_while(|it| *it != other).chain([other]);
                    let circle: Vec<_> = circle.map(|it| stages[it].name.as_str()).collect();
                    let what = format!("circular dependency detected on stage: {}", stages[start].name);
                    let remedy = format!("it copies in a circle ({}): break it", circle.join(" from "));
                    let first_copy = copies[start][path[0].1 - 1].1;
                    return Err(Refusal::new(what, remedy).at(first_copy));
                }
            }
        }
    }
    Ok(())
}

fn copies_from(stage: &PlannedStage) -> Vec<(usize, Lines)> {
    let from = |origin: &Origin, lines| match origin {
        Origin::Stage(other) => Some((*other, lines)),
        Origin::Image(_) | Origin::Scratch => None,
    };
    let of_a_step = |step: &super::PlannedStep| {
        let lines = step.instruction.source.lines;
        step.origins.iter().flatten().filter_map(|it| from(it, lines)).collect::<Vec<_>>()
    };
    stage.steps.iter().flat_map(of_a_step).collect()
}
