//! Tells on standard error how the demo goes on.

use std::{
    io::{self, IsTerminal, Write},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

use super::{client::Load, house::House};
use crate::{
    Format,
    text::{count, span},
};

/// How often the figures on the terminal change: as fast as one can read.
const TICK: Duration = Duration::from_millis(100);

/// Tells how the demo goes on: with a line that changes, with lines only, or not at all.
pub(super) enum Progress {
    Live(ProgressBar),
    Lines,
    Silent,
}

// === impl Progress ===

impl Progress {
    pub(super) fn new(format: Format) -> Self {
        match format {
            Format::Json => Progress::Silent,
            Format::Human if io::stderr().is_terminal() => {
                let style = ProgressStyle::with_template("{spinner} {wide_msg}")
                    .expect("the template is fixed, and it is a good one");
                Progress::Live(ProgressBar::new_spinner().with_style(style))
            }
            Format::Human => Progress::Lines,
        }
    }

    /// Something that stays.
    pub(super) fn say(&self, line: &str) {
        match self {
            Progress::Live(bar) => bar.println(line),
            // Where nobody reads it, there is nobody to tell.
            Progress::Lines => drop(writeln!(io::stderr(), "{line}")),
            Progress::Silent => {}
        }
    }

    /// Keeps the line that changes up to date while something is done.
    pub(super) fn during<T>(&self, house: &House, load: &Load, work: impl FnOnce() -> T) -> T {
        let Progress::Live(bar) = self else { return work() };
        let is_done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !is_done.load(Ordering::Relaxed) {
                    bar.set_message(message(house, load));
                    bar.tick();
                    thread::sleep(TICK);
                }
            });
            let done = work();
            is_done.store(true, Ordering::Relaxed);
            done
        })
    }

    /// Takes the line that changes away.
    pub(super) fn clear(&self) {
        if let Progress::Live(bar) = self {
            bar.finish_and_clear();
        }
    }
}

fn message(house: &House, load: &Load) -> String {
    let seen = load.progress();
    let mut message = format!("{}, {} lost", count(seen.answered, "answer"), seen.lost);
    for module in house.runtime.modules() {
        if let Some(current) = module.current {
            message += &format!(", current {}+g{}", current.version, current.generation);
        }
        if let Some(old) = module.old {
            message += &format!(", old {}+g{} with {} inside", old.version, old.generation, old.inside);
            if let Some(oldest_ms) = old.oldest_ms {
                message += &format!(" for {}", span(Duration::from_millis(oldest_ms)));
            }
        }
    }
    message
}
