//! A module around `metrics, global recorder`.

use metrics::{Counter, CounterFn, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use segue_sdk::prelude::*;
use std::sync::{
    Arc, LazyLock,
    atomic::{AtomicU64, Ordering::Relaxed},
};

static CALLS: LazyLock<Arc<Count>> = LazyLock::new(Arc::default);

#[derive(Default)]
struct Count(AtomicU64);

impl CounterFn for Count {
    fn increment(&self, value: u64) {
        self.0.fetch_add(value, Relaxed);
    }

    fn absolute(&self, value: u64) {
        self.0.store(value, Relaxed);
    }
}

struct OneCounter;

impl Recorder for OneCounter {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(CALLS.clone())
    }
    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }
    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

struct Row;

impl Module for Row {
    fn on_load(_: &Host) -> Result<Self, Fault> {
        metrics::set_global_recorder(OneCounter).map_err(|error| Fault::new(error.to_string()))?;
        Ok(Row)
    }

    fn handle(&self, _: &Request<'_>, reply: &mut Reply<'_>) -> Result<(), Fault> {
        metrics::counter!("calls", "path" => "/").increment(1);
        if CALLS.0.load(Relaxed) == 0 {
            return Err(Fault::new("nothing is counted"));
        }
        reply.text("ok zmetrics\n");
        Ok(())
    }
}

export_module!(Row);
