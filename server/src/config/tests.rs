//! The configuration as scripts and documents may rely on it.

use std::io::Write as _;
use std::time::Duration;

use secrecy::ExposeSecret as _;

use super::*;

fn load(file: &str, environment: &[(&str, &str)], flags: Flags) -> Result<(Config, Vec<String>), String> {
    let mut written = tempfile::NamedTempFile::new().unwrap();
    written.write_all(file.as_bytes()).unwrap();
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let home = [("HOME".to_owned(), "/home/somebody".to_owned())];
    let name = written.path().display().to_string();
    match Config::load(Some(written.path()), environment.chain(home), flags) {
        Ok((config, warnings)) => Ok((config, warnings.iter().map(ToString::to_string).collect())),
        Err(error) => Err(error.to_string().replace(&name, "berth.toml")),
    }
}

fn config(file: &str, environment: &[(&str, &str)]) -> Config {
    let (config, warnings) = load(file, environment, Flags::default()).unwrap();
    assert_eq!(warnings, [""; 0]);
    config
}

fn file_error(file: &str) -> String {
    let error = load(file, &[], Flags::default()).unwrap_err();
    error.strip_prefix("berth.toml, ").unwrap_or(&error).to_owned()
}

fn variable_error(name: &str, value: &str) -> String {
    let error = load("", &[(name, value)], Flags::default()).unwrap_err();
    error.strip_prefix("reading the configuration: ").unwrap_or(&error).to_owned()
}

#[test]
fn flag_wins_over_environment_over_file_over_default() {
    let file = "listen = '127.0.0.1:2'\n[limits]\nconnections = 2";
    let variables = [("BERTH_LISTEN", ":3"), ("BERTH_LIMITS__CONNECTIONS", "3")];
    let flags = || Flags { listen: Some("localhost:4".to_owned()), data: Some("/flag".into()) };
    let listen = |file, variables: &[_], flags| load(file, variables, flags).unwrap().0.listen.to_string();
    assert_eq!(listen("", &[], Flags::default()), "127.0.0.1:5000");
    assert_eq!(listen(file, &[], Flags::default()), "127.0.0.1:2");
    assert_eq!(listen(file, &variables, Flags::default()), "0.0.0.0:3");
    assert_eq!(listen(file, &variables, flags()), "127.0.0.1:4");
    assert_eq!(config("", &[]).limits.connections, 4096);
    assert_eq!(config(file, &[]).limits.connections, 2);
    assert_eq!(config(file, &variables).limits.connections, 3);
    assert_eq!(load(file, &variables, flags()).unwrap().0.data, Path::new("/flag"));
}

#[test]
fn without_a_file_everything_has_a_default() {
    let (config, warnings) =
        Config::load(None, [], Flags { data: Some("/d".into()), ..Flags::default() }).unwrap();
    assert_eq!(warnings, []);
    assert_eq!(config.metadata.url, MetadataUrl::Sqlite("/d/registry/metadata.db".into()));
    assert!(matches!(&config.blobs, BlobsConfig::Local { path } if path == Path::new("/d/registry/blobs")));
    assert!(config.delete.enabled && config.repositories.create_on_push);
    assert!(!config.repositories.sparse_indexes && config.tls.is_none() && config.public_url.is_none());
}

#[test]
fn the_data_folder_is_the_systems_for_root_and_ones_own_otherwise() {
    let folder = |variables: &[(&str, &str)], is_root| {
        let owned = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Environment::sort(owned).data_folder(is_root)
    };
    let home = ("HOME", "/home/u");
    assert_eq!(folder(&[home], true).as_deref(), Some("/var/lib/berth"));
    assert_eq!(folder(&[home], false).as_deref(), Some("/home/u/.local/share/berth"));
    assert_eq!(folder(&[home, ("XDG_DATA_HOME", "/x")], false).as_deref(), Some("/x/berth"));
    assert_eq!(
        folder(&[home, ("XDG_DATA_HOME", "relative")], false).as_deref(),
        Some("/home/u/.local/share/berth")
    );
    assert_eq!(folder(&[], false), None);
}

#[test]
fn every_key_is_also_a_variable() {
    let config = config(
        "",
        &[
            ("BERTH_PUBLIC_URL", "https://r.example.com/"),
            ("BERTH_TRUSTED_PROXIES", "10.0.0.0/8, 127.0.0.1"),
            ("BERTH_METADATA__URL", "sqlite:/m.db"),
            ("BERTH_BLOBS__KIND", "local"),
            ("BERTH_BLOBS__PATH", "/b"),
            ("BERTH_TLS__CERT", "c.pem"),
            ("BERTH_TLS__KEY", "k.pem"),
            ("BERTH_AUTH__TOKEN_TTL", "10m"),
            ("BERTH_AUTH__ISSUER", "12345"),
            ("BERTH_AUTH__MASTER_KEY_FILE", "/k"),
            ("BERTH_LIMITS__HEADERS", "65536"),
            ("BERTH_LIMITS__READ_BUFFER_BUDGET", "4MiB"),
            ("BERTH_LIMITS__WRITE_TIMEOUT", "1500ms"),
            ("BERTH_LOG__FORMAT", "json"),
            ("BERTH_LOG__LEVEL", "info,berth_server=debug"),
            ("BERTH_UPLOADS__EXPIRE_AFTER", "7d"),
            ("BERTH_AUDIT__KEEP", "30d"),
            ("BERTH_AUDIT__MAX_RECORDS", "1000"),
            ("BERTH_DELETE__ENABLED", "false"),
            ("BERTH_REPOSITORIES__SPARSE_INDEXES", "true"),
            ("BERTH_ECR__ACCOUNT", "123456789012"),
            ("BERTH_ADMIN__LISTEN", ":5001"),
            ("BERTH_ADMIN_PASSWORD", "secret"),
        ],
    );
    assert_eq!(config.public_url.unwrap().origin(), "https://r.example.com");
    assert_eq!(config.trusted_proxies, ["10.0.0.0/8".parse().unwrap(), "127.0.0.1/32".parse().unwrap()]);
    assert_eq!(config.metadata.url, MetadataUrl::Sqlite("/m.db".into()));
    assert_eq!(config.tls.unwrap().key, Path::new("k.pem"));
    assert_eq!(config.auth.token_ttl, Duration::from_secs(600));
    assert_eq!(config.auth.issuer, "12345");
    assert_eq!((config.limits.headers, config.limits.read_buffer_budget), (65536, 4 << 20));
    assert_eq!(config.limits.write_timeout, Duration::from_millis(1500));
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(config.uploads.expire_after, Duration::from_secs(7 * 24 * 3600));
    assert_eq!((config.audit.keep, config.audit.max_records), (Duration::from_secs(30 * 24 * 3600), 1000));
    assert!(!config.delete.enabled && config.repositories.sparse_indexes);
    assert_eq!(config.ecr.account, "123456789012");
    assert_eq!(config.admin.listen, Some("0.0.0.0:5001".parse().unwrap()));
    assert_eq!(config.admin_password.unwrap().expose_secret(), "secret");
}

#[test]
fn an_unknown_key_in_the_file_names_the_line_and_the_nearest() {
    assert_eq!(file_error("lisen = ':1'"), "line 1: unknown key lisen; did you mean listen?");
    assert_eq!(
        file_error("data = '/d'\n\n[limits]\nconections = 3\n"),
        "line 4: unknown key limits.conections; did you mean limits.connections?"
    );
    assert_eq!(file_error("[limit]\nconnections = 3"), "line 1: unknown key limit; did you mean limits?");
    assert_eq!(file_error("delete.nonsense = 1"), "line 1: unknown key delete.nonsense; known here: enabled");
}

#[test]
fn a_value_of_the_wrong_kind_names_the_line_and_the_key() {
    let table = [
        (
            "listen = 'there'",
            "line 1: listen: 'there' is not an address with a port; write it like 127.0.0.1:5000 or :5000",
        ),
        ("listen = 5000", "line 1: listen: expected a string, found integer `5000`"),
        (
            "public_url = 'r.example.com'",
            "line 1: public_url: a URL must start with http:// or https://; write it like https://registry.example.com",
        ),
        (
            "public_url = 'https://r/x'",
            "line 1: public_url: clients look for /v2/ at the root of a host, so a path can't be part of it; write it like https://registry.example.com",
        ),
        (
            "public_url = 'https://me:pw@r'",
            "line 1: public_url: a public URL has no user or password; write it like https://registry.example.com",
        ),
        (
            "trusted_proxies = ['lan']",
            "line 1: trusted_proxies: 'lan' is not an address or network; write it like 10.0.0.0/8",
        ),
        (
            "\n[limits]\nconnections = 'many'",
            "line 3: limits.connections: expected a whole number, found string \"many\"",
        ),
        ("[limits]\nconnections = 0", "line 2: limits.connections: 0 is too small; the least is 1"),
        (
            "[limits]\nheader_timeout = '5'",
            "line 2: limits.header_timeout: expected a duration such as 30s, 5m, 24h or 30d, found string \"5\"",
        ),
        ("[limits]\nheader_timeout = '0s'", "line 2: limits.header_timeout: must be longer than zero"),
        (
            "[limits]\nread_buffer_budget = '4 potatoes'",
            "line 2: limits.read_buffer_budget: '4 potatoes' is not a size; write it like 64KiB or 4MiB",
        ),
        (
            "[limits]\nread_buffer_budget = true",
            "line 2: limits.read_buffer_budget: expected a size in bytes, such as 4MiB",
        ),
        (
            "[limits]\nheaders = '1KiB'",
            "line 2: limits.headers: a limit of headers lies between 8KiB and 256KiB",
        ),
        ("[auth]\ntoken_ttl = '59s'", "line 2: auth.token_ttl: token_ttl must be between 60s and 24h"),
        (
            "[log]\nlevel = 'loud'",
            "line 2: log.level: 'loud' is not a log level; use one of off, error, warn, info, debug, trace",
        ),
        ("[log]\nformat = 'xml'", "line 2: log.format: 'xml' is not a log format; use \"text\" or \"json\""),
        ("[delete]\nenabled = 'yes'", "line 2: delete.enabled: expected a boolean, found string \"yes\""),
        ("[ecr]\naccount = '1'", "line 2: ecr.account: '1' is not an account of twelve digits"),
        (
            "[ecr]\nregion = 'US East'",
            "line 2: ecr.region: 'US East' is not a region; write it like us-east-1",
        ),
        ("data = ''", "line 1: data: the path is empty"),
        ("[tls]\ncert = 'c'", "line 1: tls.key is missing"),
        ("tls = 'on'", "line 1: tls is a section; write its keys under [tls]"),
        ("[limits\n", "line 1: not TOML: unclosed table, expected `]`"),
        ("data = '/a'\ndata = '/b'", "line 2: not TOML: duplicate key"),
    ];
    for (file, sentence) in table {
        assert_eq!(file_error(file), sentence, "{file}");
    }
}

#[test]
fn a_value_of_the_wrong_kind_names_its_variable_or_flag() {
    assert_eq!(
        variable_error("BERTH_LIMITS__CONNECTIONS", "many"),
        "BERTH_LIMITS__CONNECTIONS: not a whole number"
    );
    assert_eq!(
        variable_error("BERTH_DELETE__ENABLED", "yes"),
        "BERTH_DELETE__ENABLED: neither true nor false"
    );
    assert_eq!(
        variable_error("BERTH_LISTEN", "5000"),
        "BERTH_LISTEN: '5000' is not an address with a port; write it like 127.0.0.1:5000 or :5000"
    );
    let flags = Flags { listen: Some("nowhere".to_owned()), ..Flags::default() };
    assert_eq!(
        load("", &[], flags).unwrap_err(),
        "--listen: 'nowhere' is not an address with a port; write it like 127.0.0.1:5000 or :5000"
    );
}

#[test]
fn what_is_no_url_or_time_says_how_to_write_one() {
    let late = [
        (
            "[collection]\nuntagged_after = 'often'",
            "line 2: collection.untagged_after: expected number at 0; write it like 30d, or never",
        ),
        (
            "metadata.url = 'postgres://u:pw@h'",
            "line 1: metadata.url: a PostgreSQL URL needs a user, a host and a database; write it like \
             postgres://user@host/database",
        ),
        (
            "metadata.url = 'mysql://h'",
            "line 1: metadata.url: not a database's URL; write it like sqlite:PATH or postgres://user@host/database",
        ),
    ];
    for (file, sentence) in late {
        assert_eq!(file_error(file), sentence);
    }
}

#[test]
fn an_unknown_variable_is_one_warning() {
    let variables = [
        ("BERTH_LIMITS__CONECTIONS", "1"),
        ("BERTH_LIMTS__CONNECTIONS", "1"),
        ("BERTH_NONSENSE", "1"),
        ("BERTH_LOG", "debug"),
        ("BERTH_LISTEN__ADDRESS", "1"),
    ];
    let (config, mut warnings) = load("[log]\nlevel = 'warn'", &variables, Flags::default()).unwrap();
    warnings.sort();
    assert_eq!(
        warnings,
        [
            "BERTH_LIMITS__CONECTIONS matches no key and is ignored; did you mean BERTH_LIMITS__CONNECTIONS?",
            "BERTH_LIMTS__CONNECTIONS matches no key and is ignored; did you mean BERTH_LIMITS__CONNECTIONS?",
            "BERTH_LISTEN__ADDRESS matches no key and is ignored",
            "BERTH_LOG matches no key and is ignored",
            "BERTH_NONSENSE matches no key and is ignored",
        ]
    );
    assert_eq!(config.limits, LimitsConfig::default());
    let (_, warnings) = load("", &[("BERTH_LOG", "debug")], Flags::default()).unwrap();
    assert_eq!(warnings, ["BERTH_LOG matches no key and is ignored"]);
}

#[test]
fn what_kubernetes_and_compose_put_there_is_ignored() {
    let variables = [
        ("BERTH_PORT", "tcp://10.0.0.1:5000"),
        ("BERTH_PORT_5000_TCP", "tcp://10.0.0.1:5000"),
        ("BERTH_PORT_5000_TCP_ADDR", "10.0.0.1"),
        ("BERTH_METRICS_PORT_9000_TCP_PROTO", "tcp"),
        ("BERTH_SERVICE_HOST", "10.0.0.1"),
        ("BERTH_SERVICE_PORT_HTTP", "5000"),
        ("BERTH_METRICS_SERVICE_HOST", "10.0.0.1"),
        ("BERTH_PUBLIC_URL", ""),
        ("PATH", "/bin"),
    ];
    config("", &variables);
}

#[test]
fn the_first_password_may_come_from_a_file() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"from a file\n").unwrap();
    let path = file.path().to_str().unwrap();
    let config = config("", &[("BERTH_ADMIN_PASSWORD_FILE", path)]);
    assert_eq!(config.admin_password.unwrap().expose_secret(), "from a file");
    let missing = variable_error("BERTH_ADMIN_PASSWORD_FILE", "/nowhere");
    assert_eq!(
        missing,
        "BERTH_ADMIN_PASSWORD_FILE: reading /nowhere: No such file or directory (os error 2)"
    );
}

#[test]
fn the_effective_configuration_reads_back_as_itself_and_hides_secrets() {
    let config = config(
        "public_url = 'https://r.example.com'\n[tls]\ncert = 'c'\nkey = 'k'\n[limits]\nheaders = 65536",
        &[("BERTH_ADMIN_PASSWORD", "secret"), ("BERTH_ADMIN__LISTEN", ":5001")],
    );
    let shown = config.effective();
    assert!(shown.contains("headers = \"64KiB\"") && shown.contains("expire_after = \"1day\""), "{shown}");
    assert!(!shown.contains("secret"), "{shown}");
    assert!(!format!("{config:?}").contains("secret"));
    let (again, _) = load(&shown, &[("BERTH_ADMIN_PASSWORD", "secret")], Flags::default()).unwrap();
    assert_eq!(again.effective(), shown);
}

#[test]
fn sizes_are_shown_as_people_write_them() {
    for text in ["0", "1000", "64KiB", "4MiB", "3GiB"] {
        let bytes = values::bytes::parse(text).unwrap();
        assert_eq!(values::bytes::parse(&values::bytes::format(bytes)).unwrap(), bytes, "{text}");
    }
    assert_eq!(values::bytes::format(4 << 20), "4MiB");
}

#[test]
fn a_section_of_blobs_that_makes_no_sense_says_why() {
    for (file, error) in [
        ("[blobs]\nkind = 's3'", "line 1: blobs.bucket is missing"),
        ("[blobs]\nbucket = 'b'", "line 1: blobs: bucket is a key of S3; add kind = \"s3\" or leave it out"),
        (
            "[blobs]\nkind = 'ftp'",
            "line 2: blobs.kind: 'ftp' is not a kind of blob store; use \"local\" or \"s3\"",
        ),
        (
            "[blobs]\nkind = 's3'\nbucket = 'b'\npath = '/b'",
            "line 1: blobs: path is a key of kind = \"local\"; leave it out",
        ),
        (
            "[blobs]\nkind = 's3'\nbucket = 'b'\naccess_key_id = 'k'",
            "line 1: blobs: access_key_id and its secret belong together; set both or neither",
        ),
        (
            "[blobs]\nkind = 's3'\nbucket = 'b'\nendpoint = 'http://s3'\nredirect = true",
            "line 1: blobs: redirect needs public_endpoint, where clients reach the bucket",
        ),
        (
            "[blobs]\nkind = 's3'\nbucket = 'b'\nuniform_part_size = '1MiB'",
            "line 4: blobs.uniform_part_size: parts have 5MiB to 5GiB",
        ),
    ] {
        assert_eq!(file_error(file), error);
    }
}

#[test]
fn a_bucket_is_read_and_shown_without_its_secret() {
    let file = "[blobs]\nkind = 's3'\nbucket = 'b'\nendpoint = 'http://127.0.0.1:9000'\naccess_key_id = 'k'";
    let variables = [("BERTH_BLOBS__SECRET_ACCESS_KEY", "hush"), ("BERTH_BLOBS__CHECKSUMS", "false")];
    let config = config(file, &variables);
    let BlobsConfig::S3(s3) = &config.blobs else { panic!("{:?}", config.blobs) };
    assert_eq!((s3.bucket.as_str(), s3.region.as_str()), ("b", "us-east-1"));
    assert!(s3.path_style && !s3.redirect && !s3.checksums);
    let shown = config.effective();
    assert!(shown.contains("kind = \"s3\"") && shown.contains("secret_access_key = \"(hidden)\""), "{shown}");
    assert!(!shown.contains("hush"), "{shown}");
}

#[test]
fn a_missing_file_is_one_sentence() {
    let error = Config::load(Some(Path::new("/nowhere/berth.toml")), [], Flags::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "/nowhere/berth.toml: No such file or directory (os error 2); \
         name an existing file with --config"
    );
}

#[test]
fn a_postgresql_is_told_by_its_url_and_its_password_never_shown() {
    let file = "[metadata]\nurl = 'postgres://berth:s3cret@db:5433/names?sslmode=require'\nconnections = 4";
    let config = config(file, &[]);
    assert_eq!(config.metadata.url.to_string(), "postgres://berth:…@db:5433/names");
    assert_eq!(config.metadata.connections, 4);
    let shown = config.effective();
    assert!(shown.contains("postgres://berth:…@db:5433/names") && !shown.contains("s3cret"), "{shown}");
}

#[test]
fn secrets_of_the_database_may_stand_in_files() {
    let folder = tempfile::tempdir().unwrap();
    let (url, password) = (folder.path().join("url"), folder.path().join("password"));
    std::fs::write(&url, "postgres://berth@db/names\n").unwrap();
    std::fs::write(&password, "s3cret\n").unwrap();
    let (url, password) = (url.display().to_string(), password.display().to_string());
    let variables = [("BERTH_METADATA__URL_FILE", &*url), ("BERTH_METADATA__PASSWORD_FILE", &password)];
    let config = config("", &variables);
    assert_eq!(config.metadata.url.to_string(), "postgres://berth@db/names");
    assert_eq!(config.metadata.password.as_ref().unwrap().expose_secret(), "s3cret");
    let shown = config.effective();
    assert!(shown.contains("password = \"(hidden)\"") && !shown.contains("s3cret"), "{shown}");
}

#[test]
fn a_secret_that_is_set_twice_or_whose_file_is_missing_is_refused() {
    let refused = file_error("[metadata]\npassword = 'a'\npassword_file = '/b'");
    assert_eq!(refused, "line 3: metadata.password_file: metadata.password is set too; keep one of them");
    let refused = variable_error("BERTH_METADATA__PASSWORD_FILE", "/nowhere/at/all");
    let expected =
        "BERTH_METADATA__PASSWORD_FILE: reading /nowhere/at/all: No such file or directory (os error 2)";
    assert_eq!(refused, expected);
}

#[test]
fn what_nobody_needs_is_kept_as_long_as_it_says_and_less_than_an_hour_is_a_warning() {
    let config = config("[collection]\nuntagged_after = 'never'\nunreferenced_after = '2h'", &[]);
    assert_eq!(config.collection.untagged_after, None);
    assert_eq!(config.collection.unreferenced_after.as_secs(), 7200);
    assert!(config.effective().contains("untagged_after = \"never\""), "{}", config.effective());
    let variables = [("BERTH_COLLECTION__UNREFERENCED_AFTER".to_owned(), "59m".to_owned())];
    let data = Flags { data: Some("/d".into()), ..Flags::default() };
    let (_, warnings) = Config::load(None, variables, data).unwrap();
    assert!(warnings[0].to_string().starts_with("collection.unreferenced_after is 59m: "), "{warnings:?}");
}
