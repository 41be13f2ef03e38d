//! Whether answers tell a repository that exists from one that does not.

use std::collections::BTreeMap;

use conformance_tests::Answer;

use crate::answers::Answered;

/// A kind of repository that is there, and the one that is like it but for that.
const ALIKE: [(&str, &str); 2] = [("own", "absent"), ("other", "elsewhere")];

/// All that an answer says, but for what is never the same twice and for what it is about.
fn said(answered: &Answered) -> (u16, BTreeMap<String, String>, String) {
    let Answered { answer, fixture, .. } = answered;
    let encoded = fixture.repository.replace('/', "%2F");
    let without_names = |text: &str| {
        text.replace(&fixture.repository, "REPOSITORY")
            .replace(&encoded, "REPOSITORY")
            .replace(&fixture.session, "SESSION")
    };
    let Answer { status, headers, .. } = answer;
    let headers = headers
        .iter()
        .map(|(name, value)| (name.to_string(), without_names(value.to_str().expect("a header of text"))));
    let headers = headers.filter(|(name, _)| !matches!(name.as_str(), "date" | "x-request-id")).collect();
    (status.as_u16(), headers, without_names(&answer.text()))
}

/// The refusals that differ, for a caller and a route, between a repository and none.
pub(crate) fn told_apart(answers: &[Answered]) -> Vec<String> {
    let key = |answered: &Answered, of: &str| {
        let cell = &answered.cell;
        (cell.method.to_string(), cell.row.path.clone(), of.to_owned(), cell.caller)
    };
    let by_key: BTreeMap<_, _> =
        answers.iter().map(|answered| (key(answered, &answered.cell.row.of), answered)).collect();
    let mut told_apart = Vec::new();
    for there in answers {
        let of = &there.cell.row.of;
        let Some((_, none)) = ALIKE.iter().find(|(there, _)| there == of) else { continue };
        let none = by_key.get(&key(there, none)).expect("a row for each kind of repository");
        let refused = |answered: &Answered| matches!(answered.answer.status.as_u16(), 401 | 403);
        if (refused(there) || refused(none)) && said(there) != said(none) {
            told_apart.push(format!("{}: {:?}\n{}: {:?}", there.cell, said(there), none.cell, said(none)));
        }
    }
    told_apart
}
