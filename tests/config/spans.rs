//! Where spans are sent, by the names of OpenTelemetry's specification.

use keyward::config::Sampling;
use secrecy::ExposeSecret;

use super::{accepted, refused};

const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");

fn endpoint(vars: &[(&str, &str)]) -> Option<String> {
    accepted(vars).spans.endpoint
}

#[test]
fn nothing_is_sent_unless_it_is_said_where() {
    assert_eq!(endpoint(&[]), None);
    let sent = Some("http://collector:4318/v1/traces".to_owned());
    assert_eq!(endpoint(&[ENDPOINT]), sent);
    let slash = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/");
    assert_eq!(endpoint(&[slash]), sent);
    let exact = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://other/x");
    assert_eq!(
        endpoint(&[ENDPOINT, exact]).as_deref(),
        Some("https://other/x")
    );
    assert_eq!(endpoint(&[ENDPOINT, ("OTEL_SDK_DISABLED", "true")]), None);
    for bad in [
        "collector:4318",
        "grpc://collector:4317",
        "http://",
        "http://name:password@collector:4318",
        "http://collector:4318?key=value",
    ] {
        let bad = ("OTEL_EXPORTER_OTLP_ENDPOINT", bad);
        refused(&[bad], "OTEL_EXPORTER_OTLP_ENDPOINT: must be a URL");
    }
}

#[test]
fn headers_and_attributes_are_pairs() {
    let pairs = "a=1, b = x%3D%2C%20y ,c=";
    let spans = accepted(&[
        ("OTEL_EXPORTER_OTLP_HEADERS", pairs),
        ("OTEL_RESOURCE_ATTRIBUTES", pairs),
    ])
    .spans;
    let expected = [("a", "1"), ("b", "x=, y"), ("c", "")];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(spans.resource, expected);
    let headers = spans.headers.into_iter();
    let headers = headers.map(|(name, value)| (name, value.expose_secret().to_owned()));
    assert_eq!(headers.collect::<Vec<_>>(), expected);
    for bad in ["a=1,b", "a=1,=2", "a=1,b=%2", "a=1,b=%zz", "a=1,b=%ff"] {
        for name in ["OTEL_EXPORTER_OTLP_HEADERS", "OTEL_RESOURCE_ATTRIBUTES"] {
            let told = format!("{name}: entry 2 must be name=value");
            refused(&[(name, bad)], &told);
        }
    }
    for bad in ["a b=1", "a=%0d%0a", "a=%C3%A4"] {
        let told = "OTEL_EXPORTER_OTLP_HEADERS: entry 1 must be a header";
        refused(&[("OTEL_EXPORTER_OTLP_HEADERS", bad)], told);
    }
}

#[test]
fn what_is_in_headers_is_not_printed() {
    let config = accepted(&[("OTEL_EXPORTER_OTLP_HEADERS", "authorization=s3cret")]);
    assert!(!format!("{config:?}").contains("s3cret"));
}

#[test]
fn the_service_is_called_what_is_said_most_plainly() {
    let called = |vars: &[(&str, &str)]| accepted(vars).spans.service_name;
    let among = ("OTEL_RESOURCE_ATTRIBUTES", "service.name=among");
    assert_eq!(called(&[]), "keyward");
    assert_eq!(called(&[among]), "among");
    assert_eq!(called(&[among, ("OTEL_SERVICE_NAME", "plain")]), "plain");
}

#[test]
fn samplers_are_those_of_the_specification() {
    let of = |name: &str, share: &str| {
        let vars = [
            ("OTEL_TRACES_SAMPLER", name),
            ("OTEL_TRACES_SAMPLER_ARG", share),
        ];
        accepted(&vars).spans.sampling
    };
    for (name, share) in [
        ("always_on", 1.0),
        ("always_off", 0.0),
        ("traceidratio", 0.25),
    ] {
        let follows = format!("parentbased_{name}");
        for (name, follows_caller) in [(name, false), (&*follows, true)] {
            let expected = Sampling {
                follows_caller,
                share,
            };
            assert_eq!(of(name, "0.25"), expected, "{name}");
        }
    }
    assert_eq!(of("", ""), of("parentbased_always_on", "1"));
    for bad in ["jaeger_remote", "parentbased_", "on"] {
        refused(&[("OTEL_TRACES_SAMPLER", bad)], "OTEL_TRACES_SAMPLER: must");
    }
    for bad in ["1.1", "-0.1", "NaN", "half"] {
        let bad = ("OTEL_TRACES_SAMPLER_ARG", bad);
        refused(&[bad], "OTEL_TRACES_SAMPLER_ARG: must be a number");
    }
}
