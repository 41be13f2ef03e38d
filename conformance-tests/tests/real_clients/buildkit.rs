//! BuildKit: images, and the build cache in the registry, in its newer and its older form.

use std::path::Path;

use conformance_tests::engines::{BuildKit, Docker};
use conformance_tests::{ADMIN_PASSWORD, Program, rootfs};
use tempfile::TempDir;

use crate::support::Table;

const DOCKERFILE: &str = "FROM scratch
ADD rootfs.tar /
RUN echo this takes a step of its own >/tmp/made
COPY later /later
";

fn context() -> TempDir {
    let context = tempfile::tempdir().expect("a temporary folder");
    std::fs::copy(rootfs::busybox(), context.path().join("rootfs.tar")).expect("copying a layer");
    std::fs::write(context.path().join("later"), "later\n").expect("writing a file");
    std::fs::write(context.path().join("Dockerfile"), DOCKERFILE).expect("writing a Dockerfile");
    context
}

fn push(builder: &BuildKit, context: &Path, image: &str, cache: &[&str]) -> String {
    let output = format!("--output=type=image,name={image},push=true");
    let arguments: Vec<&str> = [output.as_str()].into_iter().chain(cache.iter().copied()).collect();
    builder.build(context, &arguments)
}

/// Whether the step that `RUN` is was taken from a cache.
fn run_was_cached(progress: &str) -> bool {
    let step = progress.lines().find(|line| line.contains("RUN echo this takes")).expect("the step's line");
    let (number, _) = step.split_once(' ').expect("the step's number");
    progress.lines().any(|line| line == format!("{number} CACHED"))
}

fn crane(table: &Table, arguments: &str) -> Program {
    Program::tool("crane").home(table.home()).args(arguments.split_whitespace())
}

#[test]
fn docker_runs_the_image_that_buildkit_built_and_pushed() {
    let table = Table::new();
    let (context, image) = (context(), table.reference("team/built:1"));
    let builder = BuildKit::start(&table.berth.host(), table.home());
    let progress = push(&builder, context.path(), &image, &[]);
    assert!(!run_was_cached(&progress), "{progress}");
    crane(&table, "validate --remote").arg(&image).succeeds();
    let docker = Docker::start();
    docker.login(&table.berth.host(), "admin", ADMIN_PASSWORD).succeeds();
    docker.call("pull").arg(&image).succeeds();
    assert_eq!(
        docker.run(&image, &["/bin/cat", "/tmp/made", "/later"]),
        "this takes a step of its own\nlater"
    );
}

#[test]
fn a_second_builder_uses_the_cache_that_the_first_exported_as_an_image() {
    second_builder_uses_the_cache("image-manifest=true", "application/vnd.oci.image.manifest.v1+json");
}

#[test]
fn a_second_builder_uses_the_cache_that_the_first_exported_as_an_index_of_blobs() {
    second_builder_uses_the_cache("image-manifest=false", "application/vnd.oci.image.index.v1+json");
}

fn second_builder_uses_the_cache(form: &str, media_type: &str) {
    let table = Table::new();
    let (context, host) = (context(), table.berth.host());
    let cache = table.reference("team/cache:main");
    let export = format!("--export-cache=type=registry,ref={cache},mode=max,oci-mediatypes=true,{form}");
    let first = BuildKit::start(&host, table.home());
    push(&first, context.path(), &table.reference("team/one:1"), &[&export]);
    let exported = crane(&table, "manifest").arg(&cache).succeeds().json();
    assert_eq!(exported["mediaType"], media_type, "{exported}");
    drop(first);

    let import = format!("--import-cache=type=registry,ref={cache}");
    let second = BuildKit::start(&host, table.home());
    let progress = push(&second, context.path(), &table.reference("team/two:1"), &[&import]);
    assert!(run_was_cached(&progress), "{progress}");
    crane(&table, "validate --remote").arg(table.reference("team/two:1")).succeeds();
}

#[test]
fn without_a_cache_a_second_builder_takes_every_step_again() {
    let table = Table::new();
    let context = context();
    for name in ["team/one:1", "team/two:1"] {
        let builder = BuildKit::start(&table.berth.host(), table.home());
        let progress = push(&builder, context.path(), &table.reference(name), &[]);
        assert!(!run_was_cached(&progress), "{progress}");
    }
}
