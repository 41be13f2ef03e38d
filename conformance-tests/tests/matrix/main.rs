//! Who may do what, everywhere: every route, every kind of caller, every kind of repository, against
//! [`table.txt`](table.txt), where each answer's status is written down.

mod answers;
mod callers;
mod fixtures;
mod hidden;
mod requests;
mod routes;
mod table;

use std::collections::BTreeSet;

use answers::answers;
use table::table;

#[test]
fn every_answer_is_the_one_in_the_table() {
    let wrong: Vec<String> = answers()
        .iter()
        .filter(|answered| answered.answer.status.as_u16() != answered.expected)
        .map(|answered| {
            let (status, expected) = (answered.answer.status.as_u16(), answered.expected);
            format!("{}: {status} instead of {expected}: {}", answered.cell, answered.answer.text().trim())
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {} cells differ:\n{}", wrong.len(), answers().len(), wrong.join("\n"));
}

#[test]
fn every_route_of_the_server_is_in_the_table() {
    let routes = routes::routes();
    let rows: BTreeSet<_> = table().rows.iter().map(|row| (row.method.clone(), row.path.clone())).collect();
    let missing: Vec<_> = routes.iter().filter(|route| !rows.contains(*route)).collect();
    assert!(missing.is_empty(), "routes without a row: {missing:#?}");
}

#[test]
fn a_route_of_a_repository_is_in_the_table_for_every_kind_of_repository() {
    let rows: BTreeSet<_> =
        table().rows.iter().map(|row| (&*row.method, &*row.path, row.of.as_str())).collect();
    let missing: Vec<String> = routes::routes()
        .iter()
        .filter(|(_, path)| table::names_a_repository(path))
        .flat_map(|(method, path)| table::REPOSITORIES.map(|of| (method, path, of)))
        .filter(|(method, path, of)| !rows.contains(&(&**method, &**path, *of)))
        .map(|(method, path, of)| format!("{method} {path} {of}"))
        .collect();
    assert!(missing.is_empty(), "no row for:\n{}", missing.join("\n"));
}

#[test]
fn a_method_that_no_row_names_is_taken_at_no_path() {
    let taken: Vec<String> = answers::of_other_methods()
        .iter()
        .filter(|(_, status)| !matches!(status, 401 | 405))
        .map(|(what, status)| format!("{what}: {status}"))
        .collect();
    assert!(taken.is_empty(), "taken all the same:\n{}", taken.join("\n"));
}

#[test]
fn whoever_is_refused_gets_the_same_answer_whether_the_repository_exists_or_not() {
    let told_apart = hidden::told_apart(answers());
    assert!(told_apart.is_empty(), "tell a repository from none:\n{}", told_apart.join("\n"));
}
