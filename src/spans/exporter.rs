//! Sends what is recorded, in batches, from a thread of its own. The queue is bounded: what does not fit is dropped, and
//! no request waits. A collector that is away is a line in the log each minute.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{Protocol, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, ShouldSample, SpanData, SpanExporter};
use secrecy::ExposeSecret;

use super::client::Client;
use super::recorded::TRACER;
use crate::config::{Sampling, Spans};

/// For what is left when the service stops.
const LAST: Duration = Duration::from_secs(3);
/// Between two lines about a collector that is away.
const SILENCE: Duration = Duration::from_mins(1);

/// Sends what is recorded for as long as it is there, and what is left when it is dropped.
#[must_use]
pub struct Exporter(Option<SdkTracerProvider>);

/// From here on requests are recorded, if there is somewhere to send them.
pub fn start(config: &Spans) -> anyhow::Result<Exporter> {
    let Some(endpoint) = &config.endpoint else {
        return Ok(Exporter(None));
    };
    let headers = config.headers.iter();
    let headers = headers.map(|(name, value)| (name.clone(), value.expose_secret().to_owned()));
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_http_client(Client::new())
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(endpoint)
        .with_headers(headers.collect())
        .build()
        .context("spans cannot be sent as the variables of OpenTelemetry say")?;
    let provider = SdkTracerProvider::builder()
        .with_resource(resource(config))
        .with_sampler(sampler(config.sampling))
        .with_batch_exporter(Watched::new(exporter))
        .build();
    // It is there already only where a process starts this twice.
    let _ = TRACER.set(provider.tracer("keyward"));
    Ok(Exporter(Some(provider)))
}

impl Drop for Exporter {
    fn drop(&mut self) {
        if let Some(provider) = &self.0
            && provider.shutdown_with_timeout(LAST).is_err()
        {
            tracing::warn!("the last spans were not taken by the collector");
        }
    }
}

fn resource(config: &Spans) -> Resource {
    let named = |(name, value): &(String, String)| KeyValue::new(name.clone(), value.clone());
    Resource::builder()
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attributes(config.resource.iter().map(named))
        .with_service_name(config.service_name.clone())
        .build()
}

fn sampler(sampling: Sampling) -> Box<dyn ShouldSample> {
    let share = Sampler::TraceIdRatioBased(sampling.share);
    Box::new(if sampling.follows_caller {
        Sampler::ParentBased(Box::new(share))
    } else {
        share
    })
}

/// An exporter whose failures are told, once in a while.
struct Watched<E> {
    exporter: E,
    failing: Mutex<Option<Failing>>,
}

/// The last batch was not taken.
struct Failing {
    told: Instant,
    lost: usize,
}

impl<E> Watched<E> {
    fn new(exporter: E) -> Self {
        Self {
            exporter,
            failing: Mutex::default(),
        }
    }

    fn note(&self, count: usize, outcome: &OTelSdkResult) {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        let Err(error) = outcome else {
            if let Some(failing) = failing.take() {
                tracing::info!(
                    lost = failing.lost,
                    "spans are taken by the collector again"
                );
            }
            return;
        };
        let before = failing.take();
        let lost = count + before.as_ref().map_or(0, |failing| failing.lost);
        let told = before.map(|failing| failing.told);
        let told = told
            .filter(|told| told.elapsed() < SILENCE)
            .unwrap_or_else(|| {
                tracing::warn!(%error, lost, "spans are not taken by the collector");
                Instant::now()
            });
        *failing = Some(Failing { told, lost });
    }
}

/// The exporter's own has the headers in it.
impl<E> fmt::Debug for Watched<E> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Watched")
    }
}

impl<E: SpanExporter> SpanExporter for Watched<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len();
        let outcome = self.exporter.export(batch).await;
        self.note(count, &outcome);
        outcome
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
