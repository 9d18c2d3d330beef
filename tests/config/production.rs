//! What is refused for safety's sake, mostly in production, and the key file. It must not test
//! defaults.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use keyward::config::{Config, Master, Profile};
use tempfile::TempDir;

use super::{KEY, accepted, read, refused};

/// What is good in production is not with `name` set to `value`.
fn refused_in_production(name: &'static str, value: &str, start: &str) {
    let mut vars = BTreeMap::from([
        ("KEYWARD_PROFILE", "production"),
        ("KEYWARD_LISTEN", "0.0.0.0:8080"),
        ("KEYWARD_PUBLIC_URL", "https://auth.example.com"),
        ("KEYWARD_MASTER_KEY", KEY),
    ]);
    accepted(&vars.clone().into_iter().collect::<Vec<_>>());
    vars.insert(name, value);
    refused(&vars.into_iter().collect::<Vec<_>>(), start);
}

#[test]
fn a_listener_off_loopback_must_have_its_profile_said() {
    for listen in ["0.0.0.0:80", "[::]:80", "192.0.2.1:80"] {
        let listen = ("KEYWARD_LISTEN", listen);
        refused(&[listen], "KEYWARD_PROFILE: must be set");
        accepted(&[listen, ("KEYWARD_PROFILE", "development")]);
    }
    for listen in ["127.9.9.9:0", "[::1]:80", "[::ffff:127.0.0.1]:80"] {
        assert_eq!(
            accepted(&[("KEYWARD_LISTEN", listen)]).profile,
            Profile::Development
        );
    }
}

#[test]
fn a_database_of_others_needs_a_master_key_in_every_profile() {
    for profile in ["development", "production"] {
        let url = ("DATABASE_URL", "postgres://u:p@localhost/d");
        let told = "KEYWARD_MASTER_KEY: must be set with DATABASE_URL (or \
                    KEYWARD_MASTER_KEY_FILE): make a key with `openssl rand -base64 32`";
        refused(&[("KEYWARD_PROFILE", profile), url], told);
    }
}

#[test]
fn a_key_and_a_key_file_exclude_each_other() {
    let (key, file) = (
        ("KEYWARD_MASTER_KEY", KEY),
        ("KEYWARD_MASTER_KEY_FILE", "/none"),
    );
    refused(
        &[key, file],
        "KEYWARD_MASTER_KEY_FILE: must not be set together",
    );
}

#[test]
fn production_refuses_to_make_its_own_master_key() {
    let told = "KEYWARD_MASTER_KEY: must be set in production";
    refused_in_production("KEYWARD_MASTER_KEY", "", told);
}

#[test]
fn production_refuses_a_plain_public_url() {
    let told = "KEYWARD_PUBLIC_URL: must be https in production";
    refused_in_production("KEYWARD_PUBLIC_URL", "http://auth.example.com", told);
}

#[test]
fn production_refuses_cookies_over_plain_http() {
    let told = "KEYWARD_COOKIE_SECURE: must be true in production";
    refused_in_production("KEYWARD_COOKIE_SECURE", "false", told);
}

#[test]
fn production_refuses_pages_of_plain_http() {
    let told = "KEYWARD_ALLOWED_ORIGINS: entry 2 must not be http in production";
    let origins = "http://localhost:3000,http://app.example.com";
    refused_in_production("KEYWARD_ALLOWED_ORIGINS", origins, told);
}

#[test]
fn production_refuses_a_remote_database_without_tls() {
    let url = "postgres://u:p@db.internal/d?sslmode=disable";
    refused_in_production(
        "DATABASE_URL",
        url,
        "DATABASE_URL: must have sslmode=verify-full in production",
    );
}

/// A directory with `data/inside.key` and `outside.key` in it, both with this mode.
fn key_files(mode: u32) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("data")).unwrap();
    for name in ["data/inside.key", "outside.key"] {
        let path = dir.path().join(name);
        fs::write(&path, format!("main:{KEY}\n")).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    }
    dir
}

/// Accepted, or the problems in one text.
fn with_key_file(profile: &str, dir: &TempDir, file: &str) -> Result<Config, String> {
    let at = |name: &str| dir.path().join(name).display().to_string();
    let vars = [
        ("KEYWARD_PROFILE", profile),
        ("KEYWARD_DATA_DIR", &at("data")),
        ("KEYWARD_MASTER_KEY_FILE", &at(file)),
    ];
    read(&vars).map_err(|problems| problems.concat())
}

#[test]
fn a_key_file_is_read() {
    let config = with_key_file("production", &key_files(0o400), "outside.key").unwrap();
    let expected: Vec<u8> = (0..32).collect();
    match config.keys.master {
        Master::Given(keys) => assert_eq!(keys[0].expose().as_slice(), expected),
        Master::InDataDir | Master::Unread => panic!("not read"),
    }
}

#[test]
fn a_key_file_that_is_missing_or_no_key_is_a_problem() {
    let dir = key_files(0o600);
    fs::write(dir.path().join("data/bad.key"), "s3cret").unwrap();
    for (file, told) in [
        ("none", "cannot be opened"),
        ("", "cannot be read"),
        ("data/bad.key", "must be"),
    ] {
        let problem = with_key_file("development", &dir, file).unwrap_err();
        assert!(
            problem.starts_with("KEYWARD_MASTER_KEY_FILE: "),
            "{problem}"
        );
        assert!(
            problem.contains(told) && !problem.contains("s3cret"),
            "{problem}"
        );
    }
}

#[test]
fn production_refuses_a_key_file_in_the_data_directory() {
    let dir = key_files(0o600);
    symlink(dir.path().join("data/inside.key"), dir.path().join("link")).unwrap();
    for way in ["data/inside.key", "data/../data/inside.key", "link"] {
        let problem = with_key_file("production", &dir, way).unwrap_err();
        assert!(
            problem.contains("must lie outside KEYWARD_DATA_DIR"),
            "{problem}"
        );
        assert!(with_key_file("development", &dir, way).is_ok());
    }
}

#[test]
fn production_refuses_a_key_file_that_others_can_read() {
    for mode in [0o604, 0o620, 0o644] {
        let dir = key_files(mode);
        let problem = with_key_file("production", &dir, "outside.key").unwrap_err();
        assert!(problem.contains("must be closed to others"), "{problem}");
        assert!(with_key_file("development", &dir, "outside.key").is_ok());
    }
    // A secret mounted into a container is often readable by the group of its user.
    assert!(with_key_file("production", &key_files(0o440), "outside.key").is_ok());
}

#[test]
fn production_refuses_to_leave_guesses_uncounted() {
    let name = "KEYWARD_LOGIN_THROTTLE";
    refused_in_production(name, "off", &format!("{name}: must be on in production"));
}
