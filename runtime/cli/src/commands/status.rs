//! `segue status`: shows everything about one module.

use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use segue::{CallerStatus, ModuleStatus, RestartTarget, VersionState, VersionStatus};

use crate::{
    context::Context,
    error::Error,
    exit_code::ExitCode,
    text::{age, clean, count, duration, size},
    view::{
        pin,
        version::{by_slot, id, name, short_digest, state_name},
    },
};

/// Show everything about one module
///
/// Shows its versions with their calls, memory and pins, what a restart returns to, and its callers.
///
/// Exits with 4 if there is no such module.
#[derive(Args, Debug)]
#[command(after_long_help = "Example:\n  segue status greeter")]
pub(crate) struct Status {
    /// The module's name
    module: String,
}

// === impl Status ===

impl Status {
    pub(crate) async fn run(&self, context: &Context) -> Result<ExitCode, Error> {
        let module = context.client().status(&self.module).await?;
        context.format.print(&module, |module| render(module, Timestamp::now()))?;
        Ok(ExitCode::Done)
    }
}

fn render(module: &ModuleStatus, now: Timestamp) -> String {
    let mut text = format!("{}{}\n", clean(&module.name), if module.sticky { " (sticky)" } else { "" });
    if module.current.is_none() {
        text.push_str("  current      none: calls fail\n");
    }
    for (slot, version) in by_slot(module) {
        text.push_str(&render_version(slot, version, now));
    }
    text.push_str(&format!("  restart      {}\n", render_restart(module.restarts_to.as_ref())));
    if let Some(left) = module.releases_left {
        text.push_str(&format!("  memory for   {} like the last one\n", count(left, "more version")));
    }
    for caller in &module.callers {
        text.push_str(&format!("  called by    {}\n", render_caller(caller)));
    }
    text
}

fn render_restart(target: Option<&RestartTarget>) -> String {
    match target {
        Some(target) => format!("returns to {} ({})", clean(&target.version), short_digest(&target.digest)),
        None => "restores no version".to_owned(),
    }
}

fn render_caller(caller: &CallerStatus) -> String {
    let version = caller.version.as_ref().map(|version| format!(" {}", id(version))).unwrap_or_default();
    let caller_name = match &caller.module {
        Some(module) => format!("{}{version}", clean(module)),
        None => "the host program".to_owned(),
    };
    match &caller.interface {
        Some(interface) => format!("{caller_name}, through {}", clean(interface)),
        None => caller_name,
    }
}

fn render_version(slot: &str, version: &VersionStatus, now: Timestamp) -> String {
    let name = name(&version.version, version.generation);
    let loaded = format!("{:.0} ({} ago)", version.loaded_at, age(version.loaded_at, now));
    let oldest = match version.oldest_ms {
        Some(oldest_ms) => format!(", the oldest for {}", duration(Duration::from_millis(oldest_ms))),
        None => String::new(),
    };
    let calls = format!("{} total, {} inside{oldest}", version.calls, version.inside);
    let mut text = format!("  {slot:<11}  {name}  {}\n", state_name(version.status));
    let mut line = |name: &str, value: &str| text.push_str(&format!("               {name:<7}  {value}\n"));
    line("loaded", &loaded);
    line("from", &clean(&version.source));
    line("digest", &version.digest.to_string());
    line("calls", &calls);
    match version.status {
        VersionState::Trial => {
            line("trial", "until `segue confirm` or `segue rollback`, a restart does not return to it")
        }
        VersionState::Warm => line("kept", "for a rollback, until the trial of the current version ends"),
        _ => {}
    }
    if let Some(bytes) = version.live_bytes {
        line("memory", &size(bytes));
    }
    for pin in &version.pins {
        line("pinned", &pin::render(pin));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_data::{id, module, now};

    #[test]
    fn each_version_has_its_calls_memory_and_pins() {
        let expected = "\
greeter
  current      1.1.0+g2  confirmed
               loaded   2026-01-02T03:04:05Z (12 s ago)
               from     /srv/modules/libgreeter.so
               digest   sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
               calls    40 total, 0 inside
               memory   21.0 KiB
  old          1.0.0+g1  draining
               loaded   2026-01-02T02:04:05Z (1h 00m ago)
               from     /srv/modules/libgreeter.so
               digest   sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
               calls    1000 total, 1 inside, the oldest for 2.5 s
               pinned   call: GET /slow
  restart      returns to 1.1.0 (sha256:e3b0c44298fc)
";
        assert_eq!(render(&module(), now()), expected);
    }

    #[test]
    fn a_trial_is_explained() {
        let mut on_trial = module();
        on_trial.current.as_mut().unwrap().status = VersionState::Trial;
        on_trial.old.as_mut().unwrap().status = VersionState::Warm;
        let text = render(&on_trial, now());
        assert!(text.contains("trial    until `segue confirm`"), "{text}");
        assert!(text.contains("kept     for a rollback"), "{text}");
    }

    #[test]
    fn callers_are_shown_also_without_a_version() {
        let deleted = ModuleStatus { current: None, old: None, restarts_to: None, ..module() };
        let expected = "greeter\n  current      none: calls fail\n  restart      restores no version\n";
        assert_eq!(render(&deleted, now()), expected);
        let desk =
            CallerStatus { module: Some("desk".to_owned()), version: Some(id("2.0.0", 7)), interface: None };
        let host = CallerStatus { module: None, version: None, interface: Some("Pricing".to_owned()) };
        let called = ModuleStatus { callers: vec![desk, host], ..deleted };
        let expected = "  called by    desk 2.0.0+g7\n  called by    the host program, through Pricing\n";
        assert!(render(&called, now()).ends_with(expected), "{}", render(&called, now()));
    }
}
