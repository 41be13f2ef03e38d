//! The corpus, as `cargo test` runs it everywhere.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::outcome::outcome;
use crate::dockerfile::parser::{Expansion, Heredoc, Tabs};
use crate::dockerfile::words::{Lexer, Variables};
use crate::ignore::Ignore;

/// Where Berth means to differ from BuildKit, of the files of one folder: the name and what it is here.
pub(super) fn differences(of: &str) -> BTreeMap<String, String> {
    let text = fs::read_to_string(folder().join("differences.txt")).unwrap();
    let mut differences = BTreeMap::new();
    for entry in text.split("\n==== ").skip(1) {
        let (name, rest) = entry.split_once('\n').unwrap();
        let (reason, here) = rest.split_once('\n').unwrap();
        assert!(reason.starts_with("# "), "{name} has no reason");
        let of_the_folder = name.strip_prefix(of).filter(|name| !name.contains('/'));
        let here = format!("{}\n", here.trim_end());
        differences.extend(of_the_folder.map(|name| (name.to_owned(), here)));
    }
    differences
}

pub(super) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

#[test]
fn every_file_says_what_it_says_to_buildkit() {
    let mut differences = differences("");
    let mut count = 0;
    let mut wrong = Vec::new();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "dockerfile") {
            continue;
        }
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let expected = fs::read_to_string(path.with_extension("expected")).unwrap();
        let here = outcome(&fs::read(&path).unwrap());
        let wanted = differences.remove(&name);
        assert_ne!(wanted.as_ref(), Some(&expected), "{name} is no difference");
        if &here != wanted.as_ref().unwrap_or(&expected) {
            wrong.push(format!("==== {name}\n{here}---- expected\n{}", wanted.unwrap_or(expected)));
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.concat());
    assert!(differences.is_empty(), "without a file: {differences:?}");
    assert!(count >= 120, "{count} files");
}

/// The rows of a table: their inputs and the outcome.
fn table(name: &str) -> Vec<(Vec<String>, Value)> {
    let text = fs::read_to_string(folder().join(name)).unwrap();
    let row = |line: &str| {
        let mut cells: Vec<Value> = serde_json::from_str(line).unwrap();
        let outcome = cells.pop().unwrap();
        (cells.iter().map(|cell| cell.as_str().unwrap().to_owned()).collect(), outcome)
    };
    text.lines().map(row).collect()
}

struct Set(BTreeMap<String, String>);

impl Variables for Set {
    fn value(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

#[test]
fn every_word_is_expanded_as_buildkit_expands_it() {
    let mut set = Set(BTreeMap::new());
    let mut wrong = Vec::new();
    for (inputs, expected) in table("words.jsonl") {
        let lexer = match inputs[0].as_str() {
            "set" => {
                set.0.insert(inputs[1].clone(), inputs[2].clone());
                continue;
            }
            "words" => Lexer::words('\\'),
            "backtick" => Lexer::words('`'),
            "contents" => Lexer::contents(),
            "display" => Lexer::display('\\'),
            "heredoc" => {
                let here = match Heredoc::announced(&inputs[1]) {
                    Ok(None) => Value::Null,
                    Ok(Some(Heredoc { name, expansion, tabs, .. })) => json!({
                        "name": name,
                        "expand": expansion == Expansion::Replace,
                        "tabs": if tabs == Tabs::Keep { "keep" } else { "remove" },
                    }),
                    Err(refusal) => json!({ "error": refusal.what }),
                };
                if here != expected {
                    wrong.push(format!("{inputs:?}: {here}, not {expected}"));
                }
                continue;
            }
            other => panic!("{other}"),
        };
        let here = match lexer.expand(&inputs[1], &set) {
            Ok(expanded) => json!({ "text": expanded.text, "words": expanded.words }),
            Err(refusal) => json!({ "error": refusal.what }),
        };
        if here != expected {
            wrong.push(format!("{inputs:?}: {here}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_pattern_leaves_out_what_it_leaves_out_for_buildkit() {
    let mut wrong = Vec::new();
    for (inputs, expected) in table("ignore.jsonl") {
        let here = match (Ignore::read(inputs[0].as_bytes()), inputs.get(1)) {
            (Ok(ignore), Some(path)) => json!(ignore.ignores(path)),
            (_, None) => match crate::ignore::listed(inputs[0].as_bytes()) {
                Ok(patterns) => patterns.into_iter().map(|(pattern, _)| pattern).collect(),
                Err(problem) => json!({ "error": problem.refusal.what }),
            },
            // Go's words for a malformed pattern name no pattern; that there is an error counts.
            (Err(_), Some(_)) if expected.get("error").is_some() => continue,
            (Err(problem), Some(_)) => json!({ "error": problem.refusal.what }),
        };
        if here != expected {
            wrong.push(format!("{inputs:?}: {here}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}
