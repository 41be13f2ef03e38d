//! What is true of all documents and all requests.

use fastrand::Rng;

use super::*;

fn pick<'a>(random: &mut Rng, from: &[&'a str]) -> &'a str {
    from[random.usize(..from.len())]
}

fn some_statement(random: &mut Rng, effect: &str) -> String {
    let actions = ["ecr:PutImage", "ecr:*", "*", "!ecr:PutImage", "ecr:Batch*|ecr:Put*", "ecr:BatchGetImage"];
    let resources =
        ["*", "team-a/*", "team-?/app", "!team-b/*", "${aws:username}/*", "team-b/app|team-a/app"];
    let conditions = [
        "",
        "",
        "if IpAddress aws:SourceIp 10.0.0.0/8",
        "if StringNotEquals aws:username bob",
        "if Bool aws:SecureTransport true",
        "if ForAllValues:StringLike aws:username a*",
        "if Null aws:SourceIp true",
    ];
    let (action, condition) = (pick(random, &actions), pick(random, &conditions));
    match random.bool() {
        true => format!("{effect} {action} on {} {condition}", pick(random, &resources)),
        false => {
            let action = if action == "*" { "ecr:*" } else { action };
            let who = ["*", "alice", "!bob", "000000000000", "bob|carol"];
            format!("{effect} {action} for {} {condition}", pick(random, &who))
        }
    }
}

fn some_request(random: &mut Rng) -> String {
    let who = pick(random, &["alice", "bob", "-"]);
    let action = pick(random, &["ecr:PutImage", "ecr:BatchGetImage"]);
    let repository = pick(random, &["team-a/app", "team-b/app", "alice/x"]);
    let from = pick(random, &["", "from 10.0.0.1", "from 11.0.0.1 over tls"]);
    format!("{who} {action} {repository} {from}")
}

/// The documents, one statement each: an identity's and a repository's statements can't share one.
fn some_documents(random: &mut Rng) -> Vec<String> {
    let effects = ["Allow", "Allow", "Deny"];
    (0..random.usize(1..6))
        .map(|_| {
            let effect = pick(random, &effects);
            some_statement(random, effect)
        })
        .collect()
}

fn decided(documents: &[String], request: &str) -> String {
    let documents: Vec<Either> = documents.iter().map(|text| parse(text)).collect();
    ask(request, |request| verdict(&documents, request))
}

/// Only what was decided, not by what.
fn outcome(decided: &str) -> &str {
    decided.split(' ').next().unwrap_or_default()
}

#[test]
fn adding_a_deny_never_grants() {
    let mut random = Rng::with_seed(1);
    for _ in 0..3_000 {
        let (mut documents, request) = (some_documents(&mut random), some_request(&mut random));
        let before = decided(&documents, &request);
        documents.insert(random.usize(..=documents.len()), some_statement(&mut random, "Deny"));
        let after = decided(&documents, &request);
        let grants = outcome(&before) != "allowed" && outcome(&after) == "allowed";
        assert!(!grants, "{documents:?}: {request}: {before}, then {after}");
    }
}

#[test]
fn removing_an_allow_never_grants() {
    let mut random = Rng::with_seed(2);
    for _ in 0..3_000 {
        let (mut documents, request) = (some_documents(&mut random), some_request(&mut random));
        let before = decided(&documents, &request);
        let gone = documents.remove(random.usize(..documents.len()));
        let after = decided(&documents, &request);
        let grants = outcome(&before) != "allowed" && outcome(&after) == "allowed";
        assert!(!grants || gone.starts_with("Deny"), "{documents:?}, {gone}: {request}");
    }
}

#[test]
fn the_order_of_documents_and_of_statements_never_matters() {
    let mut random = Rng::with_seed(3);
    for _ in 0..3_000 {
        let (mut documents, request) = (some_documents(&mut random), some_request(&mut random));
        let before = decided(&documents, &request);
        random.shuffle(&mut documents);
        let after = decided(&documents, &request);
        assert_eq!(outcome(&before), outcome(&after), "{documents:?}: {request}");
        let (of_repository, of_identity): (Vec<_>, Vec<_>) =
            documents.into_iter().partition(|text| text.contains(" for "));
        let together = [of_identity, of_repository].into_iter().filter(|all| !all.is_empty());
        let together: Vec<String> = together.map(|statements| statements.join(";")).collect();
        assert_eq!(outcome(&before), outcome(&decided(&together, &request)), "{together:?}: {request}");
    }
}

/// Random JSON in which the words of documents are frequent.
fn some_json(random: &mut Rng, depth: usize) -> Value {
    let words = [
        "Version",
        "2012-10-17",
        "Statement",
        "Effect",
        "Allow",
        "Deny",
        "Action",
        "NotAction",
        "ecr:PutImage",
        "*",
        "Resource",
        "NotResource",
        "arn:aws:ecr:*:*:repository/${aws:username}*",
        "Principal",
        "AWS",
        "Sid",
        "Condition",
        "StringLike",
        "ForAllValues:StringNotEquals",
        "aws:username",
        "Bool",
        "aws:SecureTransport",
        "true",
        "IpAddress",
        "aws:SourceIp",
        "10.0.0.0/8",
        "DateLessThan",
        "aws:CurrentTime",
        "2026-01-01",
        "Null",
        "ArnLike",
        "aws:PrincipalArn",
        "arn:",
        "${",
        "${*}",
        "?*?*",
        "ä€𝄞",
        "",
        ":",
        "arn:aws:::::",
    ];
    let word = |random: &mut Rng| pick(random, &words).to_owned();
    match random.usize(..if depth == 0 { 4 } else { 8 }) {
        0 => Value::Null,
        1 => json!(random.i64(..)),
        2 => json!(random.f64()),
        3 | 4 => json!(word(random)),
        5 => (0..random.usize(..4)).map(|_| some_json(random, depth - 1)).collect::<Vec<_>>().into(),
        _ => {
            let entries = (0..random.usize(..6)).map(|_| (word(random), some_json(random, depth - 1)));
            entries.collect::<Map<_, _>>().into()
        }
    }
}

#[test]
fn no_document_makes_reading_or_evaluating_panic() {
    let mut random = Rng::with_seed(4);
    let account = account();
    let mut taken = 0;
    for round in 0..20_000 {
        let text = match round % 3 {
            // JSON of a document's words, which hardly ever is one.
            0 => some_json(&mut random, 5).to_string(),
            // A document with one of its values replaced by something else.
            1 => {
                let mut value: Value = serde_json::from_str(&document(
                    "Allow ecr:* on team-*/${aws:username} if StringLike aws:username a*",
                ))
                .unwrap();
                let statement = value["Statement"][0].as_object_mut().unwrap();
                let key = pick(&mut random, &["Effect", "Action", "Resource", "Condition", "Sid"]);
                statement.insert(key.to_owned(), some_json(&mut random, 3));
                value.to_string()
            }
            // A document broken off or with a byte changed.
            _ => {
                let mut bytes = document(&some_statement(&mut random, "Allow")).into_bytes();
                let at = random.usize(..bytes.len());
                bytes[at] = random.u8(0x20..0x7f);
                String::from_utf8(bytes).unwrap()
            }
        };
        let request = some_request(&mut random);
        let documents: Vec<Either> = [
            IdentityPolicy::parse(&text, &account).ok().map(Either::Identity),
            RepositoryPolicy::parse(&text, &account).ok().map(Either::Repository),
        ]
        .into_iter()
        .flatten()
        .collect();
        taken += documents.len();
        ask(&request, |request| verdict(&documents, request));
    }
    assert!(taken > 1_000, "only {taken} of the documents were any");
}

#[test]
fn a_pattern_with_many_wildcards_takes_no_more_time_than_it_has_characters() {
    let stars = "a*".repeat(120);
    let document = document(&format!("Allow * on {stars}b"));
    let policy = IdentityPolicy::parse(&document, &account()).unwrap();
    let name = "a".repeat(250);
    let started = std::time::Instant::now();
    let found =
        ask(&format!("alice ecr:PutImage {name}"), |request| verdict(&[Either::Identity(policy)], request));
    assert_eq!(found, "no");
    assert!(started.elapsed() < std::time::Duration::from_secs(1));
}
