//! `/metrics` of the service under test, read as Prometheus reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;

use keyward::server;

use super::TestApp;

/// One reading.
pub(crate) struct Scrape {
    pub(crate) text: String,
    series: BTreeMap<String, f64>,
}

impl TestApp {
    /// Reads `/metrics` of the management listener.
    pub(crate) async fn scrape(&self) -> Scrape {
        let (answer, text) = self.on_management("/metrics").await;
        assert_eq!(
            answer,
            (200, "text/plain; version=0.0.4; charset=utf-8".into())
        );
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let series = lines.map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        });
        let series = series.collect();
        Scrape { text, series }
    }

    /// The status, the media type and the body of what the management listener answers.
    pub(crate) async fn on_management(&self, path: &str) -> ((u16, String), String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = server::run_management(&self.app, listener).unwrap();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = http.get(format!("http://{address}{path}")).send().await;
        let answer = answer.unwrap();
        let media_type = answer.headers()["content-type"]
            .to_str()
            .unwrap()
            .to_owned();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        drop(handle.stop(false));
        ((status, media_type), text)
    }
}

impl Scrape {
    /// A series such as `keyward_logins_total{outcome="authenticated"}`; 0 where there is none.
    pub(crate) fn of(&self, series: &str) -> f64 {
        self.series.get(series).copied().unwrap_or(0.0)
    }

    /// The series of a family that are not at zero, by what is in the braces.
    pub(crate) fn counted(&self, family: &str) -> BTreeMap<String, u64> {
        let of_family = self.series.iter().filter_map(|(name, value)| {
            let labels = name.strip_prefix(family)?.strip_prefix('{')?;
            let labels = labels.strip_suffix('}')?.replace('"', "");
            Some((labels, whole(*value)))
        });
        of_family.filter(|(_, count)| *count > 0).collect()
    }

    /// How many series there are.
    pub(crate) fn size(&self) -> usize {
        self.series.len()
    }

    /// The labels that series of a family have, but for the bounds of a histogram.
    pub(crate) fn labels(&self, family: &str) -> BTreeSet<String> {
        let histogram = |series: &str| {
            let rest = series.strip_prefix(family);
            rest.is_some_and(|rest| rest.starts_with(['{', '_']) || rest.is_empty())
        };
        let all = self.series.keys().filter(|series| histogram(series));
        let labels = all.flat_map(|series| {
            let inside = series.split_once('{').map_or("", |(_, inside)| inside);
            let pairs = inside.split("\",").filter_map(|pair| pair.split_once('='));
            pairs.map(|(name, _)| name.to_owned()).collect::<Vec<_>>()
        });
        labels.filter(|name| name != "le").collect()
    }

    /// The families, each with its type.
    pub(crate) fn families(&self) -> BTreeSet<(String, String)> {
        let types = self.text.lines().filter_map(|line| {
            let (name, kind) = line.strip_prefix("# TYPE ")?.split_once(' ')?;
            Some((name.to_owned(), kind.to_owned()))
        });
        types.collect()
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counters of a test are small and whole"
)]
fn whole(value: f64) -> u64 {
    value as u64
}
