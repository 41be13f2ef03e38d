use super::*;

#[test]
fn a_walk_comes_to_what_asking_for_each_path_does() {
    let ignore = Ignore::read(b"*\n!src\nsrc/**/*.o\n!src/keep").unwrap();
    let mut above = Above::default();
    for (path, expected) in [("src", false), ("src/sub", false), ("src/sub/a.o", true)] {
        let ignored;
        (ignored, above) = ignore.enter(&above, path);
        assert_eq!((ignored, ignore.ignores(path)), (expected, expected), "{path}");
    }
    assert!(ignore.ignores("src/a.o") && ignore.ignores("README.md") && !ignore.ignores("src/a.c"));
    assert!(ignore.has_exceptions());
}

#[test]
fn a_line_that_is_no_pattern_is_refused_with_its_number() {
    for (text, expected) in [
        ("a\n\n!\n", "line 3: illegal exclusion pattern: \"!\"; write the pattern"),
        ("[", "line 1: syntax error in pattern: [; close every ["),
        ("a\n[z-a]", "line 2: syntax error in pattern: [z-a]; "),
    ] {
        let sentence = Ignore::read(text.as_bytes()).unwrap_err().to_string();
        assert!(sentence.starts_with(expected), "{sentence}");
    }
    let sentence = Ignore::read(b"a\n\xff").unwrap_err().to_string();
    assert_eq!(sentence, "line 2: the byte 0xFF is not UTF-8; save the file as UTF-8");
}

#[test]
fn the_patterns_of_a_dockerfile_of_its_own_come_first() {
    assert_eq!(file_names("docker/app.Dockerfile"), ["docker/app.Dockerfile.dockerignore", ".dockerignore"]);
}

/// In moby's matcher it is an expression's: `\\d` is any digit, `\\ü` an error.
#[test]
fn an_escaped_letter_is_that_letter() {
    let ignore = Ignore::new(["build\\debug"]).unwrap();
    assert!(ignore.ignores("builddebug") && !ignore.ignores("build1ebug"));
}
