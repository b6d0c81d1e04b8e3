//! A progress bar on the terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar on standard error, if that is a terminal. The measuring thread draws it between measurements: a
/// thread that draws would disturb them.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

// === impl Progress ===

impl Progress {
    pub(crate) fn new(steps: u64) -> Self {
        let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} {msg} {eta:>4}")
            .expect("the template is a constant and valid");
        Progress { bar: ProgressBar::new(steps).with_style(style) }
    }

    /// Shows a bar while `measure` runs, and clears it afterwards, also after an error.
    pub(crate) fn over<R>(steps: u64, measure: impl FnOnce(&Progress) -> R) -> R {
        let progress = Progress::new(steps);
        let measured = measure(&progress);
        progress.clear();
        measured
    }

    /// Names what is measured next.
    pub(crate) fn begin(&self, what: &'static str) {
        self.bar.set_message(what);
    }

    /// Counts one round.
    pub(crate) fn step(&self) {
        self.bar.inc(1);
    }

    fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
