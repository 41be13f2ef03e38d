//! `berth admin user disable` and `enable`

use crate::{House, PASSWORD};

#[test]
fn a_disabled_user_may_nothing_until_enabled() {
    let house = House::new();
    let server = house.serve();
    server.admin_with_input("user add alice --password-stdin", PASSWORD).succeeds();
    server.admin("policy attach reader --user alice").succeeds();
    let base = || server.get("/v2/", Some("alice")).map(|(status, _)| status);
    assert_eq!(base(), Some(200));
    server.admin("user disable alice").succeeds();
    assert_eq!(base(), Some(401));
    assert!(server.admin("user show alice").succeeds().contains("disabled"));
    let explained = server.admin("explain alice ecr:BatchGetImage app").succeeds();
    assert_eq!(explained.trim_end(), "denied: alice is disabled");
    server.admin("user enable alice").succeeds();
    assert_eq!(base(), Some(200));
    assert_eq!(server.admin("user disable bob").fails(), "disabling the user bob: user bob does not exist");
}

#[test]
fn a_token_from_before_is_worthless_after_disabling_and_enabling() {
    let house = House::new();
    let server = house.serve();
    server.admin_with_input("user add alice --password-stdin", PASSWORD).succeeds();
    server.admin("policy attach reader --user alice").succeeds();
    let (_, body) = server.get("/token?scope=repository:app:pull", Some("alice")).unwrap();
    let token = body.split('"').nth(3).unwrap().to_owned();
    let tags = || server.get_with_token("/v2/app/tags/list", &token);
    assert_eq!(tags(), Some(404));
    server.admin("user disable alice").succeeds();
    assert_eq!(tags(), Some(401));
    server.admin("user enable alice").succeeds();
    assert_eq!(tags(), Some(401));
}
