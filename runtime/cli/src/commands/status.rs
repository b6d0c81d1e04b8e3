//! `segue status`: everything about one module.

use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use segue::{CallerStatus, ModuleStatus, Pin, PinKind, VersionState, VersionStatus};

use super::ls::{standing, versions};
use crate::{
    Context, Error, ExitCode,
    text::{age, clean, count, size, span},
};

/// Show everything about one module
#[derive(Args, Debug)]
#[command(after_long_help = "Example:\n  segue status greeter")]
pub struct Status {
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
        text.push_str("  current      none: it cannot be called\n");
    }
    for (slot, version) in versions(module) {
        text.push_str(&render_version(slot, version, now));
    }
    if let Some(left) = module.releases_left {
        text.push_str(&format!("  room for     {} that stay as the last one did\n", count(left, "version")));
    }
    for caller in &module.callers {
        text.push_str(&format!("  called by    {}\n", render_caller(caller)));
    }
    text
}

fn render_caller(caller: &CallerStatus) -> String {
    let version = caller.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
    let who = match &caller.module {
        Some(module) => format!("{}{}", clean(module), clean(&version)),
        None => "the host program".to_owned(),
    };
    match &caller.interface {
        Some(interface) => format!("{who}, through {}", clean(interface)),
        None => who,
    }
}

fn render_version(slot: &str, version: &VersionStatus, now: Timestamp) -> String {
    let id = format!("{}+g{}", clean(&version.version), version.generation);
    let loaded = format!("{:.0} ({} ago)", version.loaded_at, age(version.loaded_at, now));
    let oldest = match version.oldest_ms {
        Some(oldest_ms) => format!(", the oldest for {}", span(Duration::from_millis(oldest_ms))),
        None => String::new(),
    };
    let calls = format!("{} in all, {} inside{oldest}", version.calls, version.inside);
    let mut text = format!("  {slot:<11}  {id}  {}\n", standing(version.status));
    let mut line = |name: &str, value: &str| text.push_str(&format!("               {name:<7}  {value}\n"));
    line("loaded", &loaded);
    line("from", &clean(&version.source));
    line("digest", &version.digest.to_string());
    line("calls", &calls);
    match version.status {
        VersionState::Trial => {
            line("trial", "a restart does not return to it; `segue confirm` or `segue rollback` ends it")
        }
        VersionState::Warm => line("kept", "for a rollback, until the trial of current ends"),
        _ => {}
    }
    if let Some(bytes) = version.live_bytes {
        line("memory", &size(bytes));
    }
    for pin in &version.pins {
        line("pinned", &render_pin(pin));
    }
    text
}

/// What keeps a version in memory.
pub(crate) fn render_pin(pin: &Pin) -> String {
    let kind = match pin.kind {
        PinKind::Call => "call",
        PinKind::OwnedGuard => "owned guard",
        PinKind::Key => "pthread key",
        PinKind::Signal => "signal",
        PinKind::Thread => "thread",
        PinKind::Tls => "thread-local",
        PinKind::Handle => "handle",
        PinKind::Library => "library",
        PinKind::Flag => "linker",
        _ => "other",
    };
    format!("{kind}: {}", clean(&pin.detail))
}

/// What lingers, in one line: `2 calls inside`.
pub(super) fn render_lingering(calls: u64) -> String {
    format!("{} inside", count(calls, "call"))
}

#[cfg(test)]
mod tests {
    use segue::VersionId;

    use super::*;
    use crate::commands::tests::{module, now};

    #[test]
    fn a_person_reads_a_list() {
        let expected = "\
greeter
  current      1.1.0+g2  confirmed
               loaded   2026-01-02T03:04:05Z (12 s ago)
               from     /srv/modules/libgreeter.so
               digest   sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
               calls    40 in all, 0 inside
               memory   21.0 KiB
  old          1.0.0+g1  draining
               loaded   2026-01-02T02:04:05Z (1h 00m ago)
               from     /srv/modules/libgreeter.so
               digest   sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
               calls    1000 in all, 1 inside, the oldest for 2.5 s
               pinned   call: GET /slow
";
        assert_eq!(render(&module(), now()), expected);
        let mut tried = module();
        tried.current.as_mut().unwrap().status = VersionState::Trial;
        tried.old.as_mut().unwrap().status = VersionState::Warm;
        let text = render(&tried, now());
        assert!(text.contains("trial    a restart does not return to it"), "{text}");
        assert!(text.contains("kept     for a rollback"), "{text}");
        let gone = ModuleStatus { current: None, old: None, ..module() };
        assert_eq!(render(&gone, now()), "greeter\n  current      none: it cannot be called\n");
        let version = VersionId { version: "2.0.0".to_owned(), generation: 7 };
        let desk = CallerStatus { module: Some("desk".to_owned()), version: Some(version), interface: None };
        let host = CallerStatus { module: None, version: None, interface: Some("Pricing".to_owned()) };
        let called = ModuleStatus { callers: vec![desk, host], ..gone };
        let expected = "  called by    desk 2.0.0+g7\n  called by    the host program, through Pricing\n";
        assert!(render(&called, now()).ends_with(expected), "{}", render(&called, now()));
    }
}
