//! Where spans are sent, and which. The names and what they mean are those of OpenTelemetry's specification. It must not
//! send anything.

use secrecy::SecretString;
use url::Url;

use super::env::Env;
use super::names::Name;
use super::parse;

pub(super) const ENDPOINT: Name = Name::plain(
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "",
    "Where spans are sent by OTLP over HTTP, http://localhost:4318; a build without the feature sends none",
);
pub(super) const TRACES_ENDPOINT: Name = Name::plain(
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "",
    "The same with its path, http://localhost:4318/v1/traces; it wins",
);
pub(super) const HEADERS: Name = Name::secret(
    "OTEL_EXPORTER_OTLP_HEADERS",
    "Headers for the collector, such as its token: name=value, comma separated, percent-encoded",
);
pub(super) const SERVICE_NAME: Name = Name::plain(
    "OTEL_SERVICE_NAME",
    "keyward",
    "What the service is called in traces",
);
pub(super) const RESOURCE_ATTRIBUTES: Name = Name::plain(
    "OTEL_RESOURCE_ATTRIBUTES",
    "",
    "What else is said of it: name=value, comma separated, percent-encoded",
);
pub(super) const SAMPLER: Name = Name::plain(
    "OTEL_TRACES_SAMPLER",
    "parentbased_always_on",
    "always_on, always_off or traceidratio; with parentbased_ before it, the caller's traceparent decides first",
);
pub(super) const SAMPLER_ARG: Name = Name::plain(
    "OTEL_TRACES_SAMPLER_ARG",
    "1",
    "Which share of traces traceidratio sends, 0 to 1",
);
pub(super) const DISABLED: Name = Name::plain(
    "OTEL_SDK_DISABLED",
    "false",
    "Whether spans are switched off, wherever they would be sent",
);

/// Where spans are sent, and which.
#[derive(Debug, Clone)]
pub struct Spans {
    /// The whole URL; none where nothing is sent.
    pub endpoint: Option<String>,
    /// What is sent along.
    pub headers: Vec<(String, SecretString)>,
    /// What the service is called.
    pub service_name: String,
    /// What else is said of it.
    pub resource: Vec<(String, String)>,
    /// Which are sent.
    pub sampling: Sampling,
}

/// Which spans are sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// Whether a caller that names its own span has decided already.
    pub follows_caller: bool,
    /// Of the other traces, 0 to 1.
    pub share: f64,
}

impl Spans {
    pub(super) fn read(env: &mut Env) -> Option<Self> {
        let general = env.parsed_or(&ENDPOINT, None, |text| url(text).map(Some));
        let exact = env.parsed_or(&TRACES_ENDPOINT, None, |text| url(text).map(Some));
        let headers = env.parsed(&HEADERS, |text| parse::list(text, header));
        let resource = env.parsed(&RESOURCE_ATTRIBUTES, |text| parse::list(text, pair));
        let mut called = resource.iter().flatten();
        let called = called.rfind(|(name, _)| name == "service.name");
        let called = called.map_or(SERVICE_NAME.default, |(_, name)| name);
        let service_name = env.text(&SERVICE_NAME);
        let service_name = service_name.unwrap_or_else(|| called.to_owned());
        let share = env.parsed(&SAMPLER_ARG, share);
        let sampling = env.parsed(&SAMPLER, |text| sampling(text, share));
        let disabled = env.parsed(&DISABLED, parse::switch);
        let general = general?.map(|url| format!("{}/v1/traces", url.trim_end_matches('/')));
        let endpoint = exact?.or(general);
        Some(Self {
            endpoint: endpoint.filter(|_| disabled == Some(false)),
            headers: headers?,
            service_name,
            resource: resource?,
            sampling: sampling?,
        })
    }
}

fn url(text: &str) -> Result<String, String> {
    let url = Url::parse(text).ok();
    let web = |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host();
    let bare =
        |url: &Url| url.username().is_empty() && url.password().is_none() && url.query().is_none();
    if url.as_ref().is_some_and(|url| web(url) && bare(url)) {
        return Ok(text.to_owned());
    }
    Err("must be a URL with http or https, and without user, password and query, such as http://localhost:4318".to_owned())
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok();
    share
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| "must be a number from 0 to 1".to_owned())
}

/// A share that could not be read has been noted as a problem.
fn sampling(text: &str, share: Option<f64>) -> Result<Sampling, String> {
    let (follows_caller, rest) = match text.strip_prefix("parentbased_") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let share = match rest {
        "always_on" => 1.0,
        "always_off" => 0.0,
        "traceidratio" => share.unwrap_or(1.0),
        _ => {
            return Err(
                "must be always_on, always_off or traceidratio, also with parentbased_ before it"
                    .to_owned(),
            );
        }
    };
    Ok(Sampling {
        follows_caller,
        share,
    })
}

fn header(text: &str) -> Result<(String, SecretString), String> {
    let (name, value) = pair(text)?;
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if name.bytes().all(letter) && value.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Ok((name, value.into()));
    }
    Err("must be a header that can be sent".to_owned())
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').unwrap_or_default();
    let value = decoded(value.trim()).filter(|_| !name.trim().is_empty());
    let value = value.ok_or("must be name=value, percent-encoded")?;
    Ok((name.trim().to_owned(), value))
}

/// `%20` and the like, read.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}
