//! `segue history`: shows what happened to modules, and the result.

use std::collections::BTreeMap;

use clap::{Args, value_parser};
use segue::{Event, ModuleStatus, Record, VersionState};

use crate::{
    context::Context,
    error::Error,
    event_text,
    exit_code::ExitCode,
    output::{self, Format},
    text::clean,
    view::version::{name, short_digest},
};

/// Show what happened to a module, or to all modules, and the result
///
/// The events come from the ledger, oldest first, and include those before the last restart. Two events are
/// marked: the one that made the current version current, and the one that decided what a restart returns to.
/// The last lines summarize each module.
///
/// With --json, it prints the events without marks; `segue status --json` has the result in `restarts_to`.
///
/// Exits with 0, also if nothing has happened.
#[derive(Args, Debug)]
#[command(after_long_help = "Examples:\n  segue history greeter\n  segue history --limit 1000 --json")]
pub(crate) struct History {
    /// The module's name; all modules without it
    module: Option<String>,
    /// The maximum number of events; the latest are shown
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = value_parser!(u16).range(1..=10_000))]
    limit: u16,
}

// === impl History ===

impl History {
    pub(crate) async fn run(&self, context: &Context) -> Result<ExitCode, Error> {
        let client = context.client();
        let records = client.history(self.module.as_deref(), self.limit.into()).await?;
        match context.format {
            Format::Json => context.format.print(&records, |_| String::new())?,
            Format::Human => {
                let mut modules = client.modules().await?;
                modules.retain(|module| self.module.as_ref().is_none_or(|name| *name == module.name));
                output::print(&render(&records, &modules))?;
            }
        }
        Ok(ExitCode::Done)
    }
}

fn render(records: &[Record], modules: &[ModuleStatus]) -> String {
    let mut marks: BTreeMap<u64, Vec<&str>> = BTreeMap::new();
    for module in modules {
        if let Some(seq) = made_current(records, module) {
            marks.entry(seq).or_default().push("current now");
        }
        if let Some(target) = &module.restarts_to {
            marks.entry(target.seq).or_default().push("a restart returns to it");
        }
    }
    let mut text = String::new();
    for record in records {
        let mark = marks.get(&record.seq).map(|marks| format!("  <== {}", marks.join("; ")));
        text.push_str(&event_text::render_marked(record, &mark.unwrap_or_default()));
    }
    if records.is_empty() {
        text.push_str("nothing has happened yet\n");
    }
    for module in modules {
        text.push_str(&format!("now: {}\n", summary(module)));
    }
    text
}

/// The event that made the current version current.
fn made_current(records: &[Record], module: &ModuleStatus) -> Option<u64> {
    let current = module.current.as_ref()?.generation;
    let made = records.iter().rev().find(|record| match &record.event {
        Event::Loaded { current: id, .. } | Event::RolledBack { current: id, .. } => id.generation == current,
        _ => false,
    });
    made.map(|record| record.seq)
}

fn summary(module: &ModuleStatus) -> String {
    let current = match &module.current {
        None => "no version is current".to_owned(),
        Some(version) => {
            let on_trial = if version.status == VersionState::Trial { ", on trial" } else { "" };
            let name = name(&version.version, version.generation);
            format!("{name} ({}) is current{on_trial}", short_digest(&version.digest))
        }
    };
    let restart = match &module.restarts_to {
        Some(target) if module.current.as_ref().is_some_and(|version| version.digest == target.digest) => {
            "returns to it".to_owned()
        }
        Some(target) => {
            format!("returns to {} ({})", clean(&target.version), short_digest(&target.digest))
        }
        None => "restores no version".to_owned(),
    };
    format!("{}: {current}; a restart {restart}", clean(&module.name))
}

#[cfg(test)]
mod tests {
    use segue::{Digest, RestartTarget};

    use super::*;
    use crate::test_data::{id, module, record};

    fn load(seq: u64, version: &str, trial_ms: Option<u64>) -> Record {
        let event = Event::Loaded {
            module: "greeter".to_owned(),
            current: id(version, seq),
            replaced: None,
            digest: Digest::of(version.as_bytes()),
            source: "/x.so".to_owned(),
            trial_ms,
            with: Vec::new(),
            took_us: 1,
            warnings: Vec::new(),
        };
        record(seq, event)
    }

    /// The module with its version 1.1.0+g2 current.
    fn now(state: VersionState, restarts_to: Option<(&str, u64)>) -> ModuleStatus {
        let mut greeter = module();
        let current = greeter.current.as_mut().unwrap();
        (current.digest, current.status) = (Digest::of(b"1.1.0"), state);
        greeter.restarts_to = restarts_to.map(|(version, seq)| RestartTarget {
            version: version.to_owned(),
            digest: Digest::of(version.as_bytes()),
            seq,
        });
        greeter
    }

    /// The marks at the ends of the lines, and the last line.
    fn marks(records: &[Record], module: ModuleStatus) -> (Vec<String>, String) {
        let text = render(records, &[module]);
        let lines = text.lines().filter(|line| line.contains('#'));
        let marks = lines.map(|line| line.split_once("<== ").map_or("", |(_, mark)| mark).to_owned());
        (marks.collect(), text.lines().last().unwrap_or_default().to_owned())
    }

    #[test]
    fn the_current_version_and_the_restart_target_are_marked() {
        let records = [load(1, "1.0.0", None), load(2, "1.1.0", Some(5))];
        let (found, last) = marks(&records, now(VersionState::Trial, Some(("1.0.0", 1))));
        assert_eq!(found, ["a restart returns to it", "current now"]);
        assert!(
            last.contains("1.1.0+g2") && last.contains("on trial; a restart returns to 1.0.0 (sha256:"),
            "{last}"
        );

        let records = [load(1, "1.0.0", None), load(2, "1.1.0", None)];
        let (found, last) = marks(&records, now(VersionState::Confirmed, Some(("1.1.0", 2))));
        assert_eq!(found, ["", "current now; a restart returns to it"]);
        assert!(last.ends_with("is current; a restart returns to it"), "{last}");
    }

    #[test]
    fn a_module_without_a_restart_target_says_so() {
        let (found, _) = marks(&[load(2, "1.1.0", Some(5))], now(VersionState::Trial, None));
        assert_eq!(found, ["current now"]);
        let deleted = Event::Deleted { module: "greeter".to_owned(), old: id("1.1.0", 2) };
        let gone = ModuleStatus { current: None, restarts_to: None, ..module() };
        let (_, last) = marks(&[load(2, "1.1.0", None), record(3, deleted)], gone);
        assert_eq!(last, "now: greeter: no version is current; a restart restores no version");
    }
}
