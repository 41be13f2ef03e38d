//! How long a decision takes; printed, as machines differ:
//! `cargo test -p berth-auth --release speed -- --nocapture --ignored`

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use super::*;
use crate::Caller;

fn print_time(what: &str, mut decide: impl FnMut()) {
    const ROUNDS: u32 = 200_000;
    (0..ROUNDS / 10).for_each(|_| decide());
    let started = Instant::now();
    (0..ROUNDS).for_each(|_| decide());
    println!("{what}: {:?}", started.elapsed() / ROUNDS);
}

#[test]
#[ignore = "prints times, which only say something in a release build"]
fn the_time_of_decisions() {
    let account = account();
    let context = Context {
        account: &account,
        address: Some("10.1.2.3".parse().unwrap()),
        transport: Transport::Tls,
        now: 1_769_860_800_000_000,
    };
    let caller = |documents: Vec<IdentityPolicy>| {
        let attachment = Attachment { policy: "x".parse().unwrap(), prefix: RepositoryPrefix::all() };
        let attached = |document| Attached {
            attachment: attachment.clone(),
            through: None,
            document: Arc::new(document),
        };
        let attachments = documents.into_iter().map(attached).collect();
        Caller::Identity(Arc::new(Identity { attachments, ..identity("alice") }))
    };
    let name: RepositoryName = "team-a/app".parse().unwrap();
    let time = |what: &str, caller: &Caller, action| {
        print_time(what, || {
            black_box(
                decide(
                    black_box(caller),
                    black_box(action),
                    black_box(Some(Target { name: &name, policy: None })),
                    black_box(&context),
                )
                .allowed,
            );
        });
    };
    let shipped =
        |policy: ShippedPolicy, prefix: &str| policy.document(&prefix.parse().unwrap(), &account).unwrap();
    let developer = caller(vec![shipped(ShippedPolicy::Developer, "team-a/")]);
    time("developer on team-a/, pull", &developer, Action::BatchGetImage);
    time("developer on team-a/, push", &developer, Action::PutImage);
    time("developer on team-a/, delete (refused)", &developer, Action::BatchDeleteImage);
    let several =
        ["x/", "y/", "z/", "team-b", "team-a"].map(|prefix| shipped(ShippedPolicy::Developer, prefix));
    time("developer on five prefixes, push", &caller(several.into()), Action::PutImage);

    let plain: Vec<String> = (0..49).map(|i| format!("Deny ecr:PutImage on team-{i}/*/x")).collect();
    let plain = format!("{};Allow ecr:* on team-a/*", plain.join(";"));
    let parsed = |text: &str| IdentityPolicy::parse(&document(text), &account).unwrap();
    time("50 statements with wildcards", &caller(vec![parsed(&plain)]), Action::PutImage);
    let conditions: Vec<String> = (0..24)
        .map(|i| {
            format!(
                "Deny ecr:* on * if IpAddress aws:SourceIp 192.168.{i}.0/24 if Bool aws:SecureTransport true"
            )
        })
        .collect();
    let conditions = format!("{};Allow ecr:* on team-a/*", conditions.join(";"));
    let variables: Vec<String> =
        (0..25).map(|i| format!("Deny ecr:* on team-{i}/${{aws:username}}/*")).collect();
    let both = vec![parsed(&conditions), parsed(&variables.join(";"))];
    time("50 statements with conditions and variables", &caller(both), Action::PutImage);
}
