//! `berth serve` as whoever runs it meets it: what is in its way is one sentence, and it ends in order.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::{Duration, Instant};

use conformance_tests::client::Ask;
use conformance_tests::content::Blob;
use conformance_tests::server::free_address;
use conformance_tests::{ADMIN_PASSWORD, Berth, Options, Outcome, Program, binary};
use reqwest::Method;
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);

fn folder() -> TempDir {
    tempfile::Builder::new().prefix("berth-serving-").tempdir().expect("a temporary folder")
}

/// `berth serve`, on a free port unless `arguments` say otherwise.
fn serve(data: &Path, arguments: &[&str]) -> Program {
    let program = Program::new(binary::berth()).arg("serve").arg("--data").arg(data).args(arguments);
    let program = program.env("BERTH_ADMIN_PASSWORD", ADMIN_PASSWORD).deadline(PATIENCE);
    if arguments.contains(&"--listen") { program } else { program.args(["--listen", "127.0.0.1:0"]) }
}

/// `berth serve` with a config of these lines.
fn serve_with(folder: &Path, config: &str, arguments: &[&str]) -> Program {
    let file = folder.join("berth.toml");
    std::fs::write(&file, config).expect("writing a config");
    serve(&folder.join("data"), arguments).arg("--config").arg(&file)
}

/// Fails unless it ended with exit code 1 and one sentence, which is given.
#[track_caller]
fn refused(program: Program) -> String {
    let outcome = program.fails();
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    assert_eq!(outcome.stdout, "", "{outcome}");
    one_sentence(&outcome)
}

#[track_caller]
fn one_sentence(outcome: &Outcome) -> String {
    let sentence = outcome.stderr.trim_end().to_owned();
    assert!(sentence.starts_with("berth: "), "{outcome}");
    assert_eq!(sentence.lines().count(), 1, "{outcome}");
    let mut parts: Vec<&str> = sentence.split(": ").collect();
    parts.dedup();
    assert_eq!(parts.join(": "), sentence, "nothing is said twice");
    sentence
}

#[track_caller]
fn says(sentence: &str, words: &str) {
    assert!(sentence.contains(words), "expected {words:?} in: {sentence}");
}

// ---- What is in the way of a start ----

#[test]
fn an_address_that_is_taken_is_said_and_no_trace_left() {
    let folder = folder();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let data = folder.path().join("data");
    let sentence = refused(serve(&data, &["--listen", &address]));
    says(&sentence, &address);
    says(&sentence, "in use");
    assert!(!data.exists(), "a server that can't be reached leaves no trace");
}

#[test]
fn a_second_server_on_one_data_folder_is_refused_and_the_first_goes_on() {
    let mut first = Berth::start();
    let sentence = refused(serve(first.data(), &[]));
    says(&sentence, &format!("process {}", first.process()));
    says(&sentence, &first.data().display().to_string());
    assert!(first.is_running());
    assert_eq!(first.stop().code(), Some(0));
}

#[test]
fn a_data_folder_below_a_file_is_refused() {
    let folder = folder();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let data = file.join("data");
    says(&refused(serve(&data, &[])), &data.display().to_string());
}

#[test]
fn a_data_folder_that_is_read_only_is_refused() {
    let folder = folder();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    // Permissions don't bind root.
    let root = rustix::process::geteuid().is_root();
    if root {
        Program::new("mount").args(["-t", "tmpfs", "-o", "ro", "tmpfs"]).arg(&data).succeeds();
    } else {
        std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o500)).unwrap();
    }
    let outcome = serve(&data, &[]).run();
    if root {
        Program::new("umount").arg(&data).succeeds();
    }
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    says(&one_sentence(&outcome), &data.display().to_string());
}

#[test]
fn an_unknown_key_names_the_nearest_known_one() {
    let folder = folder();
    for (config, key, nearest) in [
        ("lisen = \"127.0.0.1:0\"", "lisen", "listen"),
        ("[upload]\nexpire_after = \"1h\"", "upload", "uploads"),
        ("[uploads]\nexpires_after = \"1h\"", "expires_after", "expire_after"),
        ("[auth]\ntoken_tll = \"5m\"", "token_tll", "token_ttl"),
        ("[repositories]\nsparse_index = true", "sparse_index", "sparse_indexes"),
    ] {
        let sentence = refused(serve_with(folder.path(), config, &["--check"]));
        says(&sentence, key);
        says(&sentence, nearest);
        says(&sentence, "berth.toml");
    }
}

#[test]
fn a_value_that_can_not_be_is_refused_with_its_key_and_place() {
    let folder = folder();
    for (config, words) in [
        ("listen = \"here\"", "listen"),
        ("listen = 5000", "listen"),
        ("data = \"\"", "data"),
        ("public_url = \"https://example.com/path\"", "public_url"),
        ("trusted_proxies = [\"10.0.0.0/99\"]", "trusted_proxies"),
        ("[metadata]\nurl = \"mysql:x\"", "metadata.url"),
        ("[blobs]\nkind = \"tape\"", "blobs.kind"),
        ("[auth]\ntoken_ttl = \"1s\"", "token_ttl"),
        ("[limits]\nconnections = 0", "limits.connections"),
        ("[uploads]\nexpire_after = \"0s\"", "uploads.expire_after"),
        ("[uploads]\nexpire_after = \"soon\"", "uploads.expire_after"),
        ("[delete]\nenabled = \"perhaps\"", "delete.enabled"),
        ("[log]\nlevel = \"loud\"", "log.level"),
        ("[log]\nformat = \"xml\"", "log.format"),
        ("listen = ", "not TOML"),
        ("listen = \"127.0.0.1:0\"\nlisten = \"127.0.0.1:1\"", "line 2: not TOML: duplicate key"),
        ("uploads = 3", "uploads"),
    ] {
        // Without flags, which would win over what the file says.
        let file = folder.path().join("berth.toml");
        std::fs::write(&file, config).unwrap();
        let program = Program::new(binary::berth()).args(["serve", "--check", "--config"]).arg(&file);
        says(&refused(program.env("HOME", folder.path())), words);
    }
}

#[test]
fn a_config_that_does_not_exist_is_refused() {
    let folder = folder();
    let file = folder.path().join("nothing.toml");
    let sentence = refused(serve(folder.path(), &["--config", file.to_str().unwrap()]));
    says(&sentence, "nothing.toml");
}

#[test]
fn a_certificate_that_does_not_exist_is_refused() {
    let folder = folder();
    let sentence =
        refused(serve_with(folder.path(), "[tls]\ncert = \"/nothing/crt\"\nkey = \"/nothing/key\"", &[]));
    says(&sentence, "/nothing/crt");
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let folder = folder();
    for arguments in [&["--nothing"][..], &["--lisen", "x"], &["extra"]] {
        let outcome = serve(folder.path(), arguments).fails();
        assert_eq!(outcome.code(), Some(2), "{outcome}");
        assert_eq!(outcome.stdout, "", "{outcome}");
    }
}

#[test]
fn a_wrong_variable_is_refused_by_its_own_name() {
    let folder = folder();
    let sentence = refused(serve(folder.path(), &["--check"]).env("BERTH_UPLOADS__EXPIRE_AFTER", "soon"));
    says(&sentence, "BERTH_UPLOADS__EXPIRE_AFTER");
}

#[test]
fn a_variable_that_matches_no_key_is_a_warning_and_those_of_kubernetes_are_none() {
    let folder = folder();
    let program = serve(folder.path(), &["--check"]).env("BERTH_PORT", "tcp://10.0.0.1:5000");
    let program = program.env("BERTH_SERVICE_HOST", "10.0.0.1").env("BERTH_PORT_5000_TCP_ADDR", "10.0.0.1");
    let outcome = program.env("BERTH_LISEN", ":1").succeeds();
    let sentence = one_sentence(&outcome);
    says(&sentence, "BERTH_LISEN");
    says(&sentence, "ignored");
}

#[test]
fn check_prints_the_effective_configuration_without_secrets_and_starts_nothing() {
    let folder = folder();
    let config = "[uploads]\nexpire_after = \"2h\"";
    let outcome =
        serve_with(folder.path(), config, &["--check"]).env("BERTH_DELETE__ENABLED", "false").succeeds();
    for words in [
        "expire_after = \"2h\"",
        "enabled = false",
        "listen = \"127.0.0.1:0\"",
        "BERTH_ADMIN_PASSWORD is set",
    ] {
        assert!(outcome.stdout.contains(words), "expected {words:?}: {outcome}");
    }
    assert!(!outcome.stdout.contains(ADMIN_PASSWORD), "{outcome}");
    assert_eq!(outcome.stderr, "", "{outcome}");
    assert!(!folder.path().join("data").exists(), "--check starts nothing");
    // What it printed is a configuration itself.
    std::fs::write(folder.path().join("again.toml"), &outcome.stdout).unwrap();
    let again = Program::new(binary::berth()).args(["serve", "--check", "--config", "again.toml"]);
    again.current_dir(folder.path()).succeeds();
}

// ---- Stores that are not this server's ----

/// The data folder of a server that has run and stopped.
fn stopped() -> (Berth, std::path::PathBuf) {
    let mut berth = Berth::start();
    assert_eq!(berth.stop().code(), Some(0));
    let registry = berth.data().join("registry");
    (berth, registry)
}

#[test]
fn another_master_key_is_refused_and_the_right_one_taken_again() {
    let (mut berth, registry) = stopped();
    let (_other, other) = stopped();
    let key = registry.join("master-key");
    let right = std::fs::read(&key).unwrap();
    std::fs::copy(other.join("master-key"), &key).unwrap();
    says(&refused(serve(berth.data(), &[])), "master key");
    std::fs::write(&key, "no key at all").unwrap();
    says(&refused(serve(berth.data(), &[])), "master key");
    std::fs::write(&key, right).unwrap();
    berth.start_again();
}

#[test]
fn a_lost_master_key_is_said_and_no_other_made_in_its_place() {
    let (mut berth, registry) = stopped();
    let key = registry.join("master-key");
    let right = std::fs::read(&key).unwrap();
    std::fs::remove_file(&key).unwrap();
    says(&refused(serve(berth.data(), &[])), &key.display().to_string());
    assert!(!key.exists(), "another key would open nothing");
    std::fs::write(&key, right).unwrap();
    berth.start_again();
}

#[test]
fn the_database_of_a_newer_version_is_refused_and_left_alone() {
    let (berth, registry) = stopped();
    let path = registry.join("metadata.db");
    let database = rusqlite::Connection::open(&path).unwrap();
    let newer = "INSERT INTO refinery_schema_history (version, name, applied_on, checksum)
                 SELECT 999, 'x', applied_on, checksum FROM refinery_schema_history LIMIT 1";
    assert_eq!(database.execute(newer, []).unwrap(), 1);
    drop(database);
    let sentence = refused(serve(berth.data(), &[]));
    says(&sentence, "newer");
    says(&sentence, &path.display().to_string());
}

#[test]
fn a_database_that_is_none_is_refused() {
    let (berth, registry) = stopped();
    let path = registry.join("metadata.db");
    for beside in ["metadata.db-wal", "metadata.db-shm"] {
        let _ = std::fs::remove_file(registry.join(beside));
    }
    std::fs::write(&path, "this was a database once, but now it is something else entirely").unwrap();
    says(&refused(serve(berth.data(), &[])), &path.display().to_string());
}

// ---- The first start ----

#[test]
fn the_first_start_without_a_password_writes_a_random_one_that_only_its_owner_reads() {
    let folder = folder();
    let address = free_address("127.0.0.1:0").to_string();
    let program =
        Program::new(binary::berth()).args(["serve", "--listen", &address, "--data"]).arg(folder.path());
    let mut command = program.into_command();
    let mut child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    // The banner ends what comes before the first answer.
    let mut banner = String::new();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
    while !banner.contains("docker pull") {
        banner.push_str(&lines.next().expect("a whole banner").unwrap());
        banner.push('\n');
    }
    let registry = folder.path().join("registry");
    let file = registry.join("admin-password");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&registry), mode(&file)), (0o700, 0o600));
    assert_eq!(mode(&registry.join("master-key")), 0o600);
    let password = std::fs::read_to_string(&file).unwrap();
    assert!(password.trim().len() >= 20, "a long random password");
    for words in [&address, &file.display().to_string(), "docker login", "docker push"] {
        assert!(banner.contains(words), "expected {words:?}: {banner}");
    }
    assert!(!banner.contains(password.trim()), "{banner}");
    child.kill().unwrap();
    child.wait().unwrap();
}

// ---- The end ----

/// Waits until this is so.
fn until(what: &str, mut so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !so() {
        assert!(started.elapsed() < PATIENCE, "{what}: not after {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[tokio::test]
async fn a_server_that_is_asked_to_stop_finishes_what_is_under_way() {
    let mut berth = Berth::start();
    let admin = berth.admin();
    let repository = admin.repository("under-way").await;
    let token = admin.token(&["repository:under-way:pull,push"]).await;
    let session = repository.open_upload().await;
    let mut stream = TcpStream::connect(berth.host()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "PATCH {session} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n").unwrap();
    stream.write_all(b"Content-Length: 10\r\n\r\n01234").unwrap();
    // Until that request has the session, a chunk out of order is answered 416 instead of 409.
    while repository.patch(&session, 5, b"x").await.status == 416 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    berth.ask_to_stop();
    until("new connections are refused", || TcpStream::connect(berth.host()).is_err());
    assert!(berth.is_running());
    stream.write_all(b"56789").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    assert_eq!(berth.await_end().code(), Some(0));
    berth.start_again();
    let admin = admin.reconnected();
    let repository = admin.repository("under-way").await;
    repository.finish(&session, &Blob::new("0123456789").digest, "").await.assert(201);
}

#[tokio::test]
async fn quiet_connections_do_not_keep_a_server_from_stopping() {
    let mut berth = Berth::start();
    let silent = TcpStream::connect(berth.host()).unwrap();
    let mut idle = TcpStream::connect(berth.host()).unwrap();
    idle.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut first = [0; 12];
    idle.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    let started = Instant::now();
    assert_eq!(berth.stop().code(), Some(0));
    // Requests under way have 30 s; these connections have none.
    assert!(started.elapsed() < Duration::from_secs(25), "{:?}", started.elapsed());
    drop((silent, idle));
}

#[tokio::test]
async fn probes_and_metrics_may_have_an_address_of_their_own() {
    let address = free_address("127.0.0.1:0");
    let berth = Options::default().config(&format!("[admin]\nlisten = \"{address}\"")).start_ready_at("/v2/");
    let anonymous = berth.anonymous();
    let metrics = format!("http://{address}/metrics");
    let beside = anonymous.request(Method::GET, &metrics).answer().await.assert(200);
    assert!(beside.text().contains("# TYPE"), "{beside}");
    berth.admin().get("/metrics").await.assert_error(404, "UNSUPPORTED");
}

#[test]
fn a_server_that_crashes_leaves_no_core_dump() {
    let mut berth = Berth::start();
    let process = Pid::from_raw(berth.process().cast_signed());
    let maximum = getrlimit(Resource::Core).maximum;
    prlimit(process, Resource::Core, Rlimit { current: maximum, maximum }).expect("allowing core dumps");
    kill_process(process.expect("a process"), Signal::ABORT).expect("sending SIGABRT");
    let ended = berth.await_end();
    assert_eq!((ended.signal(), ended.core_dumped()), (Some(Signal::ABORT.as_raw()), false));
}
