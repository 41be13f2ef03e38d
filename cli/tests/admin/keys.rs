//! `berth admin key`

use std::time::{Duration, Instant};

use crate::{House, PASSWORD, Ran, Server, run};

/// A key's id and secret, as they are printed.
struct Key {
    id: String,
    secret: String,
}

#[track_caller]
fn made(ran: Ran) -> Key {
    let printed = ran.succeeds();
    let [id, secret] = printed.lines().collect::<Vec<_>>().try_into().unwrap();
    assert!(id.starts_with("BK") && id.len() == 20, "{id}");
    assert_eq!(secret.len(), 40);
    Key { id: id.to_owned(), secret: secret.to_owned() }
}

impl Key {
    /// The status of an answer to whoever logs in with this key.
    fn base(&self, server: &Server<'_>) -> u16 {
        server.get_as("/v2/", Some((&self.id, &self.secret))).unwrap().0
    }

    /// A token to pull from `app`, asked for with this key.
    fn token(&self, server: &Server<'_>) -> String {
        let login = Some((self.id.as_str(), self.secret.as_str()));
        let (status, body) = server.get_as("/token?scope=repository:app:pull", login).unwrap();
        assert_eq!(status, 200, "{body}");
        body.split('"').nth(3).unwrap().to_owned()
    }
}

/// A server with the user alice, who may read.
fn serve_alice(house: &House) -> Server<'_> {
    let server = house.serve();
    server.admin_with_input("user add alice --password-stdin", PASSWORD).succeeds();
    server.admin("policy attach reader --user alice").succeeds();
    server
}

/// `berth admin …` of alice, who has a home of her own.
fn as_alice(server: &Server<'_>, arguments: &str) -> Ran {
    let home = server.house.path().join("alice");
    std::fs::create_dir_all(&home).unwrap();
    let berth = || {
        let mut command = server.house.berth();
        command.env("HOME", &home);
        command
    };
    run(berth(), &format!("login -u alice --password-stdin {}", server.address), PASSWORD).succeeds();
    let mut command = berth();
    command.args(["admin", "--server", &server.address]);
    run(command, arguments, "")
}

#[test]
fn a_key_acts_as_its_user_until_it_is_removed_and_so_do_its_tokens() {
    let house = House::new();
    let server = serve_alice(&house);
    let key = made(server.admin("key create --user alice --name ci"));
    assert_eq!(key.base(&server), 200);
    let token = key.token(&server);
    let tags = || server.get_with_token("/v2/app/tags/list", &token);
    assert_eq!(tags(), Some(404));
    // Hers are her policies, and no others.
    let users = server.get_as("/api/v1/users", Some((&key.id, &key.secret))).unwrap();
    assert_eq!(users.0, 403);
    let login = format!("login -u {} --password-stdin {}", key.id, server.address);
    run(house.berth(), &login, &key.secret).succeeds();
    run(house.berth(), &format!("login -u admin --password-stdin {}", server.address), PASSWORD).succeeds();
    server.admin(&format!("key rm {}", key.id)).succeeds();
    assert_eq!((key.base(&server), tags()), (401, Some(401)));
    assert_eq!(
        server.admin(&format!("key rm {}", key.id)).fails(),
        format!("removing the access key {0}: access key {0} does not exist", key.id)
    );
}

#[test]
fn a_key_ends_with_its_time() {
    let house = House::new();
    let server = serve_alice(&house);
    let key = made(server.admin("key create --user alice --expires 8s"));
    let token = key.token(&server);
    let tags = || server.get_with_token("/v2/app/tags/list", &token);
    assert_eq!((key.base(&server), tags()), (200, Some(404)));
    let deadline = Instant::now() + Duration::from_secs(60);
    while key.base(&server) == 200 {
        assert!(Instant::now() < deadline, "the key is good for ever");
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!((key.base(&server), tags()), (401, Some(401)));
    assert!(server.admin("key list").succeeds().contains("(over)"));
}

#[test]
fn a_key_is_worth_what_its_user_is() {
    let house = House::new();
    let server = serve_alice(&house);
    let key = made(server.admin("key create --user alice"));
    let token = key.token(&server);
    server.admin("user disable alice").succeeds();
    assert_eq!((key.base(&server), server.get_with_token("/v2/app/tags/list", &token)), (401, Some(401)));
    server.admin("user enable alice").succeeds();
    assert_eq!(key.base(&server), 200);
    server.admin("user rm alice").succeeds();
    assert_eq!(key.base(&server), 401);
    assert_eq!(server.admin("key list --format json").succeeds().trim_end(), "[]");
}

#[test]
fn nothing_but_the_secret_opens_a_key() {
    let house = House::new();
    let server = serve_alice(&house);
    let (key, other) =
        (made(server.admin("key create --user alice")), made(server.admin("key create --user alice")));
    for (id, secret) in [
        (key.id.as_str(), other.secret.as_str()),
        (&key.id, PASSWORD),
        (&key.id, ""),
        (&key.id.to_lowercase(), &key.secret),
        ("BK23456789ABCDEFGHJK", &key.secret),
        ("alice", &key.secret),
    ] {
        assert_eq!(server.get_as("/v2/", Some((id, secret))).unwrap().0, 401, "{id}");
        assert_eq!(server.get_as("/token", Some((id, secret))).unwrap().0, 401, "{id}");
    }
}

#[test]
fn everyone_manages_their_own_keys_and_only_administrators_others() {
    let house = House::new();
    let server = serve_alice(&house);
    let of_admin = made(server.admin("key create"));
    let own = made(as_alice(&server, "key create --name laptop"));
    assert_eq!(own.base(&server), 200);
    let list = as_alice(&server, "key list").succeeds();
    assert!(list.contains(&own.id) && !list.contains(&of_admin.id), "{list}");
    let list = server.admin("key list").succeeds();
    assert!(list.contains(&own.id) && list.contains(&of_admin.id), "{list}");
    assert_eq!(
        as_alice(&server, "key create --user admin").fails(),
        "making an access key for admin: no policy attached to alice allows berth:ManageUsers, so alice \
         makes keys only for alice; ask an administrator"
    );
    assert_eq!(
        as_alice(&server, &format!("key rm {}", of_admin.id)).fails(),
        format!("removing the access key {0}: access key {0} does not exist", of_admin.id)
    );
    assert_eq!(of_admin.base(&server), 200);
    as_alice(&server, &format!("key rm {}", own.id)).succeeds();
    assert_eq!(own.base(&server), 401);
    // A token opens images, not keys.
    let token = of_admin.token(&server);
    assert_eq!(server.get_with_token("/api/v1/keys", &token), Some(401));
}

#[test]
fn keys_are_made_listed_and_removed_on_a_stopped_servers_folder() {
    let house = House::new();
    drop(house.serve());
    house.offline("user add alice").succeeds();
    assert_eq!(
        house.offline("key create").fails(),
        "making an access key: nobody is logged in to a data folder; say whose it will be with --user"
    );
    assert_eq!(
        house.offline("key create --user bob").fails(),
        "making an access key for bob: user bob does not exist"
    );
    let key = made(house.offline("key create --user alice --name ci --expires 90d"));
    let list = house.offline("key list").succeeds();
    assert!(list.contains(&key.id) && list.contains("ci") && list.contains("never"), "{list}");
    assert!(!list.contains(&key.secret), "{list}");
    let json = house.offline("key create --user alice --format json").succeeds();
    assert!(json.contains(r#""user":"alice""#) && json.contains(r#""secret":""#), "{json}");
    let server = house.serve();
    assert_eq!(key.base(&server), 200);
    let json = server.admin("key list --format json").succeeds();
    assert_eq!(json.matches("used_at").count(), 1, "the one that was used: {json}");
    drop(server);
    house.offline(&format!("key rm {}", key.id)).succeeds();
    assert!(!house.offline("key list").succeeds().contains(&key.id));
}
