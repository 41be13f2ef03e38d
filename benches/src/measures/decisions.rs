//! What one decision of the policies costs, in this process: what each request pays for many statements.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use berth_auth::{
    Account, Action, Attached, Attachment, Caller, Context, Identity, IdentityPolicy, RepositoryPrefix,
    Target, Transport, decide,
};
use berth_oci::RepositoryName;
use serde_json::{Value, json};

use crate::bench::Bench;
use crate::figures::{Figure, Floor};
use crate::servers::Kind;

const DECISIONS: u32 = 200_000;
const FLOOR: [Floor; 1] = [Floor::ValueAtMost(5.0)];

/// Each decision looks at 50 statements, and only the last allows: none ends it early.
pub(super) fn measure(bench: &mut Bench) -> Result<Vec<Figure>> {
    let mut plain = Figure::new("decision of 50 statements with wildcards", "µs", &FLOOR);
    let mut conditions = Figure::new("… with conditions and variables", "µs", &FLOOR);
    let wildcards = caller(&[with_wildcards()])?;
    let both = caller(&[with_conditions(), with_variables()])?;
    let kinds = bench.kinds(&[Kind::Berth]);
    bench.alternate(&kinds, |_, kind| {
        plain.add(kind, microseconds(&wildcards)?);
        conditions.add(kind, microseconds(&both)?);
        Ok(())
    })?;
    Ok(vec![plain, conditions])
}

fn with_wildcards() -> Vec<Value> {
    let deny = |at: usize| json!({"Effect": "Deny", "Action": "ecr:PutImage", "Resource": arn(&format!("team-{at}/*/x"))});
    (0..49).map(deny).chain([allow()]).collect()
}

fn with_conditions() -> Vec<Value> {
    let deny = |at: usize| {
        json!({
            "Effect": "Deny",
            "Action": "ecr:*",
            "Resource": "*",
            "Condition": {
                "IpAddress": {"aws:SourceIp": format!("192.168.{at}.0/24")},
                "Bool": {"aws:SecureTransport": "true"},
            },
        })
    };
    (0..24).map(deny).chain([allow()]).collect()
}

fn with_variables() -> Vec<Value> {
    let resource = |at: usize| arn(&format!("team-{at}/${{aws:username}}/*"));
    (0..25).map(|at| json!({"Effect": "Deny", "Action": "ecr:*", "Resource": resource(at)})).collect()
}

fn allow() -> Value {
    json!({"Effect": "Allow", "Action": "ecr:*", "Resource": arn("team-a/*")})
}

fn arn(repository: &str) -> String {
    format!("arn:aws:ecr:*:*:repository/{repository}")
}

/// A user to whom a policy of each list of statements is attached.
fn caller(policies: &[Vec<Value>]) -> Result<Caller> {
    let mut attachments = Vec::new();
    for statements in policies {
        let document = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        let attachment = Attachment { policy: "bench".parse()?, prefix: RepositoryPrefix::all() };
        let document = IdentityPolicy::parse(&document, &Account::default()).context("a bench's policy")?;
        attachments.push(Attached { attachment, through: None, document: Arc::new(document) });
    }
    Ok(Caller::Identity(Arc::new(Identity {
        id: "bench".parse()?,
        name: "alice".parse()?,
        attachments,
        disabled: false,
        credentials_changed_at: 0,
    })))
}

fn microseconds(caller: &Caller) -> Result<f64> {
    let account = Account::default();
    let context = Context {
        account: &account,
        address: Some("10.1.2.3".parse()?),
        transport: Transport::Tls,
        now: 1_769_860_800_000_000,
    };
    let name: RepositoryName = "team-a/app".parse()?;
    let target = Target { name: &name, policy: None };
    let decision =
        || decide(black_box(caller), black_box(Action::PutImage), black_box(Some(target)), &context).allowed;
    ensure!(decision(), "the bench's policies refuse what the last of their statements allows");
    let started = Instant::now();
    for _ in 0..DECISIONS {
        black_box(decision());
    }
    Ok(started.elapsed().as_secs_f64() * 1e6 / f64::from(DECISIONS))
}
