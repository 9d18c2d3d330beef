//! `docs/observability.md` and `docs/grafana.json` are held to what is served.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::TestApp;

const DOCUMENT: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/docs/observability.md"
));
const DASHBOARD: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/grafana.json"));

/// The names of families that a text has, as they are registered.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let names = words.filter(|word| word.starts_with("keyward_"));
    let family = |name: &str| match name.rsplit_once('_') {
        Some((family, "bucket" | "sum" | "count")) => family.to_owned(),
        _ => name.to_owned(),
    };
    names.map(family).collect()
}

/// Every expression of the dashboard.
fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if let ("expr" | "query", Value::String(text)) = (name.as_str(), member) {
                    found.push(text.clone());
                }
                expressions(member, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| expressions(item, found)),
        _ => {}
    }
}

/// Each family with its type and its labels, as the table has them.
fn documented() -> BTreeSet<(String, String, BTreeSet<String>)> {
    let rows = DOCUMENT
        .lines()
        .filter(|line| line.starts_with("| `keyward_"));
    let rows = rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let labels = cells[3]
            .split(", ")
            .map(|label| label.trim_matches('`').to_owned());
        let labels = labels.filter(|label| !label.is_empty()).collect();
        (
            cells[1].trim_matches('`').to_owned(),
            cells[2].to_owned(),
            labels,
        )
    });
    rows.collect()
}

#[actix_web::test]
async fn the_table_of_metrics_is_what_is_served() {
    let app = TestApp::start().await;
    app.get("/health/live").await.is(200);
    let scraped = app.scrape().await;
    let labels = |family: &str| scraped.labels(family);
    let served = scraped.families().into_iter().map(|(name, kind)| {
        let labels = labels(&name);
        (name, kind, labels)
    });
    assert_eq!(served.collect::<BTreeSet<_>>(), documented());
}

#[actix_web::test]
async fn the_dashboard_and_the_alarms_name_what_is_served_and_the_dashboard_shows_all_of_it() {
    let app = TestApp::start().await;
    app.get("/health/live").await.is(200);
    let served: BTreeSet<String> = app
        .scrape()
        .await
        .families()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    let mut found = Vec::new();
    expressions(&serde_json::from_str(DASHBOARD).unwrap(), &mut found);
    assert_eq!(names(&found.join("\n")), served);
    assert_eq!(names(DOCUMENT), served);
}
