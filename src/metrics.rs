//! What is counted and measured, as Prometheus reads it. Each service has a registry of its own, handed in. A label is a
//! word of a fixed list, or the pattern of a route: never an id, an address or anything that a caller chose.

use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus::core::Collector;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

use crate::domain::{EndReason, Verdict};

/// A family that cannot be registered or written.
pub type MetricsError = prometheus::Error;

/// Seconds, from a look-up in memory to the longest a request may take.
const BUCKETS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0,
];

/// Methods by name. There are as many others as somebody cares to make up.
const METHODS: &[&str] = &[
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT",
];

/// Outcomes that are there from the start, at zero: a rate needs something to rise from.
const SIGN_UPS: &[&str] = &["created", "email_taken"];
const LOGINS: &[&str] = &[
    "authenticated",
    "two_factor_required",
    "invalid_credentials",
    "invalid_code",
    "too_many_attempts",
];

/// Every family there is. Clones share it.
#[derive(Clone)]
pub struct Metrics(Arc<Families>);

struct Families {
    registry: Registry,
    requests: IntCounterVec,
    request_duration: HistogramVec,
    sign_ups: IntCounterVec,
    logins: IntCounterVec,
    refreshes: IntCounterVec,
    sessions_ended: IntCounterVec,
    hash_queue: IntGauge,
    hash_wait: Histogram,
    clients: IntGauge,
    cut_off: IntCounterVec,
    connections: IntGaugeVec,
    database_wait: Histogram,
}

/// A request that was answered.
pub struct Answered<'a> {
    /// As it was sent.
    pub method: &'a str,
    /// The pattern of the route.
    pub route: &'a str,
    /// What was answered.
    pub status: u16,
    /// How long it took.
    pub took: Duration,
}

impl Metrics {
    /// With nothing counted yet.
    pub fn new() -> Result<Self, MetricsError> {
        let registry = Registry::new();
        let new = Families {
            requests: counters(&registry, REQUESTS)?,
            request_duration: {
                let opts = opts(REQUEST_DURATION).buckets(BUCKETS.to_vec());
                register(&registry, HistogramVec::new(opts, REQUEST_DURATION.2)?)?
            },
            sign_ups: counters(&registry, SIGNED_UP)?,
            logins: counters(&registry, LOGGED_IN)?,
            refreshes: counters(&registry, REFRESHED)?,
            sessions_ended: counters(&registry, SESSIONS_ENDED)?,
            hash_queue: register(&registry, IntGauge::new(HASH_QUEUE.0, HASH_QUEUE.1)?)?,
            hash_wait: histogram(&registry, HASH_WAIT)?,
            clients: register(&registry, IntGauge::new(CLIENTS.0, CLIENTS.1)?)?,
            cut_off: counters(&registry, CUT_OFF)?,
            connections: gauges(&registry, CONNECTIONS)?,
            database_wait: histogram(&registry, DATABASE_WAIT)?,
            registry,
        };
        gauges(&new.registry, BUILD_INFO)?
            .with_label_values(&[env!("CARGO_PKG_VERSION")])
            .set(1);
        begin(&new);
        Ok(Self(Arc::new(new)))
    }

    /// A request was answered.
    pub fn answered(&self, answered: &Answered<'_>) {
        let Answered { route, status, .. } = *answered;
        let known = METHODS.iter().find(|method| **method == answered.method);
        let method = known.copied().unwrap_or("other");
        let took = answered.took.as_secs_f64();
        let mut digits = [0; 3];
        let requests = &self.0.requests;
        requests
            .with_label_values(&[method, route, decimal(status, &mut digits)])
            .inc();
        let durations = &self.0.request_duration;
        durations.with_label_values(&[method, route]).observe(took);
    }

    /// A sign-up came to this.
    pub fn signed_up(&self, outcome: &'static str) {
        self.0.sign_ups.with_label_values(&[outcome]).inc();
    }

    /// A step of a login came to this.
    pub fn logged_in(&self, outcome: &'static str) {
        self.0.logins.with_label_values(&[outcome]).inc();
    }

    /// A refresh was judged so.
    pub fn judged(&self, verdict: Verdict) {
        self.refresh_failed(case(verdict));
    }

    /// A refresh did not come to be judged.
    pub fn refresh_failed(&self, outcome: &'static str) {
        self.0.refreshes.with_label_values(&[outcome]).inc();
    }

    /// So many sessions ended.
    pub fn sessions_ended(&self, reason: EndReason, count: usize) {
        let ended = self.0.sessions_ended.with_label_values(&[reason.as_str()]);
        ended.inc_by(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// Somebody waits for a turn to hash, until what is given is dropped.
    pub fn wait_to_hash(&self) -> Waiting {
        self.0.hash_queue.inc();
        Waiting {
            metrics: self.clone(),
            since: Instant::now(),
        }
    }

    /// A client has connected, until what is given is dropped.
    pub fn connected(&self) -> Connected {
        self.0.clients.inc();
        Connected(self.clone())
    }

    /// A client's connection was ended, as it was one too many or too slow.
    pub fn cut_off(&self, reason: CutOff) {
        self.0.cut_off.with_label_values(&[reason.as_str()]).inc();
    }

    /// A connection to the database was waited for.
    pub fn database_waited(&self, wait: Duration) {
        self.0.database_wait.observe(wait.as_secs_f64());
    }

    /// How many connections to the database are lent, and how many are there to be lent.
    pub fn connections(&self, in_use: i64, idle: i64) {
        for (state, count) in [("in_use", in_use), ("idle", idle)] {
            self.0.connections.with_label_values(&[state]).set(count);
        }
    }

    /// Everything, in Prometheus' text format 0.0.4.
    pub fn text(&self) -> Result<String, MetricsError> {
        TextEncoder::new().encode_to_string(&self.0.registry.gather())
    }
}

/// A client's connection.
pub struct Connected(Metrics);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.0.clients.dec();
    }
}

/// Why a client's connection was ended.
#[derive(Debug, Clone, Copy)]
pub enum CutOff {
    /// Its source had as many as it may have.
    TooMany,
    /// It took too long to ask, or to read.
    TooSlow,
}

impl CutOff {
    const ALL: [Self; 2] = [Self::TooMany, Self::TooSlow];

    fn as_str(self) -> &'static str {
        match self {
            Self::TooMany => "too_many",
            Self::TooSlow => "too_slow",
        }
    }
}

/// A wait for a turn to hash.
pub struct Waiting {
    metrics: Metrics,
    since: Instant,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let Families {
            hash_queue,
            hash_wait,
            ..
        } = &*self.metrics.0;
        hash_queue.dec();
        hash_wait.observe(self.since.elapsed().as_secs_f64());
    }
}

/// A family: its name, what it is, its labels.
type Family = (&'static str, &'static str, &'static [&'static str]);

const REQUESTS: Family = (
    "keyward_http_requests_total",
    "Requests answered, on both listeners.",
    &["method", "route", "status"],
);
const REQUEST_DURATION: Family = (
    "keyward_http_request_duration_seconds",
    "From the head of a request to its answer.",
    &["method", "route"],
);
const SIGNED_UP: Family = ("keyward_signups_total", "Sign-ups.", &["outcome"]);
const LOGGED_IN: Family = (
    "keyward_logins_total",
    "Logins; one with a second factor is two.",
    &["outcome"],
);
const REFRESHED: Family = (
    "keyward_refreshes_total",
    "Refreshes, by the case of the protocol.",
    &["outcome"],
);
const SESSIONS_ENDED: Family = (
    "keyward_sessions_ended_total",
    "Sessions ended; not those that expired or went with their account.",
    &["reason"],
);
const HASH_QUEUE: Family = (
    "keyward_password_hash_queue",
    "Requests that wait for their turn to hash a password.",
    &[],
);
const HASH_WAIT: Family = (
    "keyward_password_hash_wait_seconds",
    "The wait for a turn to hash a password, also where it was given up.",
    &[],
);
const CLIENTS: Family = (
    "keyward_http_connections",
    "Connections of clients, on both listeners.",
    &[],
);
const CUT_OFF: Family = (
    "keyward_http_clients_cut_off_total",
    "Connections of clients that were too many of one source, or too slow.",
    &["reason"],
);
const CONNECTIONS: Family = (
    "keyward_database_connections",
    "Connections to the database.",
    &["state"],
);
const DATABASE_WAIT: Family = (
    "keyward_database_wait_seconds",
    "The wait for a connection to the database, also where none came.",
    &[],
);
const BUILD_INFO: Family = ("keyward_build_info", "1, by version.", &["version"]);

fn begin(families: &Families) {
    let lists = [(&families.sign_ups, SIGN_UPS), (&families.logins, LOGINS)];
    for (counters, outcomes) in lists {
        for outcome in outcomes {
            counters.with_label_values(&[*outcome]);
        }
    }
    for verdict in Verdict::ALL {
        families.refreshes.with_label_values(&[case(*verdict)]);
    }
    for reason in CutOff::ALL {
        families.cut_off.with_label_values(&[reason.as_str()]);
    }
    for reason in EndReason::ALL {
        families
            .sessions_ended
            .with_label_values(&[reason.as_str()]);
    }
}

fn case(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Refuse => "refused",
        Verdict::Rotate => "rotated",
        Verdict::SameToken => "same_token",
        Verdict::SameSuccessor => "same_successor",
        Verdict::Recover => "recovered",
        Verdict::OurFault => "our_fault",
        Verdict::Theft => "theft",
    }
}

/// Three digits, without an allocation.
fn decimal(status: u16, digits: &mut [u8; 3]) -> &str {
    let digit = |value: u16| u8::try_from(value % 10).map_or(b'0', |digit| b'0' + digit);
    *digits = [digit(status / 100), digit(status / 10), digit(status)];
    std::str::from_utf8(digits).unwrap_or_default()
}

fn opts((name, help, _): Family) -> HistogramOpts {
    HistogramOpts::new(name, help)
}

fn counters(registry: &Registry, family: Family) -> Result<IntCounterVec, MetricsError> {
    let (name, help, labels) = family;
    register(registry, IntCounterVec::new(Opts::new(name, help), labels)?)
}

fn gauges(registry: &Registry, family: Family) -> Result<IntGaugeVec, MetricsError> {
    let (name, help, labels) = family;
    register(registry, IntGaugeVec::new(Opts::new(name, help), labels)?)
}

fn histogram(registry: &Registry, family: Family) -> Result<Histogram, MetricsError> {
    let opts = opts(family).buckets(BUCKETS.to_vec());
    register(registry, Histogram::with_opts(opts)?)
}

fn register<T: Collector + Clone + 'static>(
    registry: &Registry,
    family: T,
) -> Result<T, MetricsError> {
    registry.register(Box::new(family.clone()))?;
    Ok(family)
}
