//! `segue ls`: lists what is loaded.

use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use segue::ModuleStatus;

use crate::{
    context::Context,
    error::Error,
    exit_code::ExitCode,
    table::{Align, Table},
    text::{age, clean, duration},
    view::version::{by_slot, name, short_digest, state_name},
};

/// List what is loaded: each module's versions, and the calls inside them
///
/// A module has a current version, which new calls enter. It may have an old version, whose calls are
/// finishing, and quarantined versions, which could not be unloaded.
///
/// Exits with 0, also if nothing is loaded.
#[derive(Args, Debug)]
#[command(after_long_help = "Example:\n  segue ls")]
pub(crate) struct Ls {}

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
        for (slot, version) in by_slot(module) {
            let oldest = version.oldest_ms.map(|oldest_ms| duration(Duration::from_millis(oldest_ms)));
            table.row([
                module_name(module),
                slot.to_owned(),
                name(&version.version, version.generation),
                state_name(version.status).to_owned(),
                version.inside.to_string(),
                oldest.unwrap_or_else(|| "-".to_owned()),
                version.calls.to_string(),
                format!("{} ago", age(version.loaded_at, now)),
                short_digest(&version.digest),
            ]);
        }
    }
    table.render()
}

/// The module's name, whether it is sticky, and how many releases fit into memory if its versions stay.
fn module_name(module: &ModuleStatus) -> String {
    let sticky = if module.sticky { " (sticky)" } else { "" };
    let left = module.releases_left.map(|left| format!(" ({left} releases left)")).unwrap_or_default();
    format!("{}{sticky}{left}", clean(&module.name))
}

#[cfg(test)]
mod tests {
    use segue::VersionState;

    use super::*;
    use crate::test_data::{module, now};

    #[test]
    fn the_table_has_a_row_for_each_version() {
        let expected = "\
MODULE   SLOT     VERSION   STATUS     INSIDE  OLDEST  CALLS      LOADED  DIGEST
greeter  current  1.1.0+g2  confirmed       0       -     40    12 s ago  sha256:e3b0c44298fc
greeter  old      1.0.0+g1  draining        1   2.5 s   1000  1h 00m ago  sha256:e3b0c44298fc
";
        assert_eq!(render(&[module()], now()), expected);
        assert_eq!(render(&[], now()), "nothing is loaded\n");
        let mut on_trial = ModuleStatus { sticky: true, ..module() };
        on_trial.current.as_mut().unwrap().status = VersionState::Trial;
        on_trial.old.as_mut().unwrap().status = VersionState::Warm;
        let text = render(&[on_trial], now());
        assert!(text.contains("greeter (sticky)  current  1.1.0+g2  trial "), "{text}");
        assert!(text.contains("old      1.0.0+g1  warm "), "{text}");
    }
}
