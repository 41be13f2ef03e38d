//! `berth login` and `berth logout`: the built binary against a stub of a registry.

#![expect(clippy::unwrap_used, reason = "these are tests, helpers included")]

mod stub;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use rcgen::{CertificateParams, DnType, KeyPair};
use serde_json::{Value, json};
use stub::{Asks, Stub};
use tempfile::TempDir;

/// A user's home, with docker's config folder in it.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        // The only authority on this user's machine is one that signed nothing.
        let mut authority = CertificateParams::new([]).unwrap();
        authority.distinguished_name.push(DnType::CommonName, "Nobody");
        let certificate = authority.self_signed(&KeyPair::generate().unwrap()).unwrap();
        fs::write(home.path().join("authorities.pem"), certificate.pem()).unwrap();
        Self(home)
    }

    fn trust(&self, certificate: &str) {
        fs::write(self.0.path().join("authorities.pem"), certificate).unwrap();
    }

    fn config_path(&self) -> PathBuf {
        self.0.path().join(".docker/config.json")
    }

    fn write_config(&self, config: &Value) {
        fs::create_dir_all(self.config_path().parent().unwrap()).unwrap();
        fs::write(self.config_path(), config.to_string()).unwrap();
    }

    fn config(&self) -> Value {
        serde_json::from_str(&fs::read_to_string(self.config_path()).unwrap()).unwrap()
    }

    /// Puts a helper on the PATH, which keeps what it is told in the file `kept` of this home.
    fn install_helper(&self) {
        let program = self.0.path().join("docker-credential-fake");
        let script = r#"#!/bin/sh
kept="$(dirname "$0")/kept"
case "$1" in
store) cat > "$kept" ;;
get) test -s "$kept" && cat "$kept" || { echo "credentials not found in native keychain"; exit 1; } ;;
erase) rm "$kept" ;;
esac
"#;
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    }

    fn berth(&self, arguments: &[&str], input: &str) -> Output {
        let path = format!("{}:{}", self.0.path().display(), std::env::var("PATH").unwrap());
        let mut child = Command::new(env!("CARGO_BIN_EXE_berth"))
            .args(arguments)
            .env("HOME", self.0.path())
            .env("PATH", path)
            .env("SSL_CERT_FILE", self.0.path().join("authorities.pem"))
            .env_remove("SSL_CERT_DIR")
            .env_remove("DOCKER_CONFIG")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Berth may end without reading it.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    fn login(&self, server: &str, password: &str) -> Output {
        self.berth(&["login", "-u", "alice", "--password-stdin", server], password)
    }
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

#[track_caller]
fn assert_succeeded(output: &Output) {
    assert_eq!((output.status.code(), stdout(output)), (Some(0), "Login Succeeded\n"), "{}", stderr(output));
}

#[track_caller]
fn assert_failed(output: &Output, sentence: &str) {
    assert_eq!((output.status.code(), stderr(output)), (Some(1), format!("berth: {sentence}\n").as_str()));
    assert_eq!(stdout(output), "");
}

#[test]
fn the_right_password_is_kept_as_docker_keeps_it() {
    for asks in [Asks::Basic, Asks::Bearer, Asks::Nobody] {
        let (home, stub) = (Home::new(), Stub::start(asks));
        let server = stub.address.to_string();
        assert_succeeded(&home.login(&server, "s3cret\n"));
        assert_eq!(home.config(), json!({"auths": {server: {"auth": "YWxpY2U6czNjcmV0"}}}));
    }
}

#[test]
fn the_wrong_password_is_refused_in_one_sentence_and_not_kept() {
    for asks in [Asks::Basic, Asks::Bearer] {
        let (home, stub) = (Home::new(), Stub::start(asks));
        let output = home.login(&stub.address.to_string(), "wrong");
        assert_failed(&output, &format!("logging in to {}: wrong user name or password", stub.address));
        assert!(!home.config_path().exists());
    }
}

#[test]
fn the_token_service_is_asked_for_no_refresh_token() {
    let (home, stub) = (Home::new(), Stub::start(Asks::Bearer));
    assert_succeeded(&home.login(&stub.address.to_string(), "s3cret"));
    assert_eq!(
        stub.requests(),
        ["GET /v2/", "GET /token?service=stub&client_id=berth&account=alice", "GET /v2/"]
    );
}

#[test]
fn keeping_a_password_in_a_file_is_warned_of_on_stderr() {
    let (home, stub) = (Home::new(), Stub::start(Asks::Basic));
    let output = home.login(&stub.address.to_string(), "s3cret");
    let expected =
        format!("WARNING! Your credentials are stored unencrypted in '{}'.", home.config_path().display());
    assert!(stderr(&output).starts_with(&expected), "{}", stderr(&output));
}

#[test]
fn everything_else_in_the_file_survives_login_and_logout() {
    let (home, stub) = (Home::new(), Stub::start(Asks::Basic));
    let before = json!({
        "auths": {"r.example": {"auth": "eDp5"}},
        "HttpHeaders": {"X-Meta": "1"},
        "plugins": {"debug": {"hooks": "exec"}},
    });
    home.write_config(&before);
    let server = stub.address.to_string();
    assert_succeeded(&home.login(&server, "s3cret"));
    let mut during = before.clone();
    during["auths"][&server] = json!({"auth": "YWxpY2U6czNjcmV0"});
    assert_eq!(home.config(), during);
    let output = home.berth(&["logout", &server], "");
    assert_eq!(stdout(&output), format!("Removing login credentials for {server}\n"));
    assert_eq!(home.config(), before);
}

#[test]
fn logging_out_without_a_login_changes_nothing_and_succeeds() {
    let home = Home::new();
    let output = home.berth(&["logout", "r.example"], "");
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), "Not logged in to r.example\n"));
    assert!(!home.config_path().exists());
}

#[test]
fn a_helper_keeps_the_password_instead_of_the_file() {
    for config in ["credsStore", "credHelpers"] {
        let (home, stub) = (Home::new(), Stub::start(Asks::Basic));
        let server = stub.address.to_string();
        let named = match config {
            "credsStore" => json!("fake"),
            _ => json!({server.as_str(): "fake"}),
        };
        home.write_config(&json!({config: named}));
        home.install_helper();
        let output = home.login(&server, "s3cret");
        assert_succeeded(&output);
        assert_eq!(stderr(&output), "");
        let kept = fs::read_to_string(home.0.path().join("kept")).unwrap();
        let expected = json!({"ServerURL": server, "Username": "alice", "Secret": "s3cret"});
        assert_eq!(serde_json::from_str::<Value>(&kept).unwrap(), expected);
        assert_eq!(home.config(), json!({config: named, "auths": {server.as_str(): {}}}));
        // The next login needs no password.
        assert_succeeded(&home.berth(&["login", &server], ""));
        assert_eq!(home.berth(&["logout", &server], "").status.code(), Some(0));
        assert!(!home.0.path().join("kept").exists());
        assert_eq!(home.config(), json!({config: named, "auths": {}}));
    }
}

#[test]
fn a_helper_that_is_missing_is_named() {
    let (home, stub) = (Home::new(), Stub::start(Asks::Basic));
    home.write_config(&json!({"credsStore": "absent"}));
    let output = home.login(&stub.address.to_string(), "s3cret");
    assert_eq!(output.status.code(), Some(1));
    let expected =
        format!("berth: keeping the login to {}: running docker-credential-absent: ", stub.address);
    assert!(stderr(&output).starts_with(&expected), "{}", stderr(&output));
}

#[test]
fn a_stored_login_is_tried_again_without_asking() {
    for entry in [json!({"auth": "YWxpY2U6czNjcmV0"}), json!({"auth": "Og==", "identitytoken": "idtok"})] {
        let (home, stub) = (Home::new(), Stub::start(Asks::Bearer));
        let server = stub.address.to_string();
        home.write_config(&json!({"auths": {server.as_str(): entry}}));
        assert_succeeded(&home.berth(&["login", &server], ""));
    }
}

#[test]
fn a_stored_login_that_is_refused_is_said_before_asking_anew() {
    let (home, stub) = (Home::new(), Stub::start(Asks::Bearer));
    let server = stub.address.to_string();
    home.write_config(&json!({"auths": {server.as_str(): {"auth": "YWxpY2U6d3Jvbmc="}}}));
    let output = home.berth(&["login", &server], "");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("\nStored credentials invalid or expired\nberth: "),
        "{}",
        stderr(&output)
    );
}

#[test]
fn without_a_terminal_the_password_comes_from_standard_input_only() {
    let home = Home::new();
    assert_failed(
        &home.berth(&["login", "-u", "alice", "127.0.0.1:1"], ""),
        "logging in to 127.0.0.1:1: there is no terminal to ask for the password on; \
         pipe it in and use --password-stdin",
    );
    assert_failed(
        &home.berth(&["login", "127.0.0.1:1"], ""),
        "logging in to 127.0.0.1:1: there is no terminal to ask for the user name on; \
         use -u USER --password-stdin",
    );
    assert_failed(&home.login("127.0.0.1:1", "\n"), "logging in to 127.0.0.1:1: the password is empty");
}

#[test]
fn what_is_no_registry_is_said_to_be_none() {
    let (home, stub) = (Home::new(), Stub::start(Asks::IsNoRegistry));
    let output = home.login(&stub.address.to_string(), "s3cret");
    assert_failed(
        &output,
        &format!("logging in to {}: 127.0.0.1 is not a registry: there is no /v2/", stub.address),
    );
}

#[test]
fn a_registry_that_refuses_its_own_tokens_is_not_the_users_fault() {
    let (home, stub) = (Home::new(), Stub::start(Asks::BearerInVain));
    let output = home.login(&stub.address.to_string(), "s3cret");
    assert_failed(
        &output,
        &format!(
            "logging in to {}: the registry does not accept the token of its own token service",
            stub.address
        ),
    );
}

#[test]
fn where_nobody_listens_is_said_so() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let output = Home::new().login(&address.to_string(), "s3cret");
    assert_failed(
        &output,
        &format!(
            "logging in to {address}: Connection refused (os error 111); \
             check that a registry is listening there"
        ),
    );
}

#[test]
fn https_to_a_server_of_plain_http_says_what_to_do() {
    let (home, stub) = (Home::new(), Stub::start(Asks::Basic));
    let output = home.login(&format!("https://{}", stub.address), "s3cret");
    assert_failed(
        &output,
        &format!(
            "logging in to {}: 127.0.0.1 does not speak TLS; if plain HTTP will do, use --plain-http",
            stub.address
        ),
    );
    let server = format!("https://{}", stub.address);
    let output = home.berth(&["login", "--plain-http", "-u", "alice", "--password-stdin", &server], "s3cret");
    assert_succeeded(&output);
}

#[test]
fn a_certificate_is_believed_when_the_system_does_or_when_told_to() {
    let (stub, certificate) = Stub::start_with_tls(Asks::Basic);
    let server = format!("https://{}", stub.address);
    let trusting = Home::new();
    trusting.trust(&certificate);
    assert_succeeded(&trusting.login(&server, "s3cret"));
    let arguments = ["login", "--tls-verify=false", "-u", "alice", "--password-stdin", &server];
    assert_succeeded(&Home::new().berth(&arguments, "s3cret"));
}

#[test]
fn a_certificate_of_nobody_known_is_refused_with_what_to_do() {
    let (home, (stub, _)) = (Home::new(), Stub::start_with_tls(Asks::Basic));
    let output = home.login(&format!("https://{}", stub.address), "s3cret");
    assert_failed(
        &output,
        &format!(
            "logging in to {0}: invalid peer certificate: UnknownIssuer; put the authority that signed it \
             into /etc/docker/certs.d/{0}/ca.crt, or trust anything with --tls-verify=false",
            stub.address
        ),
    );
    assert!(!home.config_path().exists());
}

#[test]
fn plain_http_to_a_server_that_speaks_tls_says_what_to_do() {
    let (home, (stub, _)) = (Home::new(), Stub::start_with_tls(Asks::Basic));
    let output = home.login(&stub.address.to_string(), "s3cret");
    assert_eq!(output.status.code(), Some(1));
    let advice = format!("; if 127.0.0.1 speaks TLS, name it https://{}\n", stub.address);
    assert!(stderr(&output).ends_with(&advice), "{}", stderr(&output));
}

#[test]
fn wrong_usage_ends_with_2_and_touches_nothing() {
    let home = Home::new();
    for arguments in [
        &["login", "--password-stdin"][..],
        &["login", "ftp://r.example"],
        &["login", "a", "b"],
        &["login", "--no-such-flag"],
        &["no-such-command"],
        &[],
    ] {
        let output = home.berth(arguments, "");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
    }
    assert!(!home.config_path().exists());
}
