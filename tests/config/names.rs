//! Names that are not Keyward's. It must not test values.

use super::{accepted, read, refused};

#[test]
fn an_unknown_name_is_refused_even_when_empty() {
    for end in ["", "COOKIES", "SERVICE", "SERVICE_HOSTS", "PORTS", "TEST"] {
        let name = format!("KEYWARD_{end}");
        refused(
            &[(&name, "")],
            &format!("{name}: is not a name that Keyward knows"),
        );
    }
    accepted(&[("PATH", "/bin"), ("KEYWARDEN", "1"), ("LOG_FORMAT", "x")]);
}

#[test]
fn a_typo_is_told_what_it_was_meant_to_be() {
    for (typo, meant) in [
        ("KEYWARD_PASWORD_MIN_LENGHT", "KEYWARD_PASSWORD_MIN_LENGTH"),
        ("KEYWARD_TRUSTED_PROXY", "KEYWARD_TRUSTED_PROXIES"),
        ("KEYWARD_DATABASE_URL", "DATABASE_URL"),
    ] {
        let told = format!("{typo}: is not a name that Keyward knows; did you mean {meant}?");
        refused(&[(typo, "1")], &told);
    }
    let told = read(&[("KEYWARD_SOMETHING_ELSE", "1")])
        .unwrap_err()
        .concat();
    assert!(!told.contains("did you mean"), "{told}");
}

#[test]
fn the_host_that_a_cluster_injects_is_let_be() {
    accepted(&[("KEYWARD_SERVICE_HOST", "10.0.0.1")]);
}

#[test]
fn the_ports_that_a_cluster_injects_are_let_be() {
    accepted(&[
        ("KEYWARD_SERVICE_PORT", "80"),
        ("KEYWARD_SERVICE_PORT_HTTP", "80"),
    ]);
}

#[test]
fn the_link_that_a_container_injects_is_let_be() {
    accepted(&[("KEYWARD_PORT", "tcp://10.0.0.1:80")]);
}

#[test]
fn the_links_parts_that_a_container_injects_are_let_be() {
    accepted(&[("KEYWARD_PORT_80_TCP_ADDR", "10.0.0.1")]);
}

#[test]
fn the_tests_own_names_are_let_be() {
    accepted(&[("KEYWARD_TEST_DATABASE_URL", "postgres://localhost/")]);
}
