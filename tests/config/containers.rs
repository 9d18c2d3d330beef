//! `docker-compose.yml` and the `Dockerfile`, as far as they can be judged without containers: what they set is a
//! configuration, and no secret is in them. It must not need a container engine.

use keyward::config::{Config, NAMES, Profile, Source};
use serde_json::{Map, Value};

use super::{KEY, accepted};

const COMPOSE: &str = include_str!("../../docker-compose.yml");
const DOCKERFILE: &str = include_str!("../../Dockerfile");

/// What the operator has to say, with values that would do.
const SAID: [(&str, &str); 4] = [
    ("KEYWARD_PUBLIC_URL", "https://auth.example.com"),
    ("KEYWARD_MASTER_KEY", KEY),
    ("POSTGRES_PASSWORD", "owners"),
    ("SERVING_PASSWORD", "servers"),
];
const OF_KEYWARD: [&str; 2] = ["migrate", "keyward"];

fn services() -> Map<String, Value> {
    let compose: Value = serde_saphyr::from_str(COMPOSE).unwrap();
    compose["services"].as_object().unwrap().clone()
}

/// What a service's container has in its environment beside that of its image, as it is written.
fn environment(service: &Value) -> Vec<(String, String)> {
    let variables = service["environment"].as_object().unwrap();
    let variables = variables.iter();
    variables
        .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
        .collect()
}

/// The variables of `${NAME:?why}`, each with what stands after its name.
fn variables(text: &str) -> Vec<(&str, &str)> {
    let spans = text.split("${").skip(1);
    spans
        .map(|span| {
            let inside = span.split('}').next().unwrap();
            let end = inside.find(|c: char| !c.is_ascii_uppercase() && c != '_');
            inside.split_at(end.unwrap_or(inside.len()))
        })
        .collect()
}

/// The value with what the operator said in place of its variables.
fn filled(value: &str) -> String {
    let mut value = value.to_owned();
    for (name, rest) in variables(&value.clone()) {
        let said = SAID.iter().find(|(said, _)| *said == name);
        let (_, said) = said.unwrap_or_else(|| panic!("{name} is not a variable of the operator"));
        value = value.replace(&format!("${{{name}{rest}}}"), said);
    }
    value
}

/// The configuration of a container: what its image sets, and what compose does. Who migrates has no master key.
fn configuration(name: &str) -> Config {
    let service = &services()[name];
    let image = DOCKERFILE
        .lines()
        .filter_map(|line| line.strip_prefix("ENV ")?.split_once('='));
    let mut set: Vec<(String, String)> = image.map(|(n, v)| (n.into(), v.into())).collect();
    set.extend(environment(service));
    for (_, value) in &mut set {
        *value = filled(value);
    }
    let set: Vec<(&str, &str)> = set.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let unknown = set
        .iter()
        .find(|(name, _)| NAMES.iter().all(|known| known.name != *name));
    assert_eq!(unknown, None, "Keyward does not read it");
    if name == "keyward" {
        return accepted(&set);
    }
    let set = set.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
    Config::read_without_master_key(set).unwrap()
}

#[test]
fn what_compose_sets_starts_in_production() {
    for service in OF_KEYWARD {
        let config = configuration(service);
        assert_eq!(config.profile, Profile::Production, "{service}");
        assert!(
            matches!(config.database.source, Source::External(_)),
            "{service}"
        );
        assert!(!config.database.migrate_on_start, "{service}");
        assert!(
            config.http.listen.ip().is_unspecified(),
            "a container is reached from outside"
        );
    }
}

// OPS-11
#[test]
fn who_serves_is_not_the_owner() {
    let services = services();
    let url = |service: &str| {
        services[service]["environment"]["DATABASE_URL"]
            .as_str()
            .unwrap()
    };
    let [owner, serving] = OF_KEYWARD.map(|service| filled(url(service)));
    assert!(owner.starts_with("postgres://keyward:owners@"));
    assert!(serving.starts_with("postgres://keyward_serving:servers@"));
    let has_owners_password = environment(&services["keyward"])
        .iter()
        .any(|(_, value)| value.contains("POSTGRES_PASSWORD"));
    assert!(!has_owners_password);
    let has_master_key = environment(&services["migrate"])
        .iter()
        .any(|(name, _)| name.starts_with("KEYWARD_MASTER_KEY"));
    assert!(!has_master_key);
}

// OPS-14
#[test]
fn no_secret_has_a_default() {
    let all = variables(COMPOSE);
    assert!(all.len() >= 6, "where are they?");
    for (name, rest) in all {
        assert!(rest.starts_with(":?"), "{name} may be left out");
    }
    for (service, definition) in &services() {
        for (name, value) in environment(definition) {
            let known = NAMES.iter().any(|known| known.name == name && known.secret);
            if known || name.ends_with("PASSWORD") {
                assert!(value.contains("${"), "{service}: {name} is written down");
            }
        }
    }
}

/// So that one file `.env` serves both.
#[test]
fn keyward_passes_over_the_variables_that_are_composes_alone() {
    accepted(&SAID);
}

#[test]
fn keyward_waits_for_a_database_that_is_ready_for_it() {
    let services = services();
    for (service, awaited, condition) in [
        ("migrate", "postgres", "service_healthy"),
        ("grant", "migrate", "service_completed_successfully"),
        ("keyward", "grant", "service_completed_successfully"),
    ] {
        let waits = &services[service]["depends_on"][awaited]["condition"];
        assert_eq!(waits, condition, "{service}");
    }
    for service in ["postgres", "keyward"] {
        assert!(
            services[service]["healthcheck"]["test"].is_array(),
            "{service}"
        );
    }
}

// OPS-15
#[test]
fn keyward_has_no_rights_in_its_container_and_writes_nothing() {
    let services = services();
    for service in OF_KEYWARD {
        let service = &services[service];
        assert_eq!(service["read_only"], true);
        assert_eq!(service["cap_drop"][0], "ALL");
        assert_eq!(service["security_opt"][0], "no-new-privileges:true");
        assert!(service["user"].is_null(), "as the image says");
    }
    let user = DOCKERFILE
        .lines()
        .find_map(|line| line.strip_prefix("USER "));
    let user: u32 = user.unwrap().split(':').next().unwrap().parse().unwrap();
    assert_ne!(user, 0);
}

#[test]
fn the_image_is_built_by_the_rust_that_cargo_asks_for() {
    let from = format!("FROM rust:{}-", env!("CARGO_PKG_RUST_VERSION"));
    assert!(
        DOCKERFILE.lines().any(|line| line.starts_with(&from)),
        "{from}"
    );
}

#[test]
fn what_git_passes_over_stays_out_of_the_image() {
    let kept_out = include_str!("../../.dockerignore");
    for ignored in include_str!("../../.gitignore").lines() {
        let name = ignored.trim_start_matches('/');
        assert!(kept_out.lines().any(|line| line == name), "{name}");
    }
}
