//! From lines to a tree: which instruction stands on which lines, and what its words are.
//!
//! The grammar is that of BuildKit's `frontend/dockerfile/parser`. The parser knows which shape each
//! instruction's arguments have, and nothing of what they mean.

mod directives;
mod heredoc;
mod instruction;
mod json;
mod lines;
mod tree;

use self::directives::{Directives, Line};
use self::lines::LineReader;
use super::{Lines, Problem, Refusal};

pub use self::heredoc::{Expansion, Heredoc, Tabs};
pub(crate) use self::instruction::{NAMES, known};
pub(crate) use self::lines::text;
pub use self::tree::{Arguments, Node, Pair, Separator, Tree};

/// Reads a Dockerfile as a tree.
///
/// # Errors
/// The first problem: bytes that are no UTF-8, no instruction at all, a heredoc without an end,
/// arguments whose shape isn't the instruction's.
pub fn parse(bytes: &[u8]) -> Result<Tree, Problem> {
    let mut lines = LineReader::new(lines::text(bytes)?);
    let mut directives = Directives::new();
    let mut nodes = Vec::new();
    let mut warnings = Vec::new();
    let mut comments = Vec::new();
    while let Some(line) = lines.next()? {
        let first = lines.number;
        let start = lines::without_end(line).trim_start();
        let kind = directives.take(start, first)?;
        if lines::is_comment(line) {
            if kind == Line::Other {
                add_comment(&mut comments, line);
            }
            continue;
        }
        let Some(text) = joined(start, &mut lines, directives.escape, &mut warnings)? else { continue };
        let at = |refusal: Refusal, last| refusal.at(Lines { first, last });
        let mut node = node(&text, directives.escape).map_err(|refusal| at(refusal, lines.number))?;
        if may_have_heredocs(&node) && text.contains("<<") {
            let announced = heredoc::announced_in(&text).map_err(|refusal| at(refusal, lines.number))?;
            for mut heredoc in announced {
                heredoc.read(&mut lines, first)?;
                node.heredocs.push(heredoc);
            }
        }
        node.lines = Lines { first, last: lines.number };
        node.comments = std::mem::take(&mut comments);
        nodes.push(node);
    }
    if nodes.is_empty() {
        let refusal = Refusal::new("file with no instructions", "begin with FROM and the name of an image");
        return Err(refusal.at(Lines::one(lines.number.max(1))));
    }
    let Directives { escape, syntax, check, .. } = directives;
    Ok(Tree { escape, syntax, check, nodes, warnings })
}

/// Keeps a comment for the instruction below it. An empty one parts what is above from it.
fn add_comment(comments: &mut Vec<String>, line: &str) {
    // As BuildKit: the first character goes, which is `#` only when the comment isn't indented.
    let mut letters = line.chars();
    letters.next();
    match letters.as_str().trim() {
        "" => comments.clear(),
        comment => comments.push(comment.to_owned()),
    }
}

/// Joins a line with those that continue it; nothing when there is no instruction on it.
fn joined(
    start: &str,
    lines: &mut LineReader<'_>,
    escape: char,
    warnings: &mut Vec<Problem>,
) -> Result<Option<String>, Problem> {
    let Some(begun) = lines::continued(start, escape) else {
        return Ok((!start.is_empty()).then(|| start.to_owned()));
    };
    let mut text = begun.to_owned();
    let mut empty = None;
    while let Some(line) = lines.next()? {
        if lines::is_comment(line) {
            continue;
        }
        let line = lines::without_end(line);
        if line.trim_start().is_empty() {
            empty = Some(lines.number);
            continue;
        }
        let Some(part) = lines::continued(line, escape) else {
            text.push_str(line);
            break;
        };
        text.push_str(part);
    }
    if let Some(line) = empty {
        let what = "empty continuation line, which will become an error in a future release";
        warnings.push(Refusal::new(what, "remove it").at(Lines::one(line)));
    }
    Ok(Some(text))
}

/// Reads one instruction; whoever calls knows where it stands.
fn node(text: &str, escape: char) -> Result<Node, Refusal> {
    let split = instruction::split(text, escape);
    let arguments = if !split.name.eq_ignore_ascii_case("ONBUILD") {
        instruction::arguments(split.name, split.rest, escape)?
    } else if split.rest.is_empty() {
        Arguments::Words(Vec::new())
    } else {
        let inner = instruction::split(split.rest, escape);
        // Here and not where instructions get their meaning: so there is no depth to go to.
        if inner.name.eq_ignore_ascii_case("ONBUILD") {
            return Err(Refusal::new(
                "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed",
                "write one ONBUILD",
            ));
        }
        Arguments::Instruction(Box::new(node(split.rest, escape)?))
    };
    Ok(Node {
        name: split.name.to_owned(),
        flags: split.flags,
        arguments,
        heredocs: Vec::new(),
        text: text.to_owned(),
        lines: Lines::one(1),
        comments: Vec::new(),
    })
}

/// Heredocs belong to `ADD`, `COPY` and `RUN` in their shell form, also within `ONBUILD`.
fn may_have_heredocs(node: &Node) -> bool {
    let node = match &node.arguments {
        Arguments::Instruction(inner) => inner,
        _ => node,
    };
    let named = |name| node.name.eq_ignore_ascii_case(name);
    (named("ADD") || named("COPY") || named("RUN")) && !matches!(node.arguments, Arguments::Json(_))
}
