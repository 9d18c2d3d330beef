//! Holds the configuration to its promises, from outside. It must not test what one parser accepts:
//! that stands beside the parser.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's helper fails by panicking"
)]

#[path = "config/browser.rs"]
mod browser;
#[path = "config/containers.rs"]
mod containers;
#[path = "config/names.rs"]
mod names;
#[path = "config/production.rs"]
mod production;
#[path = "config/spans.rs"]
mod spans;

use std::path::Path;
use std::process::Command;
use std::{env, fs};

use chrono::TimeDelta;
use keyward::config::{
    Argon2, Config, Embedded, LogFormat, Master, NAMES, Profile, SameSite, SigningAlgorithm, Source,
};

/// Bytes 0 to 31: not random, but with enough different bytes to pass.
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const EXAMPLE: &str = include_str!("../.env.example");

fn read(vars: &[(&str, &str)]) -> Result<Config, Vec<String>> {
    Config::read(
        vars.iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    )
    .map_err(|problems| problems.to_string().lines().map(str::to_owned).collect())
}

fn accepted(vars: &[(&str, &str)]) -> Config {
    read(vars).unwrap_or_else(|problems| panic!("{vars:?}: {problems:?}"))
}

/// These variables have one problem, and it starts so.
fn refused(vars: &[(&str, &str)], start: &str) {
    let problems = read(vars).err().unwrap_or_default();
    let told = problems.len() == 1 && problems[0].starts_with(start);
    assert!(told, "{vars:?}: {problems:#?}");
}

fn embedded(config: &Config) -> Embedded {
    match &config.database.source {
        Source::Embedded(embedded) => embedded.clone(),
        Source::External(_) => panic!("not embedded"),
    }
}

/// Name and value of every line of `.env.example` that would set something, with the line above it.
fn example() -> Vec<(&'static str, &'static str, &'static str)> {
    let lines: Vec<&str> = EXAMPLE.lines().collect();
    let settings = lines.windows(2).filter_map(|pair| {
        let setting = pair[1]
            .strip_prefix('#')
            .filter(|rest| !rest.starts_with(' '))?;
        let (name, value) = setting.split_once('=')?;
        Some((name, value, pair[0]))
    });
    settings.collect()
}

#[test]
fn the_example_lists_every_name_with_its_default_and_explanation() {
    let explained: Vec<String> = NAMES
        .iter()
        .map(|name| format!("# {}", name.help))
        .collect();
    let expected: Vec<_> = NAMES
        .iter()
        .zip(&explained)
        .map(|(name, help)| (name.name, name.default, help.as_str()))
        .collect();
    assert_eq!(example(), expected);
}

#[test]
fn a_copy_of_the_example_changes_nothing() {
    assert!(
        EXAMPLE
            .lines()
            .all(|line| line.is_empty() || line.starts_with('#'))
    );
}

#[test]
fn the_examples_defaults_are_the_codes() {
    let unset = format!("{:?}", accepted(&[]));
    for (name, value, _) in example() {
        let mut set = accepted(&[(name, value)]);
        if let (Source::Embedded(embedded), "KEYWARD_DATA_DIR") = (&mut set.database.source, name) {
            assert!(!embedded.data_dir_is_default, "saying it is choosing it");
            embedded.data_dir_is_default = true;
        }
        assert_eq!(format!("{set:?}"), unset, "{name}");
    }
}

#[test]
fn names_are_said_once_and_secrets_have_no_default() {
    let mut names: Vec<_> = NAMES.iter().map(|name| name.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), NAMES.len());
    let secrets: Vec<_> = NAMES
        .iter()
        .filter(|name| name.secret)
        .map(|name| name.name)
        .collect();
    let expected = [
        "DATABASE_URL",
        "KEYWARD_MASTER_KEY",
        "OTEL_EXPORTER_OTLP_HEADERS",
    ];
    assert_eq!(secrets, expected);
    assert!(
        NAMES
            .iter()
            .all(|name| !name.secret || name.default.is_empty())
    );
}

#[test]
fn nothing_set_is_a_development_server_with_its_own_database() {
    let config = accepted(&[]);
    assert_eq!(config.profile, Profile::Development);
    assert_eq!(config.http.listen, "127.0.0.1:8080".parse().unwrap());
    assert_eq!(config.http.public_url, "http://localhost:8080");
    assert!(config.http.trusted_proxies.is_empty() && config.http.stop_delay.is_zero());
    assert!(config.browser.allowed_origins.is_empty() && config.browser.cookie_secure);
    assert_eq!(config.browser.cookie_same_site, SameSite::Strict);
    assert!((8..=50).contains(&config.database.pool) && config.database.migrate_on_start);
    let embedded = embedded(&config);
    assert_eq!(embedded.data_dir, Path::new("./.keyward"));
    assert!(embedded.data_dir_is_default && embedded.may_download);
    assert!(embedded.bin_dir.is_none() && embedded.user.is_none());
    assert!(matches!(config.keys.master, Master::InDataDir));
    assert_eq!(config.keys.signing_algorithm, SigningAlgorithm::Es256);
    assert_eq!(
        (config.log.format, config.log.filter.as_str()),
        (
            LogFormat::Pretty,
            "info,actix_server=warn,sqlx::postgres::notice=warn"
        )
    );
}

#[test]
fn tokens_and_passwords_have_careful_defaults() {
    let Config {
        tokens, passwords, ..
    } = accepted(&[]);
    assert_eq!(tokens.issuer, "http://localhost:8080");
    assert_eq!(tokens.audience, ["http://localhost:8080"]);
    assert_eq!(tokens.access_ttl, TimeDelta::minutes(10));
    assert_eq!(tokens.refresh_idle_ttl, TimeDelta::days(7));
    assert_eq!(tokens.refresh_absolute_ttl, TimeDelta::days(30));
    assert_eq!(tokens.refresh_grace, TimeDelta::seconds(30));
    assert!(tokens.refresh_recovery);
    assert_eq!((passwords.min_length, passwords.min_strength), (12, 3));
    let argon2 = Argon2 {
        memory_kib: 19_456,
        iterations: 2,
        parallelism: 1,
    };
    assert_eq!(passwords.argon2, argon2);
    assert!((1..=256).contains(&passwords.hash_concurrency));
    assert_eq!(passwords.hash_queue_timeout.as_secs(), 2);
}

#[test]
fn production_has_other_defaults() {
    let production = [
        ("KEYWARD_PROFILE", "production"),
        ("KEYWARD_MASTER_KEY", KEY),
        ("KEYWARD_PUBLIC_URL", "https://auth.example.com"),
    ];
    let config = accepted(&production);
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(config.http.stop_delay.as_secs(), 5);
    assert!(config.database.migrate_on_start && !embedded(&config).may_download);
    let external = (
        "DATABASE_URL",
        "postgres://u:p@db.internal/d?sslmode=verify-full",
    );
    let config = accepted(&[production[0], production[1], production[2], external]);
    assert!(!config.database.migrate_on_start);
}

#[test]
fn an_empty_value_is_unset_and_blanks_around_one_do_not_count() {
    let empty: Vec<_> = NAMES.iter().map(|name| (name.name, " ")).collect();
    let [empty, unset] = [accepted(&empty), accepted(&[])].map(|config| format!("{config:?}"));
    assert_eq!(empty, unset);
    let blanks = accepted(&[("KEYWARD_DATABASE_POOL", " 9\r\n")]);
    assert_eq!(blanks.database.pool, 9);
}

#[test]
fn every_problem_is_reported_at_once_and_by_name() {
    // Any text is a path, a user, a name or a filter; and the key file is read only without a key.
    let unjudged = "DATA_DIR POSTGRES_BIN_DIR POSTGRES_USER MASTER_KEY_FILE SERVICE_NAME RUST_LOG OTEL_SERVICE_NAME";
    let unjudged: Vec<_> = unjudged.split(' ').collect();
    let mut names: Vec<_> = NAMES.iter().map(|name| name.name).collect();
    names.retain(|name| !unjudged.contains(&name.trim_start_matches("KEYWARD_")));
    names.push("KEYWARD_NONSENSE");
    let problems = read(&names.iter().map(|name| (*name, "a b")).collect::<Vec<_>>()).unwrap_err();
    for name in &names {
        let about_it = problems
            .iter()
            .filter(|line| line.starts_with(&format!("{name}: ")));
        assert_eq!(about_it.count(), 1, "{name}: {problems:#?}");
    }
    assert_eq!(problems.len(), names.len(), "{problems:#?}");
}

#[test]
fn two_listeners_cannot_have_one_address() {
    let told = "KEYWARD_MANAGEMENT_LISTEN: must not be that of KEYWARD_LISTEN";
    refused(&[("KEYWARD_MANAGEMENT_LISTEN", "127.0.0.1:8080")], told);
    accepted(&[("KEYWARD_MANAGEMENT_LISTEN", "127.0.0.1:8081")]);
    accepted(&[
        ("KEYWARD_LISTEN", "127.0.0.1:0"),
        ("KEYWARD_MANAGEMENT_LISTEN", "127.0.0.1:0"),
    ]);
}

#[test]
fn a_broken_section_does_not_hide_what_is_wrong_between_others() {
    let problems = read(&[
        ("KEYWARD_PUBLIC_URL", "nowhere"),
        ("KEYWARD_TRUSTED_PROXIES", "nobody"),
        ("KEYWARD_REFRESH_IDLE_TTL", "10m"),
        ("KEYWARD_ARGON2_ITERATIONS", "1"),
        ("DATABASE_URL", "nothing"),
    ]);
    assert_eq!(
        problems.unwrap_err().len(),
        6,
        "the sixth is the missing master key"
    );
}

#[test]
fn secrets_never_print() {
    let url = "postgres://user:s3cret@localhost/d?password=s3cret";
    let config = accepted(&[("DATABASE_URL", url), ("KEYWARD_MASTER_KEY", KEY)]);
    let raw = format!("{:?}", (0..32).collect::<Vec<u8>>());
    for printed in [format!("{config:?}"), format!("{config:#?}")] {
        assert_eq!(printed.matches("[secret]").count(), 2, "{printed}");
        assert!(
            !printed.contains("s3cret") && !printed.contains(KEY),
            "{printed}"
        );
        let bytes: String = printed.split_whitespace().collect();
        assert!(!bytes.contains(&raw.replace(' ', "")[1..20]), "{printed}");
    }
}

#[test]
fn no_value_is_repeated_in_a_problem() {
    for value in [
        "s3",
        "s3,s3",
        "s3:s3",
        "s3 s3",
        "postgres://u:s3@s3:x/",
        "http://s3:s3@s3/?s3",
    ] {
        for left_out in ["KEYWARD_MASTER_KEY", "KEYWARD_MASTER_KEY_FILE"] {
            let names = NAMES
                .iter()
                .map(|name| name.name)
                .filter(|name| *name != left_out);
            let problems = Config::read(names.map(|name| (name.to_owned(), value.to_owned())));
            let problems = problems.unwrap_err();
            let printed = format!("{problems} {problems:?} {problems:#?}");
            assert!(!printed.contains("s3"), "{printed}");
        }
    }
}

/// Runs itself in another directory and with another environment, which no test may change for the
/// others.
#[test]
fn the_process_and_its_dotenv_file_are_read() {
    if env::var_os("KEYWARD_TEST_CHILD").is_some() {
        let config = Config::from_env().unwrap();
        assert_eq!((config.database.pool, config.passwords.min_length), (9, 20));
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = "KEYWARD_DATABASE_POOL=9\nKEYWARD_PASSWORD_MIN_LENGTH=10\n";
    fs::write(dir.path().join(".env"), file).unwrap();
    let child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "the_process_and_its_dotenv_file_are_read"])
        .current_dir(dir.path())
        .env_clear()
        .envs([
            ("KEYWARD_TEST_CHILD", "1"),
            ("KEYWARD_PASSWORD_MIN_LENGTH", "20"),
        ])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&child.stdout);
    assert!(
        child.status.success() && told.contains("1 passed"),
        "{told}"
    );
}
