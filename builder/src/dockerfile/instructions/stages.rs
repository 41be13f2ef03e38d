//! Stages: what stands between one `FROM` and the next.

use super::flags::{Flags, Takes};
use super::{Argument, Instruction, Kind, Source, instruction};
use crate::dockerfile::parser::{Arguments, Node, Tree};
use crate::dockerfile::{Dockerfile, Lines, Problem, Refusal};
use crate::go;

/// A `FROM` and the instructions that follow it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Its name in lower case, if it has one.
    pub name: Option<String>,
    /// An earlier stage's name or an image, variables still in it.
    pub base: String,
    /// `--platform`, variables still in it. Empty: the one that is built for.
    pub platform: String,
    /// Where and how its `FROM` is written.
    pub source: Source,
    /// What the comment above says: `# name …`.
    pub description: String,
    /// What is done with the base, in order.
    pub instructions: Vec<Instruction>,
}

/// Gives the instructions of a tree their meaning and sorts them into stages.
pub(crate) fn parse(tree: Tree) -> Result<Dockerfile, Problem> {
    let mut arguments = Vec::new();
    let mut stages: Vec<Stage> = Vec::new();
    let mut last = Lines::one(1);
    for node in &tree.nodes {
        last = node.lines;
        if node.name.eq_ignore_ascii_case("FROM") {
            stages.push(stage(node).map_err(|refusal| refusal.at(node.lines))?);
            continue;
        }
        let instruction = instruction(node)?;
        match (stages.last_mut(), instruction.kind) {
            (Some(stage), kind) => stage.instructions.push(Instruction { kind, ..instruction }),
            (None, Kind::Arg(given)) => arguments.push(GlobalArguments { source: instruction.source, given }),
            (None, _) => {
                let refusal = Refusal::new(
                    "no build stage in current context",
                    "put FROM and the name of an image in front of it",
                );
                return Err(refusal.at(node.lines));
            }
        }
    }
    if stages.is_empty() {
        let remedy = "add FROM and the name of an image";
        return Err(Refusal::new("dockerfile contains no stages to build", remedy).at(last));
    }
    let Tree { escape, syntax, check, warnings, .. } = tree;
    Ok(Dockerfile { escape, syntax, check, arguments, stages, warnings })
}

/// An `ARG` in front of the first `FROM`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GlobalArguments {
    /// Where and how it is written.
    pub source: Source,
    /// The arguments.
    pub given: Vec<Argument>,
}

fn stage(node: &Node) -> Result<Stage, Refusal> {
    let Arguments::Words(words) = &node.arguments else { return Err(wrong_number()) };
    let (base, name) = match &words[..] {
        [base] => (base, None),
        [base, between, name] if between.eq_ignore_ascii_case("as") => (base, Some(stage_name(name)?)),
        _ => return Err(wrong_number()),
    };
    let flags = Flags::parse(&node.flags, &[("platform", Takes::Value)])?;
    Ok(Stage {
        base: base.clone(),
        platform: flags.text("platform"),
        source: Source::of(node),
        description: name.as_deref().map(|name| description(&node.comments, name)).unwrap_or_default(),
        name,
        instructions: Vec::new(),
    })
}

fn wrong_number() -> Refusal {
    Refusal::new("FROM requires either one or three arguments", "write FROM image, or FROM image AS name")
}

fn stage_name(written: &str) -> Result<String, Refusal> {
    let name = written.to_lowercase();
    let of_a_name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
    if name.starts_with(|c: char| c.is_ascii_lowercase()) && name.bytes().all(of_a_name) {
        return Ok(name);
    }
    let what = format!(
        "invalid name for build stage: {}, name can't start with a number or contain symbols",
        go::quoted(written)
    );
    Err(Refusal::new(what, "use letters, digits and - _ . and begin with a letter"))
}

/// What the comments above say about a name: the rest of the first line that begins with it.
pub(super) fn description(comments: &[String], name: &str) -> String {
    let about = |comment: &String| Some(comment.strip_prefix(name)?.strip_prefix(' ')?.to_owned());
    comments.iter().find_map(about).unwrap_or_default()
}
