//! `segue history`: what happened, with what has come of it.

use std::collections::BTreeMap;

use clap::{Args, value_parser};
use segue::{BlockedFile, Digest, Event, ModuleStatus, Record, VersionState};

use crate::{
    Context, Error, ExitCode, Format, output,
    story::{self, short},
    text::clean,
};

/// Show what happened to a module, or to all, and what has come of it
///
/// It is read out of the ledger, from top to bottom, also what happened before the runtime began. The event is marked that made the
/// version current that is so now, and the one that says to what a restart returns; the last lines say the same of each module.
#[derive(Args, Debug)]
#[command(after_long_help = "Examples:\n  segue history greeter\n  segue history --limit 1000 --json")]
pub struct History {
    /// The module's name; all modules, where none is given
    module: Option<String>,
    /// How many events at most, the last ones
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = value_parser!(u16).range(1..=10_000))]
    limit: u16,
}

/// What has come of it all, as it is now.
struct Now {
    modules: Vec<ModuleStatus>,
    blocked: Vec<BlockedFile>,
}

/// To what a restart returns, as far as the events tell.
enum Restart<'a> {
    /// To the version that this event confirmed.
    To { seq: u64, version: &'a str, digest: &'a Digest },
    /// To none.
    ToNone,
    /// To something that was confirmed before these events.
    Earlier,
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
                let now = Now { modules, blocked: client.blocked().await? };
                output::print(&render(&records, &now))?;
            }
        }
        Ok(ExitCode::Done)
    }
}

fn render(records: &[Record], now: &Now) -> String {
    let mut marks: BTreeMap<u64, Vec<&str>> = BTreeMap::new();
    let mut last = String::new();
    for module in &now.modules {
        if let Some(seq) = made_current(records, module) {
            marks.entry(seq).or_default().push("current now");
        }
        let restart = restart(records, &module.name, &now.blocked);
        if let Restart::To { seq, .. } = restart {
            marks.entry(seq).or_default().push("a restart returns to it");
        }
        last.push_str(&format!("now: {}\n", outcome(module, &restart)));
    }
    let mut text = String::new();
    for record in records {
        let mark = marks.get(&record.seq).map(|marks| format!("  <== {}", marks.join("; ")));
        text.push_str(&story::tell_marked(record, &mark.unwrap_or_default()));
    }
    if records.is_empty() {
        text.push_str("nothing has happened yet\n");
    }
    text + &last
}

/// The event that made the version current that is so now.
fn made_current(records: &[Record], module: &ModuleStatus) -> Option<u64> {
    let current = module.current.as_ref()?.generation;
    let made = records.iter().rev().find(|record| match &record.event {
        Event::Loaded { current: id, .. } | Event::RolledBack { current: id, .. } => id.generation == current,
        _ => false,
    });
    made.map(|record| record.seq)
}

/// As the runtime finds it: the version that was confirmed last and is not blocked, unless it was deleted since.
fn restart<'a>(records: &'a [Record], name: &str, blocked: &[BlockedFile]) -> Restart<'a> {
    for record in records.iter().rev().filter(|record| record.event.module() == Some(name)) {
        match &record.event {
            Event::Deleted { .. } => return Restart::ToNone,
            Event::Loaded { trial_ms: None, current, digest, .. }
            | Event::RolledBack { current, digest, .. }
            | Event::Confirmed { current, digest, .. }
                if blocked.iter().all(|file| file.digest != *digest) =>
            {
                return Restart::To { seq: record.seq, version: &current.version, digest };
            }
            _ => {}
        }
    }
    Restart::Earlier
}

fn outcome(module: &ModuleStatus, restart: &Restart<'_>) -> String {
    let name = clean(&module.name);
    let current = match &module.current {
        None => "nothing is current".to_owned(),
        Some(version) => {
            let is_trial = if version.status == VersionState::Trial { ", on trial" } else { "" };
            let file = short(&version.digest);
            format!("{}+g{} ({file}) is current{is_trial}", clean(&version.version), version.generation)
        }
    };
    let returns = match restart {
        Restart::To { digest, .. }
            if module.current.as_ref().is_some_and(|version| version.digest == **digest) =>
        {
            "to it".to_owned()
        }
        Restart::To { version, digest, .. } => format!("to {} ({})", clean(version), short(digest)),
        Restart::ToNone => "to no version".to_owned(),
        Restart::Earlier => "to what was confirmed before these events, if anything".to_owned(),
    };
    format!("{name}: {current}; a restart returns {returns}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        commands::tests::module,
        story::tests::{id, record},
    };

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

    fn now(trial: VersionState, blocked: Vec<BlockedFile>) -> Now {
        let mut greeter = module();
        let current = greeter.current.as_mut().unwrap();
        (current.digest, current.status) = (Digest::of(b"1.1.0"), trial);
        Now { modules: vec![greeter], blocked }
    }

    /// The marks at the ends of the lines, and the last line.
    fn marks(records: &[Record], now: &Now) -> (Vec<String>, String) {
        let text = render(records, now);
        let lines = text.lines().filter(|line| line.contains('#'));
        let marks = lines.map(|line| line.split_once("<== ").map_or("", |(_, mark)| mark).to_owned());
        (marks.collect(), text.lines().last().unwrap_or_default().to_owned())
    }

    #[test]
    fn what_is_current_and_what_a_restart_returns_to_are_marked() {
        let trial = [load(1, "1.0.0", None), load(2, "1.1.0", Some(5))];
        let (found, last) = marks(&trial, &now(VersionState::Trial, Vec::new()));
        assert_eq!(found, ["a restart returns to it", "current now"]);
        assert!(
            last.contains("1.1.0+g2") && last.contains("on trial; a restart returns to 1.0.0 (sha256:"),
            "{last}"
        );

        let confirmed = [load(1, "1.0.0", None), load(2, "1.1.0", None)];
        let (found, last) = marks(&confirmed, &now(VersionState::Confirmed, Vec::new()));
        assert_eq!(found, ["", "current now; a restart returns to it"]);
        assert!(last.ends_with("is current; a restart returns to it"), "{last}");

        let file = BlockedFile {
            module: "greeter".to_owned(),
            version: "1.1.0".to_owned(),
            digest: Digest::of(b"1.1.0"),
            why: String::new(),
        };
        let (found, _) = marks(&confirmed, &now(VersionState::Confirmed, vec![file]));
        assert_eq!(found, ["a restart returns to it", "current now"]);

        let deleted = Event::Deleted { module: "greeter".to_owned(), old: id("1.1.0", 2) };
        let gone = Now { modules: vec![ModuleStatus { current: None, ..module() }], blocked: Vec::new() };
        let (_, last) = marks(&[load(2, "1.1.0", None), record(3, deleted)], &gone);
        assert_eq!(last, "now: greeter: nothing is current; a restart returns to no version");
        assert_eq!(
            marks(&[load(2, "1.1.0", Some(5))], &now(VersionState::Trial, Vec::new())).0,
            ["current now"]
        );
    }
}
