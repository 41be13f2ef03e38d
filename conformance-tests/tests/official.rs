//! The official conformance suite of the distribution specification, with every test it has.

use std::path::Path;
use std::time::Duration;

use conformance_tests::{ADMIN_PASSWORD, Options, Outcome, Program};

/// How many tests the suite has depends a little on the answers it gets: fewer than this is a mistake here.
const AT_LEAST: usize = 1020;

#[test]
fn the_official_suite_passes_whole() {
    // The suite also pushes indexes whose children were never pushed.
    let berth = Options::default().config("[repositories]\nsparse_indexes = true").start();
    let results = tempfile::tempdir().expect("a temporary folder");
    let suite = Program::tool("conformance")
        .home(results.path())
        .current_dir(results.path())
        .env("OCI_VERSION", "dev")
        .env("OCI_DATA_SPARSE", "true")
        .env("OCI_REGISTRY", berth.host())
        .env("OCI_TLS", "disabled")
        .env("OCI_REPO1", "conformance/one")
        .env("OCI_REPO2", "conformance/two")
        .env("OCI_USERNAME", "admin")
        .env("OCI_PASSWORD", ADMIN_PASSWORD)
        .env("OCI_RESULTS_DIR", results.path())
        .deadline(Duration::from_secs(600))
        .run();
    judge(&suite, &results.path().join("junit.xml"));
}

/// Judges by the report: a skipped test counts as passed in the suite's exit code.
#[expect(clippy::print_stdout, reason = "the figures belong into CI's log")]
fn judge(suite: &Outcome, report: &Path) {
    let report =
        std::fs::read_to_string(report).unwrap_or_else(|error| panic!("no report: {error}: {suite}"));
    let report = roxmltree::Document::parse(&report).expect("a report in XML");
    let suite_node = report.descendants().find(|node| node.has_tag_name("testsuite")).expect("a test suite");
    // The suite's own totals count what every API was asked; its cases are groups of those.
    let total = |name: &str| suite_node.attribute(name).map_or(0, |count| count.parse().expect("a count"));
    let [tests, failures, errors, skipped]: [usize; 4] =
        ["tests", "failures", "errors", "skipped"].map(total);
    let took = suite.took;
    println!(
        "official suite: {tests} tests, {failures} failures, {errors} errors, {skipped} skipped, {took:?}"
    );
    let cases = report.descendants().filter(|node| node.has_tag_name("testcase"));
    let bad = cases.filter(|case| case.attribute("status") != Some("passed"));
    let bad: Vec<String> = bad.map(|case| describe(case)).collect();
    assert!(bad.is_empty(), "not passed:\n{}", bad.join("\n"));
    assert_eq!((failures, errors, skipped), (0, 0, 0), "{suite}");
    assert!(tests >= AT_LEAST, "only {tests} tests were run: {suite}");
    assert_eq!(suite.code(), Some(0), "{suite}");
}

fn describe(case: roxmltree::Node<'_, '_>) -> String {
    let [class, name, status] =
        ["classname", "name", "status"].map(|name| case.attribute(name).unwrap_or_default());
    let said = case.children().filter_map(|child| child.attribute("message").or(child.text()));
    let said: Vec<&str> = said.map(str::trim).filter(|said| !said.is_empty()).collect();
    format!("{status}: {class}/{name}: {}", said.join(" | "))
}
