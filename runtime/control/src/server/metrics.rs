//! `GET /metrics`: metrics of the loaded modules and of the process, in the text format of Prometheus.

use std::fmt::Write;

use axum::{
    extract,
    response::{IntoResponse, Response},
};
use http::header;
use segue::{ModuleStatus, Runtime, VersionState, VersionStatus};

use crate::server::{api_error::ApiError, state::State};

pub(super) async fn metrics(extract::State(state): extract::State<State>) -> Result<Response, ApiError> {
    let text = state.query(|runtime| Ok(render(&runtime.modules(), &Gauges::of(runtime)?))).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

/// Metrics of the process, not of one version.
struct Gauges {
    images_mapped: usize,
    keys_in_use: usize,
    descriptors: (u64, u64),
    left_open: u64,
    kept_bytes: u64,
    blocked: usize,
    last_seq: u64,
}

/// A metric with one sample for each version in memory.
struct Metric {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    sample: fn(&VersionStatus) -> Option<f64>,
}

/// The series of a version start with its load and end when it is unloaded. The generation is a label, so a
/// counter is never reset in between.
const METRICS: [Metric; 4] = [
    Metric {
        name: "segue_calls_total",
        kind: "counter",
        help: "Calls to the version.",
        sample: |version| Some(version.calls as f64),
    },
    Metric {
        name: "segue_calls_inside",
        kind: "gauge",
        help: "Calls inside the version now.",
        sample: |version| Some(version.inside as f64),
    },
    Metric {
        name: "segue_oldest_call_seconds",
        kind: "gauge",
        help: "Age of the oldest call inside the version, if known.",
        sample: |version| version.oldest_ms.map(|oldest_ms| oldest_ms as f64 / 1000.0),
    },
    Metric {
        name: "segue_live_bytes",
        kind: "gauge",
        help: "Memory that the version has allocated and not freed, in bytes.",
        sample: |version| version.live_bytes.map(|bytes| bytes as f64),
    },
];

// === impl Gauges ===

impl Gauges {
    fn of(runtime: &Runtime) -> Result<Self, segue::Error> {
        Ok(Gauges {
            images_mapped: runtime.images_mapped(),
            keys_in_use: runtime.pthread_keys_in_use(),
            descriptors: segue::descriptors_in_use(),
            left_open: segue::descriptors_left_open(),
            kept_bytes: runtime.kept_bytes(),
            blocked: runtime.blocked()?.len(),
            last_seq: runtime.history(None, 1)?.last().map_or(0, |record| record.seq),
        })
    }
}

fn render(modules: &[ModuleStatus], gauges: &Gauges) -> String {
    let mut text = String::new();
    for metric in METRICS {
        header(&mut text, metric.name, metric.kind, metric.help);
        for (_, labels, version) in versions(modules) {
            if let Some(value) = (metric.sample)(version) {
                line(&mut text, format_args!("{}{{{labels}}} {value}", metric.name));
            }
        }
    }
    header(
        &mut text,
        "segue_releases_left",
        "gauge",
        "How many more versions like the last one can stay in memory before loads are refused.",
    );
    for module in modules {
        if let Some(left) = module.releases_left {
            line(
                &mut text,
                format_args!("segue_releases_left{{module=\"{}\"}} {left}", escape(&module.name)),
            );
        }
    }
    header(&mut text, "segue_version_info", "gauge", "Always 1. The labels identify the version.");
    for (slot, labels, version) in versions(modules) {
        let digest = version.digest;
        line(&mut text, format_args!("segue_version_info{{{labels},slot=\"{slot}\",digest=\"{digest}\"}} 1"));
    }
    let name = "segue_descriptors_left_open_total";
    header(&mut text, name, "counter", "File descriptors that unloaded versions had opened and not closed.");
    line(&mut text, format_args!("{name} {}", gauges.left_open));
    let mut gauge = |name: &str, help: &str, value: u64| {
        header(&mut text, name, "gauge", help);
        line(&mut text, format_args!("{name} {value}"));
    };
    gauge(
        "segue_images_mapped",
        "Module images in memory, counted in the dynamic linker's list.",
        gauges.images_mapped as u64,
    );
    gauge(
        "segue_pthread_keys_in_use",
        "Thread-specific data keys (pthread_key_create) in use in the process.",
        gauges.keys_in_use as u64,
    );
    gauge("process_open_fds", "Open file descriptors of the process.", gauges.descriptors.0);
    gauge("process_max_fds", "Limit on open file descriptors of the process.", gauges.descriptors.1);
    gauge(
        "segue_kept_bytes",
        "Memory of versions that cannot be unloaded although no call is inside, in bytes.",
        gauges.kept_bytes,
    );
    let trials = modules.iter().filter_map(|module| module.current.as_ref());
    let trials = trials.filter(|current| current.status == VersionState::Trial).count() as u64;
    gauge("segue_trials", "Modules whose current version is on trial.", trials);
    gauge("segue_blocked_files", "Blocked files. No load accepts them.", gauges.blocked as u64);
    gauge("segue_ledger_seq", "Sequence number of the last event in the ledger.", gauges.last_seq);
    text
}

/// Every version in memory, with its slot and its labels. The slot is not a label: it changes, and then the
/// series would end and a new one would start.
fn versions(modules: &[ModuleStatus]) -> impl Iterator<Item = (&'static str, String, &VersionStatus)> {
    modules.iter().flat_map(|module| {
        let current = module.current.iter().map(|version| ("current", version));
        let old = module.old.iter().map(|version| ("old", version));
        let quarantined = module.quarantined.iter().map(|version| ("quarantined", version));
        current.chain(old).chain(quarantined).map(|(slot, version)| {
            let labels = format!(
                "module=\"{}\",version=\"{}\",generation=\"{}\"",
                escape(&module.name),
                escape(&version.version),
                version.generation,
            );
            (slot, labels, version)
        })
    })
}

fn header(text: &mut String, name: &str, kind: &str, help: &str) {
    line(text, format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    writeln!(text, "{arguments}").expect("writing to a String cannot fail");
}

/// Escapes a label's value: names and versions come from files, so they may contain anything.
fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_prometheus_text() {
        let modules = [crate::api::tests::module()];
        let gauges = Gauges {
            images_mapped: 2,
            keys_in_use: 5,
            descriptors: (12, 1024),
            left_open: 3,
            kept_bytes: 0,
            blocked: 1,
            last_seq: 42,
        };
        let expected = "\
# HELP segue_calls_total Calls to the version.
# TYPE segue_calls_total counter
segue_calls_total{module=\"greeter\",version=\"1.1.0\",generation=\"2\"} 40
segue_calls_total{module=\"greeter\",version=\"1.0.0\",generation=\"1\"} 1000
# HELP segue_calls_inside Calls inside the version now.
# TYPE segue_calls_inside gauge
segue_calls_inside{module=\"greeter\",version=\"1.1.0\",generation=\"2\"} 0
segue_calls_inside{module=\"greeter\",version=\"1.0.0\",generation=\"1\"} 1
# HELP segue_oldest_call_seconds Age of the oldest call inside the version, if known.
# TYPE segue_oldest_call_seconds gauge
segue_oldest_call_seconds{module=\"greeter\",version=\"1.0.0\",generation=\"1\"} 2.5
# HELP segue_live_bytes Memory that the version has allocated and not freed, in bytes.
# TYPE segue_live_bytes gauge
segue_live_bytes{module=\"greeter\",version=\"1.1.0\",generation=\"2\"} 21504
# HELP segue_releases_left How many more versions like the last one can stay in memory before loads are refused.
# TYPE segue_releases_left gauge
# HELP segue_version_info Always 1. The labels identify the version.
# TYPE segue_version_info gauge
segue_version_info{module=\"greeter\",version=\"1.1.0\",generation=\"2\",slot=\"current\",digest=\"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"} 1
segue_version_info{module=\"greeter\",version=\"1.0.0\",generation=\"1\",slot=\"old\",digest=\"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"} 1
# HELP segue_descriptors_left_open_total File descriptors that unloaded versions had opened and not closed.
# TYPE segue_descriptors_left_open_total counter
segue_descriptors_left_open_total 3
# HELP segue_images_mapped Module images in memory, counted in the dynamic linker's list.
# TYPE segue_images_mapped gauge
segue_images_mapped 2
# HELP segue_pthread_keys_in_use Thread-specific data keys (pthread_key_create) in use in the process.
# TYPE segue_pthread_keys_in_use gauge
segue_pthread_keys_in_use 5
# HELP process_open_fds Open file descriptors of the process.
# TYPE process_open_fds gauge
process_open_fds 12
# HELP process_max_fds Limit on open file descriptors of the process.
# TYPE process_max_fds gauge
process_max_fds 1024
# HELP segue_kept_bytes Memory of versions that cannot be unloaded although no call is inside, in bytes.
# TYPE segue_kept_bytes gauge
segue_kept_bytes 0
# HELP segue_trials Modules whose current version is on trial.
# TYPE segue_trials gauge
segue_trials 0
# HELP segue_blocked_files Blocked files. No load accepts them.
# TYPE segue_blocked_files gauge
segue_blocked_files 1
# HELP segue_ledger_seq Sequence number of the last event in the ledger.
# TYPE segue_ledger_seq gauge
segue_ledger_seq 42
";
        assert_eq!(render(&modules, &gauges), expected);
        assert_eq!(escape("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
    }
}
