//! The corpus against BuildKit itself, and BuildKit's own corpus. Needs Go.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::corpus::folder;
use crate::dockerfile::parser;

/// Runs Go in the module that names BuildKit's version.
fn go(arguments: &[&str]) -> String {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance-tests/tools");
    let ran = Command::new("go").args(arguments).current_dir(tools).env("CGO_ENABLED", "0").output();
    let ran = ran.expect("go is on PATH");
    assert!(ran.status.success(), "go {arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap()
}

#[test]
fn what_the_corpus_expects_is_what_buildkit_says() {
    let out = std::env::temp_dir().join(format!("berth-corpus-{}", std::process::id()));
    fs::create_dir_all(&out).unwrap();
    go(&["run", "./dockerfile", folder().to_str().unwrap(), out.to_str().unwrap()]);
    let mut count = 0;
    for part in ["", "images"] {
        for entry in fs::read_dir(out.join(part)).unwrap() {
            let said = entry.unwrap().path();
            if said.is_file() {
                let expected = folder().join(part).join(said.file_name().unwrap());
                let [said, expected] = [said, expected].map(|path| fs::read_to_string(path).unwrap());
                assert_eq!(said, expected);
                count += 1;
            }
        }
    }
    fs::remove_dir_all(&out).unwrap();
    assert!(count > 170, "{count} expectations");
}

/// The folder of BuildKit's parser, in Go's cache of modules.
fn buildkits_parser() -> PathBuf {
    go(&["mod", "download", "github.com/moby/buildkit"]);
    let module = go(&["list", "-m", "-f", "{{.Dir}}", "github.com/moby/buildkit"]);
    Path::new(module.trim()).join("frontend/dockerfile/parser")
}

fn dockerfiles(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().path().join("Dockerfile")).collect()
}

#[test]
fn buildkits_good_files_have_the_trees_of_its_results() {
    let files = dockerfiles(&buildkits_parser().join("testfiles"));
    assert_eq!(files.len(), 33);
    for file in files {
        let tree = parser::parse(&fs::read(&file).unwrap()).unwrap();
        let expected = fs::read_to_string(file.with_file_name("result")).unwrap();
        assert_eq!(format!("{tree}\n"), expected, "{}", file.display());
    }
}

#[test]
fn buildkits_bad_files_are_refused() {
    let files = dockerfiles(&buildkits_parser().join("testfiles-negative"));
    assert_eq!(files.len(), 4);
    for file in files {
        assert!(parser::parse(&fs::read(&file).unwrap()).is_err(), "{}", file.display());
    }
}

#[test]
fn instructions_stand_on_the_lines_on_which_buildkit_finds_them() {
    let file = buildkits_parser().join("testfile-line/Dockerfile");
    let tree = parser::parse(&fs::read(file).unwrap()).unwrap();
    let lines: Vec<_> = tree.nodes.iter().map(|node| (node.lines.first, node.lines.last)).collect();
    assert_eq!(lines, [(5, 5), (11, 12), (17, 31)]);
}
