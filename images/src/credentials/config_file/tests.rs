use std::os::unix::fs::symlink;

use super::*;

fn alice() -> Credential {
    Credential::Password { user: "alice".to_owned(), password: "secret".into() }
}

/// What is found, as `user:password` or the token.
fn found(text: &str, key: &str) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    fs::write(&path, text).unwrap();
    Some(match ConfigFile::read(&path).unwrap().find(key).unwrap()? {
        Credential::Password { user, password } => format!("{user}:{}", password.expose_secret()),
        Credential::IdentityToken(token) => token.expose_secret().to_owned(),
    })
}

#[test]
fn a_new_file_is_written_byte_for_byte_as_docker_writes_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/config.json");
    let mut file = ConfigFile::read(&path).unwrap();
    file.insert("localhost:5000", Some(&alice()));
    file.write().unwrap();
    let expected =
        "{\n\t\"auths\": {\n\t\t\"localhost:5000\": {\n\t\t\t\"auth\": \"YWxpY2U6c2VjcmV0\"\n\t\t}\n\t}\n}";
    assert_eq!(fs::read_to_string(&path).unwrap(), expected);
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
}

#[test]
fn what_is_not_about_this_login_is_kept_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    let before = r#"{"psFormat": "{{.ID}}", "auths": {"z.example": {"auth": "eDp5", "email": "z@z"}},
        "HttpHeaders": {"X-Meta": "1"}, "proxies": {"default": {"httpProxy": "p"}}, "big": 12345678901234567890}"#;
    fs::write(&path, before).unwrap();
    let mut file = ConfigFile::read(&path).unwrap();
    file.insert("a.example", Some(&alice()));
    file.write().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let after: Value = serde_json::from_str(&text).unwrap();
    let mut expected: Value = serde_json::from_str(before).unwrap();
    expected["auths"]["a.example"] = json!({"auth": "YWxpY2U6c2VjcmV0"});
    assert_eq!(after, expected);
    let order: Vec<_> = after.as_object().unwrap().keys().collect();
    assert_eq!(order, ["psFormat", "auths", "HttpHeaders", "proxies", "big"]);
    assert!(text.find("a.example") < text.find("z.example"), "{text}");
}

#[test]
fn a_symbolic_link_is_followed_and_the_mode_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (link, real) = (folder.path().join("config.json"), folder.path().join("dotfiles.json"));
    fs::write(&real, "{}").unwrap();
    fs::set_permissions(&real, Permissions::from_mode(0o640)).unwrap();
    symlink("dotfiles.json", &link).unwrap();
    let mut file = ConfigFile::read(&link).unwrap();
    file.insert("a", Some(&alice()));
    file.write().unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(fs::read_to_string(&real).unwrap().contains("YWxpY2U6c2VjcmV0"));
    assert_eq!(fs::metadata(&real).unwrap().mode() & 0o777, 0o640);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn a_dangling_link_is_followed_to_where_it_points() {
    let folder = tempfile::tempdir().unwrap();
    symlink("later/real.json", folder.path().join("config.json")).unwrap();
    let mut file = ConfigFile::read(&folder.path().join("config.json")).unwrap();
    file.insert("a", Some(&alice()));
    file.write().unwrap();
    assert!(folder.path().join("later/real.json").is_file());
}

#[test]
fn links_in_a_circle_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    symlink("config.json", folder.path().join("config.json")).unwrap();
    assert!(matches!(ConfigFile::read(&folder.path().join("config.json")), Err(Error::Read { .. })));
}

#[test]
fn a_malformed_file_is_named_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    for text in ["{", "[]", "\"x\"", r#"{"auths": []}"#] {
        fs::write(&path, text).unwrap();
        let sentence = ConfigFile::read(&path).unwrap_err().to_string();
        assert!(
            sentence.starts_with(&format!("{} is not what docker writes: ", path.display())),
            "{sentence}"
        );
    }
}

#[test]
fn credentials_are_found_in_every_form_that_docker_knows() {
    for (text, credential) in [
        ("", None),
        ("{}", None),
        (r#"{"auths": null}"#, None),
        (r#"{"auths": {"a:1": {}}}"#, None),
        (r#"{"auths": {"a": {"auth": "YWxpY2U6czpl"}}}"#, None),
        (r#"{"auths": {"a:1": {"auth": "YWxpY2U6czpl"}}}"#, Some("alice:s:e")),
        (r#"{"auths": {"https://a:1/v1/": {"auth": "YWxpY2U6czpl"}}}"#, Some("alice:s:e")),
        (r#"{"auths": {"a:1": {"auth": "YWxpY2U6c2UAAAA="}}}"#, Some("alice:se")),
        (r#"{"auths": {"a:1": {"username": "alice", "password": "se"}}}"#, Some("alice:se")),
        (r#"{"auths": {"a:1": {"auth": "Og==", "identitytoken": "tok"}}}"#, Some("tok")),
    ] {
        assert_eq!(found(text, "a:1").as_deref(), credential, "{text}");
    }
}

#[test]
fn the_helper_of_a_registry_goes_before_the_one_for_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    fs::write(&path, r#"{"credsStore": "all", "credHelpers": {"a": "own", "b": ""}}"#).unwrap();
    let file = ConfigFile::read(&path).unwrap();
    let helpers = ["a", "b", "c"].map(|key| file.helper_of(key));
    assert_eq!(helpers, [Some("own"), Some("all"), Some("all")]);
}

#[test]
fn a_login_is_removed_also_under_its_url() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    fs::write(&path, r#"{"auths": {"a": {}, "https://a": {}, "b": {}}}"#).unwrap();
    let mut file = ConfigFile::read(&path).unwrap();
    assert!(file.remove("a"));
    assert!(!file.remove("a"));
    let left: Vec<_> = file.entries().map(|(key, _)| key).collect();
    assert_eq!(left, ["b"]);
}
