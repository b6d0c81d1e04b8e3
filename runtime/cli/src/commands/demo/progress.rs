//! Prints the steps of the demo on standard error.

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use segue_demo::{Method, Observer, Release, Snapshot, Step};

use crate::{
    output::Format,
    text::{count, duration, micros},
    view::version::name,
};

/// How often the figures on the terminal change: about as fast as one can read.
const INTERVAL: Duration = Duration::from_millis(100);

/// How to show the progress.
pub(super) enum Progress {
    /// Lines, and one more that changes.
    Live(ProgressBar),
    /// Lines.
    Lines,
    /// Nothing.
    Silent,
}

// === impl Progress ===

impl Progress {
    pub(super) fn new(format: Format) -> Self {
        match format {
            Format::Json => Progress::Silent,
            Format::Human if io::stderr().is_terminal() => {
                let style =
                    ProgressStyle::with_template("{spinner} {wide_msg}").expect("the template is valid");
                Progress::Live(ProgressBar::new_spinner().with_style(style))
            }
            Format::Human => Progress::Lines,
        }
    }

    /// Removes the line that changes.
    pub(super) fn clear(&self) {
        if let Progress::Live(bar) = self {
            bar.finish_and_clear();
        }
    }
}

impl Observer for Progress {
    fn step(&self, step: &Step) {
        let line = render_step(step);
        match self {
            Progress::Live(bar) => bar.println(line),
            // The demo goes on if nobody reads standard error.
            Progress::Lines => drop(writeln!(io::stderr(), "{line}")),
            Progress::Silent => {}
        }
    }

    fn snapshot_interval(&self) -> Option<Duration> {
        matches!(self, Progress::Live(_)).then_some(INTERVAL)
    }

    fn snapshot(&self, snapshot: &Snapshot) {
        if let Progress::Live(bar) = self {
            bar.set_message(render_snapshot(snapshot));
            bar.tick();
        }
    }
}

fn render_step(step: &Step) -> String {
    match step {
        Step::Serving { module, version, address, control } => format!(
            "serving {module} {version} on http://{address}/{module}/you, control socket {}",
            control.display()
        ),
        Step::Clients { keep_alive, fresh, slow } => format!(
            "{keep_alive} clients keep their connection, {fresh} open one per request, 1 sends requests that take {} s",
            slow.as_secs_f64()
        ),
        Step::Quiet(length) => format!("{} s without a release", length.as_secs()),
        Step::Releasing(length) => format!("{} s of releases", length.as_secs()),
        Step::Released(release) => render_release(release),
        other => format!("{other:?}"),
    }
}

fn render_release(release: &Release) -> String {
    let Release { method, from, to, publish_us } = release;
    let method = match method {
        Method::Rename => "dropped in by rename",
        Method::Overwrite => "overwritten in place",
        Method::LoadPath => "loaded from a path over the socket",
        Method::Upload => "uploaded and loaded over the socket",
        Method::Rollback => "rolled back over the socket",
    };
    let publish = publish_us.map_or(String::new(), |us| format!(", published in {}", micros(us)));
    format!("{from} → {to}  {method}{publish}")
}

fn render_snapshot(snapshot: &Snapshot) -> String {
    let requests = &snapshot.requests;
    let mut message = format!("{}, {} lost", count(requests.answered, "answer"), requests.lost);
    for module in &snapshot.modules {
        if let Some(current) = &module.current {
            message += &format!(", current {}", name(&current.version, current.generation));
        }
        if let Some(old) = &module.old {
            message += &format!(", old {} with {} inside", name(&old.version, old.generation), old.inside);
            if let Some(oldest_ms) = old.oldest_ms {
                message += &format!(" for {}", duration(Duration::from_millis(oldest_ms)));
            }
        }
    }
    message
}

#[cfg(test)]
mod tests {
    use segue::VersionId;

    use super::*;

    #[test]
    fn a_release_names_both_versions_and_the_method() {
        let id = |version: &str, generation| VersionId { version: version.to_owned(), generation };
        let release =
            Release { method: Method::Upload, from: id("1.0.0", 3), to: id("1.1.0", 4), publish_us: Some(7) };
        assert_eq!(
            render_step(&Step::Released(release)),
            "1.0.0+g3 → 1.1.0+g4  uploaded and loaded over the socket, published in 7 µs"
        );
    }
}
