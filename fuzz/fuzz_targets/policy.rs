//! Policy documents: refused with a place, or evaluated without panic for everyone and everything.
#![no_main]

use std::net::IpAddr;

use berth_auth::{
    Account, Action, Context, DocumentError, IdentityPolicy, RepositoryPolicy, Request, Transport, evaluate,
};
use berth_oci::RepositoryName;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let account = Account::default();
    let (identity, repository) =
        (IdentityPolicy::parse(text, &account), RepositoryPolicy::parse(text, &account));
    for refused in [identity.as_ref().err(), repository.as_ref().err()].into_iter().flatten() {
        let DocumentError { place, expected, found } = refused;
        assert!(!place.is_empty() && !expected.is_empty() && !found.is_empty());
    }
    let name: RepositoryName = "team-a/app".parse().expect("a name");
    let addresses = [None, Some(IpAddr::from([10, 0, 0, 1]))];
    for (action, address) in Action::ALL.into_iter().flat_map(|action| addresses.map(|at| (action, at))) {
        let context = Context { account: &account, address, transport: Transport::Plain, now: 1_000_000 };
        for repository_name in [None, Some(&name)] {
            let request = Request { identity: None, action, repository: repository_name, context };
            let verdict = evaluate(
                identity.iter().map(|policy| ((), policy)),
                repository.iter().map(|policy| ((), policy)),
                &request,
            );
            std::hint::black_box(verdict);
        }
    }
});
