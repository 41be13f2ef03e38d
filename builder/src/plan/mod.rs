//! Which stages a target needs, what each starts from, and where the files that it copies come from.
//!
//! A plan knows nothing of images but their names. What an image's `ONBUILD` adds is given to it once
//! the image's configuration is known, and may add to what is needed.

mod cycle;

use std::collections::{BTreeSet, HashMap};

use crate::dockerfile::instructions::{Instruction, Kind, instruction};
use crate::dockerfile::words::{Lexer, NoVariables};
use crate::dockerfile::{Dockerfile, Global, Lines, Problem, Refusal, parser};

/// Where a stage starts, or files come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Another stage, by its number from 0.
    Stage(usize),
    /// An image, by the name as it is written.
    Image(String),
    /// Nothing: `scratch`.
    Scratch,
}

/// A stage that knows where everything comes from.
#[derive(Debug, Clone)]
pub struct PlannedStage {
    /// Its name, or `stage-` and its number.
    pub name: String,
    /// The lines of its `FROM`.
    pub lines: Lines,
    /// What it starts from.
    pub base: Origin,
    /// The platform that its `FROM` asks for.
    pub platform: Option<String>,
    /// What is done with the base, triggers first.
    pub steps: Vec<PlannedStep>,
}

/// An instruction that knows where its files come from.
#[derive(Debug, Clone)]
pub struct PlannedStep {
    /// The instruction, variables still in it.
    pub instruction: Instruction,
    /// For `COPY --from` one origin; for `RUN` one for each mount, where it names one.
    pub origins: Vec<Option<Origin>>,
    /// Whether it is written here, or an `ONBUILD` of the base.
    pub written: Written,
}

/// Where an instruction is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// In the stage.
    Here,
    /// In an `ONBUILD` of what the stage starts from.
    InBase,
}

/// The stages of a Dockerfile and the one that is to be built.
#[derive(Debug, Clone)]
pub struct Plan {
    stages: Vec<PlannedStage>,
    names: HashMap<String, usize>,
    target: usize,
    /// The target and all stages that it is known to need.
    needed: BTreeSet<usize>,
    /// The stages whose image's triggers are known.
    triggered: BTreeSet<usize>,
}

impl Plan {
    /// Plans the build of the stage with the number `target`.
    ///
    /// # Errors
    /// When the base of any stage can't be known, a `--from` is none, or stages copy in a circle.
    pub fn new(dockerfile: &Dockerfile, global: &Global, target: usize) -> Result<Self, Problem> {
        let mut names = HashMap::new();
        let mut stages = Vec::new();
        for (number, stage) in dockerfile.stages.iter().enumerate() {
            let base = global.base(stage)?;
            // A stage starts from an earlier one, and its name counts in lower case only.
            let base = match names.get(&base) {
                Some(earlier) => Origin::Stage(*earlier),
                None => image(base),
            };
            let name = stage.name.clone().unwrap_or_else(|| format!("stage-{number}"));
            let platform = global.platform(stage)?;
            stages.push(PlannedStage { name, lines: stage.source.lines, base, platform, steps: Vec::new() });
            names.extend(stage.name.clone().map(|name| (name, number)));
        }
        let mut plan = Self { stages, names, target, needed: BTreeSet::new(), triggered: BTreeSet::new() };
        for (number, stage) in dockerfile.stages.iter().enumerate() {
            let steps = stage.instructions.iter().map(|it| plan.step(it.clone(), Written::Here));
            let steps = steps.collect::<Result<_, _>>()?;
            plan.stages[number].steps = steps;
        }
        cycle::none_in(&plan.stages)?;
        plan.need(target)?;
        Ok(plan)
    }

    /// The number of the stage that is to be built.
    pub fn target(&self) -> usize {
        self.target
    }

    /// A stage by its number.
    pub fn stage(&self, number: usize) -> &PlannedStage {
        &self.stages[number]
    }

    /// The numbers of the stages that the target needs and its own, each behind those that it needs.
    ///
    /// # Errors
    /// When a needed stage copies from a later one.
    pub fn order(&self) -> Result<Vec<usize>, Problem> {
        self.needed.iter().try_for_each(|number| self.check_order(*number))?;
        Ok(self.needed.iter().copied().collect())
    }

    /// The numbers of the stages that a stage waits for itself. Those that wait for none of each
    /// other can be built side by side.
    pub fn waits_for(&self, number: usize) -> BTreeSet<usize> {
        let stage = &self.stages[number];
        let copied = stage.steps.iter().flat_map(|step| &step.origins).flatten();
        let stages = copied.chain([&stage.base]).filter_map(|origin| match origin {
            Origin::Stage(other) => Some(*other),
            Origin::Image(_) | Origin::Scratch => None,
        });
        stages.collect()
    }

    /// The needed stages that start from an image whose triggers aren't known yet.
    pub fn without_triggers(&self) -> Vec<usize> {
        let from_image = |number: &usize| matches!(self.stages[*number].base, Origin::Image(_));
        self.needed.difference(&self.triggered).copied().filter(from_image).collect()
    }

    /// Puts the `ONBUILD` instructions of the image that a stage starts from in front of its own. They
    /// may make further stages needed.
    ///
    /// # Errors
    /// When one is no instruction, or is none that `ONBUILD` may have.
    pub fn add_triggers(&mut self, number: usize, triggers: &[String]) -> Result<(), Problem> {
        self.triggered.insert(number);
        self.put_in_front(number, triggers)?;
        self.waits_for(number).into_iter().try_for_each(|other| self.need(other))
    }

    fn put_in_front(&mut self, number: usize, triggers: &[String]) -> Result<(), Problem> {
        let lines = self.stages[number].lines;
        let step = |text: &String| self.step(trigger(text, lines)?, Written::InBase);
        let steps = triggers.iter().map(step).collect::<Result<Vec<_>, _>>()?;
        self.stages[number].steps.splice(0..0, steps);
        Ok(())
    }

    /// Takes a stage among the needed ones, with those that it waits for. One that starts from another
    /// stage gets that one's triggers.
    fn need(&mut self, number: usize) -> Result<(), Problem> {
        let mut left = vec![number];
        while let Some(number) = left.pop() {
            if !self.needed.insert(number) {
                continue;
            }
            if let Origin::Stage(base) = self.stages[number].base {
                let steps = self.stages[base].steps.iter();
                let triggers: Vec<_> = steps.filter_map(|it| it.instruction.kind.trigger()).collect();
                self.put_in_front(number, &triggers)?;
            }
            left.extend(self.waits_for(number));
        }
        Ok(())
    }

    /// What stands in front of a stage's step when it is shown: `[build 2/5]`. Only steps that do
    /// something to files are counted, from 1, an image that the stage starts from among them.
    pub fn label(&self, number: usize, step: usize) -> String {
        let stage = &self.stages[number];
        let of_files = |it: &&PlannedStep| {
            matches!(it.instruction.kind, Kind::Run(_) | Kind::Copy(_) | Kind::Add(_) | Kind::Workdir(_))
        };
        let from_image = usize::from(matches!(stage.base, Origin::Image(_)));
        let total = (stage.steps.iter().filter(of_files).count() + from_image).to_string();
        let name = if self.stages.len() > 1 { format!("{} ", stage.name) } else { String::new() };
        format!("[{name}{step:width$}/{total}]", width = total.len())
    }

    fn check_order(&self, number: usize) -> Result<(), Problem> {
        let stage = &self.stages[number];
        for step in &stage.steps {
            let later = step.origins.iter().flatten().find_map(|origin| match origin {
                Origin::Stage(other) if *other >= number => Some(&self.stages[*other].name),
                _ => None,
            });
            let Some(other) = later else { continue };
            let what = match &step.instruction.kind {
                Kind::Copy(copy) => format!(
                    "cannot copy from stage {}, it needs to be defined before current stage {}",
                    crate::go::quoted(&copy.from),
                    crate::go::quoted(&stage.name)
                ),
                _ => format!(
                    "cannot mount from stage {}, stage needs to be defined before current command",
                    crate::go::quoted(other)
                ),
            };
            let remedy = format!("move the stage {other} in front of the stage {}", stage.name);
            return Err(Refusal::new(what, remedy).at(step.instruction.source.lines));
        }
        Ok(())
    }

    fn step(&self, instruction: Instruction, written: Written) -> Result<PlannedStep, Problem> {
        let named = |name: &String| match self.names.get(&name.to_lowercase()) {
            Some(number) => Origin::Stage(*number),
            None => image(name.clone()),
        };
        let origins = match &instruction.kind {
            Kind::Copy(copy) if !copy.from.is_empty() => {
                let from = self.numbered(&copy.from).map_err(|it| it.at(instruction.source.lines))?;
                vec![Some(from.unwrap_or_else(|| named(&copy.from)))]
            }
            Kind::Run(run) => {
                run.mounts.iter().map(|it| (!it.from.is_empty()).then(|| named(&it.from))).collect()
            }
            _ => Vec::new(),
        };
        Ok(PlannedStep { instruction, origins, written })
    }

    /// The stage of a `--from` that is a number.
    fn numbered(&self, from: &str) -> Result<Option<Origin>, Refusal> {
        if Lexer::words('\\').expand(from, &NoVariables)?.text != from {
            let what = "variable expansion is not supported for --from, define a new stage with FROM using ARG \
                        from global scope as a workaround";
            return Err(Refusal::new(what, "write FROM with the variable AS a name, and --from= that name"));
        }
        let Ok(number) = from.parse::<i64>() else { return Ok(None) };
        match usize::try_from(number) {
            Ok(stage) if stage < self.stages.len() => Ok(Some(Origin::Stage(stage))),
            _ => {
                let remedy = format!("the stages are 0 to {}", self.stages.len() - 1);
                Err(Refusal::new(format!("invalid stage index {number}"), remedy))
            }
        }
    }
}

fn image(name: String) -> Origin {
    if name == "scratch" { Origin::Scratch } else { Origin::Image(name) }
}

/// Reads what stands behind an `ONBUILD`. Its lines are those of the `FROM` that brings it.
fn trigger(text: &str, lines: Lines) -> Result<Instruction, Problem> {
    let here = |problem: Problem| problem.refusal.at(lines);
    let mut tree = parser::parse(text.as_bytes()).map_err(here)?;
    let (Some(mut node), true) = (tree.nodes.pop(), tree.nodes.is_empty()) else {
        let remedy = "build the base image again with one instruction in each ONBUILD";
        return Err(Refusal::new("onbuild trigger should be a single expression", remedy).at(lines));
    };
    node.lines = lines;
    instruction(&node)
}

impl Kind {
    fn trigger(&self) -> Option<String> {
        match self {
            Self::Onbuild(text) => Some(text.clone()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
