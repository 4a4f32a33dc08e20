use std::fmt;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeLabelSet, EncodeLabelValue, MetricEncoder, NoLabelSet, text,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::config::{LogFormat, LogSettings};
use crate::kms::operation_names;

/// Sends the server's own log to stderr, as text or as one JSON object a line. The first call
/// in a process counts.
pub fn init_logging(settings: LogSettings) {
    let log = tracing_subscriber::fmt()
        .with_max_level(settings.level)
        .with_writer(std::io::stderr)
        // Where stderr can't be written there is nowhere to tell of it, and telling would panic.
        .log_internal_errors(false)
        .with_target(false);
    // A second subscriber is refused; the first one goes on.
    let _ = match settings.format {
        LogFormat::Text => {
            tracing::subscriber::set_global_default(log.with_ansi(std::io::stderr().is_terminal()).finish())
        }
        LogFormat::Json => tracing::subscriber::set_global_default(log.json().with_ansi(false).finish()),
    };
}

/// How a request ended, for the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "the names are the labels")]
pub(super) enum Outcome {
    ok,
    denied,
    throttled,
    unauthenticated,
    client_error,
    server_error,
}

const OUTCOMES: [Outcome; 6] = [
    Outcome::ok,
    Outcome::denied,
    Outcome::throttled,
    Outcome::unauthenticated,
    Outcome::client_error,
    Outcome::server_error,
];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    operation: &'static str,
    outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ServiceLabels {
    service: String,
    outcome: Outcome,
}

/// A limit that a request may meet with, for the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "the names are the labels")]
pub(super) enum Limit {
    source,
    source_connections,
    caller,
    buffered_bytes,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitLabels {
    limit: Limit,
}

/// The service whose requests are counted by operation.
const KMS: &str = "kms";

/// The stations of a request that are timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Body,
    Verify,
    Resolve,
    Authorize,
    Execute,
    Audit,
}

const STAGES: [&str; 6] = ["body", "verify", "resolve", "authorize", "execute", "audit"];

/// What is counted for requests that name no operation.
const UNKNOWN: &str = "unknown";

/// The name in the program's own text, where KMS has such an operation.
pub(super) fn operation_name(name: &str) -> Option<&'static str> {
    let names = operation_names();
    names.binary_search(&name).ok().map(|at| names[at])
}

/// The server's metrics.
///
/// What each request touches is resolved once: a counter's look-up by its labels costs more
/// than the counting.
pub(super) struct Telemetry {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    services: Family<ServiceLabels, Counter>,
    resolved: Vec<[OnceLock<Counter>; OUTCOMES.len()]>,
    stages: Arc<[Latencies; 6]>,
    /// Connections of the gateway's listener.
    pub(super) connections: Gauge,
    /// Connections of the admin listener.
    pub(super) admin_connections: Gauge,
    /// Rotations that were done.
    pub(super) rotations_done: Counter,
    /// Passes of the scheduler that failed.
    pub(super) rotation_failures: Counter,
    /// Due dates that the scheduler has still to serve, at its last look.
    pub(super) rotations_due: Gauge,
    /// Reloads that took effect.
    pub(super) reloads: Counter,
    /// Reloads that were refused.
    pub(super) failed_reloads: Counter,
    /// Requests refused before their signature was looked at.
    pub(super) rejected: Counter,
    /// Connections that did not begin as the PROXY protocol has it.
    pub(super) unproxied: Counter,
    /// Requests refused because somebody asks for too much.
    limited: Family<LimitLabels, Counter>,
}

impl Telemetry {
    pub(super) fn new() -> Self {
        let mut registry = Registry::with_prefix("keystile");
        let requests = Family::<RequestLabels, Counter>::default();
        registry.register("requests", "Requests by operation and outcome", requests.clone());
        let services = Family::<ServiceLabels, Counter>::default();
        registry.register("service_requests", "Requests to services other than KMS by outcome", services.clone());
        let limited = Family::<LimitLabels, Counter>::default();
        registry.register("limited_requests", "Requests refused for a limit of [limits]", limited.clone());
        let stages = Arc::new(std::array::from_fn(|_| Latencies::default()));
        registry.register_collector(Box::new(StageCollector(Arc::clone(&stages))));
        let mut gauge = |name: &str, help: &str| {
            let gauge = Gauge::default();
            registry.register(name, help, gauge.clone());
            gauge
        };
        let connections = gauge("connections", "Open connections of the gateway");
        let admin_connections = gauge("admin_connections", "Open connections of the admin listener");
        let rotations_due = gauge("rotations_due", "Rotations that were due and not done at the scheduler's last look");
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        Self {
            rotations_done: counter("rotations_done", "Rotations that were done"),
            rotation_failures: counter("rotation_failures", "Passes of the rotation scheduler that failed"),
            reloads: counter("reloads", "Reloads that took effect"),
            failed_reloads: counter("failed_reloads", "Reloads that were refused"),
            rejected: counter(
                "rejected_requests",
                "Requests refused as malformed before their signature was looked at",
            ),
            unproxied: counter(
                "unproxied_connections",
                "Connections closed because they did not begin as the PROXY protocol has it",
            ),
            connections,
            admin_connections,
            rotations_due,
            registry,
            limited,
            requests,
            services,
            resolved: (0..=operation_names().len()).map(|_| std::array::from_fn(|_| OnceLock::new())).collect(),
            stages,
        }
    }

    /// Adds metrics that are read where they are kept.
    pub(super) fn collect(&mut self, collector: impl Collector) {
        self.registry.register_collector(Box::new(collector));
    }

    /// Counts a request: to KMS by its operation, to another service by the service.
    pub(super) fn request(&self, service: &str, operation: Option<&str>, outcome: Outcome) {
        if service != KMS {
            let labels = ServiceLabels { service: service.to_owned(), outcome };
            self.services.get_or_create(&labels).inc();
            return;
        }
        let names = operation_names();
        let row = operation.and_then(|name| names.binary_search(&name).ok()).unwrap_or(names.len());
        let column = OUTCOMES.iter().position(|&o| o == outcome).unwrap_or_default();
        let counter = self.resolved[row][column].get_or_init(|| {
            let operation = names.get(row).copied().unwrap_or(UNKNOWN);
            self.requests.get_or_create_owned(&RequestLabels { operation, outcome })
        });
        counter.inc();
    }

    /// Counts a request that met with a limit.
    pub(super) fn limited(&self, limit: Limit) {
        self.limited.get_or_create(&LimitLabels { limit }).inc();
    }

    /// A clock for the stages of one request.
    pub(super) fn stopwatch(&self) -> Stopwatch<'_> {
        Stopwatch { stages: &self.stages, since: Instant::now() }
    }

    /// The text that Prometheus reads.
    pub(super) fn encode(&self) -> Result<String, fmt::Error> {
        let mut out = String::new();
        text::encode(&mut out, &self.registry)?;
        Ok(out)
    }
}

/// Measures one stage after another.
pub(super) struct Stopwatch<'a> {
    stages: &'a [Latencies; 6],
    since: Instant,
}

impl Stopwatch<'_> {
    /// A stage is done; the next begins.
    pub(super) fn lap(&mut self, stage: Stage) {
        let now = Instant::now();
        self.stages[stage as usize].observe(now - self.since);
        self.since = now;
    }
}

/// A histogram whose buckets double, from 256 ns to 1 s: two additions for each observation.
#[derive(Debug)]
struct Latencies {
    buckets: [AtomicU64; Self::BUCKETS],
    nanoseconds: AtomicU64,
}

impl Default for Latencies {
    fn default() -> Self {
        Self { buckets: std::array::from_fn(|_| AtomicU64::new(0)), nanoseconds: AtomicU64::new(0) }
    }
}

impl Latencies {
    /// 2^8 ns to 2^30 ns, and whatever is longer.
    const BUCKETS: usize = 24;
    const FIRST: u32 = 8;

    fn observe(&self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        // The smallest power of two that is not below it.
        let power = u64::BITS - nanoseconds.saturating_sub(1).leading_zeros();
        let bucket = (power.saturating_sub(Self::FIRST) as usize).min(Self::BUCKETS - 1);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// The upper bounds in seconds with the observations of each bucket alone.
    #[expect(clippy::cast_precision_loss, reason = "bounds are powers of two")]
    fn buckets(&self) -> Vec<(f64, u64)> {
        let bound = |at: usize| {
            if at == Self::BUCKETS - 1 { f64::INFINITY } else { (1u64 << (at + Self::FIRST as usize)) as f64 / 1e9 }
        };
        self.buckets.iter().enumerate().map(|(at, count)| (bound(at), count.load(Ordering::Relaxed))).collect()
    }
}

#[derive(Debug)]
struct StageCollector(Arc<[Latencies; 6]>);

impl Collector for StageCollector {
    #[expect(clippy::cast_precision_loss, reason = "a sum for people")]
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut family = encoder.encode_descriptor(
            "stage_duration_seconds",
            "Time that requests spent in each stage",
            None,
            MetricType::Histogram,
        )?;
        for (stage, latencies) in STAGES.iter().zip(self.0.iter()) {
            let buckets = latencies.buckets();
            let count = buckets.iter().map(|(_, count)| count).sum();
            let sum = latencies.nanoseconds.load(Ordering::Relaxed) as f64 / 1e9;
            family.encode_family(&[("stage", *stage)])?.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?;
        }
        Ok(())
    }
}

/// A number that is kept elsewhere, read when metrics are asked for.
pub(super) struct Reading {
    /// Name, help text, whether it only grows, labels.
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) counts: bool,
    pub(super) label: Option<(&'static str, &'static str)>,
    pub(super) value: u64,
}

/// Metrics that are read where they are kept.
pub(super) struct Readings<F>(pub(super) F);

impl<F> fmt::Debug for Readings<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Readings")
    }
}

impl<F: Fn() -> Vec<Reading> + Send + Sync + 'static> Collector for Readings<F> {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let readings = (self.0)();
        for family in readings.chunk_by(|a, b| a.name == b.name) {
            let Some(Reading { name, help, counts, .. }) = family.first() else { continue };
            let kind = if *counts { MetricType::Counter } else { MetricType::Gauge };
            let mut metric = encoder.encode_descriptor(name, help, None, kind)?;
            for reading in family {
                match reading.label {
                    Some(label) => encode_reading(&mut metric.encode_family(&[label])?, *counts, reading.value)?,
                    None => encode_reading(&mut metric, *counts, reading.value)?,
                }
            }
        }
        Ok(())
    }
}

fn encode_reading(metric: &mut MetricEncoder<'_>, counts: bool, value: u64) -> fmt::Result {
    if counts {
        metric.encode_counter::<NoLabelSet, _, u64>(&value, None)
    } else {
        metric.encode_gauge(&i64::try_from(value).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_in_the_text() {
        let mut telemetry = Telemetry::new();
        telemetry.collect(Readings(|| {
            let reading = |kind, value| Reading {
                name: "decisions",
                help: "Decisions",
                counts: true,
                label: Some(("kind", kind)),
                value,
            };
            vec![reading("allow", 3), reading("deny", 4)]
        }));
        telemetry.request("kms", Some("CreateKey"), Outcome::ok);
        for outcome in OUTCOMES {
            telemetry.request("kms", Some("CreateKey"), outcome);
        }
        telemetry.request("kms", Some("Nonsense\n"), Outcome::client_error);
        telemetry.stopwatch().lap(Stage::Verify);
        let text = telemetry.encode().unwrap();
        for line in [
            r#"keystile_requests_total{operation="CreateKey",outcome="ok"} 2"#,
            r#"keystile_requests_total{operation="CreateKey",outcome="server_error"} 1"#,
            r#"keystile_requests_total{operation="unknown",outcome="client_error"} 1"#,
            r#"keystile_decisions_total{kind="allow"} 3"#,
            r#"keystile_stage_duration_seconds_count{stage="verify"} 1"#,
            r#"keystile_stage_duration_seconds_bucket{le="+Inf",stage="verify"} 1"#,
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }

    #[test]
    fn a_latency_falls_into_the_bucket_that_bounds_it() {
        let latencies = Latencies::default();
        for nanoseconds in [0, 256, 257, 512, 513, u64::MAX] {
            latencies.observe(Duration::from_nanos(nanoseconds));
        }
        let counts: Vec<u64> = latencies.buckets().into_iter().map(|(_, count)| count).collect();
        assert_eq!((counts[0], counts[1], counts[2], counts[Latencies::BUCKETS - 1]), (2, 2, 1, 1));
        assert!((latencies.buckets()[0].0 - 256e-9).abs() < 1e-15);
    }
}
