//! Shows on a terminal how far the measuring is.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar on standard error, if that is a terminal. It is drawn between measurements by the thread that measures: one that
/// drew by itself would be measured.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

// === impl Progress ===

impl Progress {
    pub(crate) fn new(steps: u64) -> Self {
        let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} {msg} {eta:>4}")
            .expect("the template is fixed, and it is a good one");
        Progress { bar: ProgressBar::new(steps).with_style(style) }
    }

    /// Shows how far this is, and clears the bar when it has ended, however.
    pub(crate) fn over<R>(steps: u64, measure: impl FnOnce(&Progress) -> R) -> R {
        let progress = Progress::new(steps);
        let measured = measure(&progress);
        progress.clear();
        measured
    }

    /// What is measured from here on.
    pub(crate) fn begin(&self, what: &'static str) {
        self.bar.set_message(what);
    }

    /// One round is over.
    pub(crate) fn step(&self) {
        self.bar.inc(1);
    }

    fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
