//! What pages in browsers may do: the list of origins, and how cookies are given.

use super::{accepted, refused};
use keyward::config::SameSite;
use keyward::domain::Origin;

const ORIGINS: &str = "KEYWARD_ALLOWED_ORIGINS";

#[test]
fn origins_are_listed_in_the_spelling_of_browsers() {
    let listed = "https://app.example.com, HTTPS://Admin.Example.com:443,capacitor://localhost,http://localhost:3000";
    let config = accepted(&[(ORIGINS, listed)]);
    let origins = config.browser.allowed_origins.iter();
    assert_eq!(
        origins.map(Origin::as_str).collect::<Vec<_>>(),
        [
            "https://app.example.com",
            "https://admin.example.com",
            "capacitor://localhost",
            "http://localhost:3000"
        ]
    );
}

// COR-03, OPS-01
#[test]
fn what_is_no_origin_is_refused_and_its_place_told() {
    for wrong in [
        "*",
        "null",
        "https://*.example.com",
        "https://app.example.com/",
        "https://app.example.com/login",
        "app.example.com",
        "file://localhost",
    ] {
        let told = "KEYWARD_ALLOWED_ORIGINS: entry 1 must be an origin such as";
        refused(&[(ORIGINS, wrong)], told);
        let second = format!("https://good.example.com,{wrong}");
        let told = "KEYWARD_ALLOWED_ORIGINS: entry 2 must be an origin such as";
        refused(&[(ORIGINS, &second)], told);
    }
    refused(
        &[(ORIGINS, "https://a.example,")],
        "KEYWARD_ALLOWED_ORIGINS: entry 2",
    );
}

#[test]
fn cookies_may_be_lax_and_plain_but_not_for_every_site() {
    let config = accepted(&[
        ("KEYWARD_COOKIE_SAMESITE", "Lax"),
        ("KEYWARD_COOKIE_SECURE", "false"),
    ]);
    assert_eq!(config.browser.cookie_same_site, SameSite::Lax);
    assert!(!config.browser.cookie_secure);
    for wrong in ["None", "none", "strict", "LAX", "off"] {
        let told = "KEYWARD_COOKIE_SAMESITE: must be `Strict` or `Lax`";
        refused(&[("KEYWARD_COOKIE_SAMESITE", wrong)], told);
    }
}
