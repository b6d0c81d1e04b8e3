//! `segue ls`: what is loaded.

use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use segue::{ModuleStatus, VersionState, VersionStatus};

use crate::{
    Context, Error, ExitCode,
    story::short,
    table::{Align, Table},
    text::{age, clean, span},
};

/// Show what is loaded: what is current, what is old, and who is inside
#[derive(Args, Debug)]
#[command(after_long_help = "Example:\n  segue ls")]
pub struct Ls {}

// === impl Ls ===

impl Ls {
    pub(crate) async fn run(&self, context: &Context) -> Result<ExitCode, Error> {
        let modules = context.client().modules().await?;
        context.format.print(&modules, |modules| render(modules, Timestamp::now()))?;
        Ok(ExitCode::Done)
    }
}

fn render(modules: &[ModuleStatus], now: Timestamp) -> String {
    if modules.is_empty() {
        return "nothing is loaded\n".to_owned();
    }
    let mut table = Table::new([
        ("MODULE", Align::Left),
        ("SLOT", Align::Left),
        ("VERSION", Align::Left),
        ("STATUS", Align::Left),
        ("INSIDE", Align::Right),
        ("OLDEST", Align::Right),
        ("CALLS", Align::Right),
        ("LOADED", Align::Right),
        ("DIGEST", Align::Left),
    ]);
    for module in modules {
        for (slot, version) in versions(module) {
            let oldest = version.oldest_ms.map(|oldest_ms| span(Duration::from_millis(oldest_ms)));
            table.row([
                name(module),
                slot.to_owned(),
                format!("{}+g{}", clean(&version.version), version.generation),
                standing(version.status).to_owned(),
                version.inside.to_string(),
                oldest.unwrap_or_else(|| "-".to_owned()),
                version.calls.to_string(),
                format!("{} ago", age(version.loaded_at, now)),
                short(&version.digest),
            ]);
        }
    }
    table.render()
}

/// The module's name, whether it refuses to be replaced, and how many releases are left if its versions stay.
fn name(module: &ModuleStatus) -> String {
    let sticky = if module.sticky { " (sticky)" } else { "" };
    let left = module.releases_left.map(|left| format!(" ({left} releases left)")).unwrap_or_default();
    format!("{}{sticky}{left}", clean(&module.name))
}

/// The versions of a module, with the slot that each is in.
pub(super) fn versions(module: &ModuleStatus) -> impl Iterator<Item = (&'static str, &VersionStatus)> {
    let current = module.current.iter().map(|version| ("current", version));
    let old = module.old.iter().map(|version| ("old", version));
    let quarantined = module.quarantined.iter().map(|version| ("quarantined", version));
    current.chain(old).chain(quarantined)
}

pub(super) fn standing(standing: VersionState) -> &'static str {
    match standing {
        VersionState::Trial => "trial",
        VersionState::Confirmed => "confirmed",
        VersionState::Draining => "draining",
        VersionState::Warm => "warm",
        VersionState::Pinned => "pinned",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::tests::{module, now};

    #[test]
    fn a_person_reads_a_table() {
        let expected = "\
MODULE   SLOT     VERSION   STATUS     INSIDE  OLDEST  CALLS      LOADED  DIGEST
greeter  current  1.1.0+g2  confirmed       0       -     40    12 s ago  sha256:e3b0c44298fc
greeter  old      1.0.0+g1  draining        1   2.5 s   1000  1h 00m ago  sha256:e3b0c44298fc
";
        assert_eq!(render(&[module()], now()), expected);
        assert_eq!(render(&[], now()), "nothing is loaded\n");
        let mut tried = ModuleStatus { sticky: true, ..module() };
        tried.current.as_mut().unwrap().status = VersionState::Trial;
        tried.old.as_mut().unwrap().status = VersionState::Warm;
        let text = render(&[tried], now());
        assert!(text.contains("greeter (sticky)  current  1.1.0+g2  trial "), "{text}");
        assert!(text.contains("old      1.0.0+g1  warm "), "{text}");
    }
}
