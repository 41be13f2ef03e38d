//! `berth admin signing-key`

use crate::House;

#[test]
fn a_new_key_signs_at_once_and_tokens_of_the_one_before_are_still_believed() {
    let house = House::new();
    let server = house.serve();
    let token = || {
        let (_, body) = server.get("/token?scope=registry:catalog:*", Some("admin")).unwrap();
        body.split('"').nth(3).unwrap().to_owned()
    };
    let catalog = |token: &str| server.get_with_token("/v2/_catalog", token);
    let keys = || server.get("/.well-known/jwks.json", None).unwrap().1.matches("\"kid\"").count();
    let before = token();
    assert_eq!((catalog(&before), keys()), (Some(200), 1));
    server.admin("signing-key rotate").succeeds();
    let after = token();
    assert_ne!(before.split('.').next(), after.split('.').next(), "the header names another key");
    assert_eq!((catalog(&before), catalog(&after), keys()), (Some(200), Some(200), 2));
    let list = server.admin("signing-key list").succeeds();
    assert_eq!((list.matches("signs").count(), list.matches("believed until").count()), (1, 1), "{list}");
    assert_eq!(server.get_as("/api/v1/signing-keys", None).unwrap().0, 401);
}

#[test]
fn keys_are_rotated_and_listed_on_a_stopped_servers_folder() {
    let house = House::new();
    house.offline("signing-key rotate").succeeds();
    let list = house.offline("signing-key list --format json").succeeds();
    assert_eq!((list.matches("kid").count(), list.matches("believed_until").count()), (2, 1), "{list}");
}
