//! Rules of what browsers act on: cookies (CSR-07, RFT-20) and cross-origin headers (COR-03, COR-05). They hold for
//! every answer the tests see.

use std::collections::BTreeMap;

use super::Seen;
use super::answer::text;

/// Seconds that a session and a device may be remembered at most.
const LONGEST: [(&str, u64); 2] = [
    ("keyward_refresh", 400 * 86_400),
    ("keyward_device", 180 * 86_400),
];

const KNOWN: [&str; 5] = ["HttpOnly", "Secure", "SameSite", "Path", "Max-Age"];

/// What is wrong with the cookies that an answer sets, and with who may read it.
pub(super) fn faults(seen: &Seen<'_>) -> Vec<String> {
    let mut faults = cross_origin_faults(seen);
    let body = String::from_utf8_lossy(seen.body);
    for line in seen.headers.get_all("set-cookie") {
        let line = String::from_utf8_lossy(line.as_bytes());
        let found = cookie_faults(&line, &body);
        // Without the value, which is a secret.
        let name = line.split('=').next().unwrap_or_default();
        faults.extend(
            found
                .into_iter()
                .map(|fault| format!("cookie {name}: {fault}")),
        );
    }
    let names: Vec<_> = set(seen).collect();
    if names.len() == 1 && !names[0].ends_with("keyward_refresh") {
        faults.push("the device cookie goes with the refresh cookie".to_owned());
    }
    faults
}

fn set<'s>(seen: &'s Seen<'_>) -> impl Iterator<Item = &'s str> {
    let lines = seen.headers.get_all("set-cookie").iter();
    lines.filter_map(|line| line.to_str().ok()?.split('=').next())
}

fn cookie_faults(line: &str, body: &str) -> Vec<String> {
    let mut parts = line.split("; ");
    let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else {
        return vec!["has no name".to_owned()];
    };
    let attributes: Vec<_> = parts
        .map(|attribute| attribute.split_once('=').unwrap_or((attribute, "")))
        .collect();
    let given: BTreeMap<&str, &str> = attributes.iter().copied().collect();
    let of = |name| given.get(name).copied();
    let bare = name.strip_prefix("__Host-");
    let longest = longest(bare.unwrap_or(name));
    let age: Option<u64> = of("Max-Age").and_then(|age| age.parse().ok());
    let known = given.keys().all(|name| KNOWN.contains(name));
    let same_site = of("SameSite").is_some_and(|word| ["Strict", "Lax"].contains(&word));
    let rules = [
        (
            known && given.len() == attributes.len(),
            "other attributes, or one twice",
        ),
        (of("HttpOnly") == Some(""), "not HttpOnly"),
        (of("Path") == Some("/"), "not at /"),
        (same_site, "not SameSite"),
        (
            bare.is_some() == given.contains_key("Secure"),
            "the prefix and Secure go together",
        ),
        (longest > 0, "not a cookie of ours"),
        (age.is_some_and(|age| age <= longest), "Max-Age"),
        (
            (age == Some(0)) == value.is_empty(),
            "cleared with a value, or kept without",
        ),
        (
            value.is_empty() || !body.contains(value),
            "its value is in the body too",
        ),
        (line.len() <= 4096, "too long for browsers"),
    ];
    let broken = rules.into_iter().filter(|(holds, _)| !holds);
    broken.map(|(_, fault)| fault.to_owned()).collect()
}

fn longest(name: &str) -> u64 {
    let known = LONGEST.iter().find(|(known, _)| *known == name);
    known.map_or(0, |(_, longest)| *longest)
}

fn cross_origin_faults(seen: &Seen<'_>) -> Vec<String> {
    let of = |name| text(seen.headers, name);
    let origin = of("access-control-allow-origin");
    let credentials = of("access-control-allow-credentials");
    let varies = of("vary").is_some_and(|vary| vary.eq_ignore_ascii_case("origin"));
    let right = match origin {
        Some("*") => credentials.is_none() && !varies,
        Some(_) => credentials == Some("true") && varies,
        None => credentials.is_none() && varies,
    };
    let fault =
        format!("who may read it: {origin:?}, credentials {credentials:?}, varies {varies}");
    (!right).then_some(fault).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIGHT: &str =
        "__Host-keyward_refresh=kwr_a; HttpOnly; Secure; SameSite=Strict; Path=/; Max-Age=60";

    #[test]
    fn right_cookies_pass() {
        for right in [
            RIGHT,
            "__Host-keyward_refresh=; HttpOnly; Secure; SameSite=Lax; Path=/; Max-Age=0",
            "keyward_device=kwd_a; HttpOnly; SameSite=Strict; Path=/; Max-Age=15552000",
        ] {
            assert_eq!(cookie_faults(right, "{}"), [""; 0], "{right}");
        }
    }

    #[test]
    fn every_wrong_attribute_is_found() {
        for (from, to) in [
            ("HttpOnly; ", ""),
            ("Secure; ", ""),
            ("__Host-", ""),
            ("Path=/", "Path=/v1"),
            ("Strict", "None"),
            ("SameSite=Strict; ", ""),
            ("; Max-Age=60", ""),
            ("=60", "=34560001"),
            ("=60", "=0"),
            ("kwr_a", ""),
            ("Path=/", "Path=/; Domain=example.com"),
            ("Path=/", "Path=/; Path=/"),
            ("keyward_refresh", "session"),
        ] {
            let wrong = RIGHT.replace(from, to);
            assert!(!cookie_faults(&wrong, "{}").is_empty(), "{wrong}");
        }
        assert_eq!(cookie_faults(RIGHT, "kwr_a").len(), 1);
    }
}
