//! `/docs` and `/docs/errors`: what they load is served here and may be kept, and every error code has its section.
//! That a browser shows them and loads nothing from elsewhere is tried in `tests/browser/docs.rs`.

use std::collections::BTreeSet;

use keyward::domain::{Code, FieldCode};
use serde_json::Value;

use crate::support::{Answer, TestApp, contract};

const ERRORS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/errors.md"));

/// What stands in the page between this and the next quotation mark, wherever it does.
fn values<'p>(page: &'p str, before: &str) -> Vec<&'p str> {
    let parts = page.split(before).skip(1);
    parts.filter_map(|part| part.split('"').next()).collect()
}

/// The sections of `docs/errors.md`, each with its heading.
fn sections() -> Vec<(&'static str, &'static str)> {
    let sections = ERRORS.split("\n## ").skip(1);
    sections
        .map(|section| section.split_once('\n').unwrap())
        .collect()
}

fn codes() -> BTreeSet<&'static str> {
    Code::ALL.iter().map(|code| code.as_str()).collect()
}

/// The problem document that a section shows.
fn shown(section: &str) -> Value {
    let block = section.split("```json\n").nth(1).unwrap();
    serde_json::from_str(block.split("```").next().unwrap()).unwrap()
}

/// Where a page's link leads.
fn resolved(page: &str, link: &str) -> String {
    let base = reqwest::Url::parse("http://a").unwrap();
    let page = base.join(page).unwrap();
    page.join(link).unwrap().path().to_owned()
}

async fn loaded_by(app: &TestApp, path: &str) -> Vec<Answer> {
    let page = app.get(path).await.text();
    let mut loaded = Vec::new();
    for link in [values(&page, "src=\""), values(&page, "href=\"")].concat() {
        let path = resolved(path, link);
        if path.starts_with("/docs/assets/") {
            loaded.push(app.get(&path).await);
        }
    }
    loaded
}

#[actix_web::test]
async fn what_the_pages_load_is_served_and_may_be_kept_for_ever() {
    let app = TestApp::start().await;
    for (page, expected) in [("/docs", 4), ("/docs/errors", 1)] {
        let loaded = loaded_by(&app, page).await;
        assert_eq!(loaded.len(), expected, "{page}");
        for part in loaded {
            assert_eq!(part.status, 200, "{}", part.text());
            let kept = part.header("cache-control");
            assert_eq!(kept, Some("public, max-age=31536000, immutable"));
            assert!(!part.body.is_empty());
            // The mark of gzip (RFC 1952, section 2.3.1).
            let is_gzip = part.body.starts_with(&[0x1f, 0x8b]);
            assert_eq!(part.header("content-encoding"), is_gzip.then_some("gzip"));
        }
    }
    for name in ["pages.css", "x-pages.css", "..%2fcontract.html", "%2e%2e"] {
        let path = format!("/docs/assets/{name}");
        app.get(&path).await.refused(404, "not_found");
    }
}

// HDR-05
#[actix_web::test]
async fn the_pages_may_load_only_what_is_served_here() {
    let app = TestApp::start().await;
    let rest = "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    let own = "style-src 'self'; img-src data:;";
    for (path, policy) in [
        (
            "/docs",
            format!("default-src 'none'; script-src 'self'; {own} connect-src 'self'; {rest}"),
        ),
        ("/docs/errors", format!("default-src 'none'; {own} {rest}")),
    ] {
        let page = app.get(path).await;
        assert_eq!(
            page.header("content-security-policy"),
            Some(policy.as_str())
        );
        assert_eq!(
            page.header("cross-origin-opener-policy"),
            Some("same-origin")
        );
        let text = page.text();
        assert!(!text.contains("asset:"), "a part that is not there: {text}");
        // Nothing that the policy would stop.
        for inline in ["<style", "style=", "onload=", "onclick=", "<script>"] {
            assert!(!text.contains(inline), "{path}: {inline}");
        }
    }
}

#[actix_web::test]
async fn the_links_of_the_pages_lead_somewhere() {
    let app = TestApp::start().await;
    for page in ["/docs", "/docs/errors"] {
        let text = app.get(page).await.text();
        for link in values(&text, "href=\"") {
            if let Some(anchor) = link.strip_prefix('#') {
                assert!(values(&text, "id=\"").contains(&anchor), "{page}: {link}");
            } else if !link.starts_with("data:") {
                let answer = app.get(&resolved(page, link)).await;
                assert_eq!(answer.status, 200, "{page}: {link}");
            }
        }
    }
}

#[actix_web::test]
async fn every_error_code_has_a_section_that_its_type_leads_to_and_no_other_has() {
    let app = TestApp::start().await;
    let page = app.get("/docs/errors").await.text();
    let headings: Vec<_> = values(&page, "<h2 id=\"");
    let distinct: BTreeSet<_> = headings.iter().copied().collect();
    assert_eq!(distinct, codes(), "left: sections; right: the registry");
    assert_eq!(headings.len(), distinct.len(), "a section is there twice");
    let refusal = app.get("/nothing").await.json();
    let code = refusal["type"].as_str().unwrap();
    let code = code.strip_prefix("urn:keyward:error:").unwrap();
    assert!(distinct.contains(code));
}

#[test]
fn every_section_says_the_cause_the_fix_and_an_example_that_is_one() {
    let documented = contract::documented_errors();
    let sections = sections();
    assert_eq!(
        sections.iter().map(|(code, _)| *code).collect::<Vec<_>>(),
        in_order(),
        "the order is that of the registry"
    );
    for (code, section) in sections {
        for part in ["- **Cause**: ", "- **Fix**: ", "- **Example**: "] {
            assert_eq!(section.matches(part).count(), 1, "{code}: {part}");
        }
        let problem = shown(section);
        assert_eq!(contract::problem_faults(&problem), [""; 0], "{code}");
        assert_eq!(problem["code"], code);
        assert_eq!(problem["type"], format!("urn:keyward:error:{code}"));
        let titles = Code::ALL.iter().filter(|known| known.as_str() == code);
        assert!(
            titles
                .clone()
                .all(|known| problem["title"] == known.title())
        );
        let status = u16::try_from(problem["status"].as_u64().unwrap()).unwrap();
        assert!(
            documented.contains(&(status, code.to_owned())),
            "{status} {code}"
        );
        assert_eq!(
            problem.get("retry_after").is_some(),
            matches!(status, 429 | 503)
        );
    }
}

/// The codes as the registry has them, each once.
fn in_order() -> Vec<&'static str> {
    let mut codes = Vec::new();
    for code in Code::ALL.iter().map(|code| code.as_str()) {
        if !codes.contains(&code) {
            codes.push(code);
        }
    }
    codes
}

#[test]
fn every_field_error_code_has_a_row() {
    let rows = ERRORS.lines().filter(|line| line.starts_with("| `"));
    let rows: Vec<_> = rows.filter_map(|row| row.split('`').nth(1)).collect();
    let known: Vec<_> = FieldCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(rows, known);
}
