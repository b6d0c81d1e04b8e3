//! `segue rollback`: makes the previous version current again.

use clap::Args;
use segue::{RollbackSource, RolledBack};

use crate::{
    context::Context,
    error::Error,
    exit_code::ExitCode,
    output::print_notice,
    text::{clean, micros},
    view::version::id,
};

/// Make the previous version current again
///
/// While the previous version is in memory, because calls are inside it or it is kept during a trial, a
/// rollback needs no file and takes microseconds. Later its file is loaded again from the state directory,
/// with all checks. In both cases a restart then returns to this version.
///
/// Exits with 3 if there is nothing to roll back to.
#[derive(Args, Debug)]
#[command(after_long_help = "Example:\n  segue rollback greeter")]
pub(crate) struct Rollback {
    /// The module's name
    module: String,
}

/// Printed if the ledger has not recorded the rollback.
const NOT_RECORDED: &str =
    "segue: rolled back, but not recorded: until the ledger is writable, a restart may undo this
  hint: check that the state directory is writable and has free space";

// === impl Rollback ===

impl Rollback {
    pub(crate) async fn run(&self, context: &Context) -> Result<ExitCode, Error> {
        let rolled_back = context.client().rollback(&self.module).await?;
        context.format.print(&rolled_back, render)?;
        if !rolled_back.recorded {
            print_notice(NOT_RECORDED);
        }
        Ok(ExitCode::Done)
    }
}

fn render(rolled_back: &RolledBack) -> String {
    let RolledBack { module, current, old, from, took_us, .. } = rolled_back;
    let source = match from {
        RollbackSource::Memory => "it was still in memory",
        RollbackSource::Store => "it was loaded again from the state directory",
    };
    format!(
        "{} {} is current again, {} is old; {source}; took {}\n",
        clean(module),
        id(current),
        id(old),
        micros(*took_us)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_data::id;

    #[test]
    fn the_text_names_both_versions_and_the_source() {
        let rolled_back = RolledBack {
            module: "greeter".to_owned(),
            current: id("1.0.0", 1),
            old: id("1.1.0", 2),
            from: RollbackSource::Memory,
            recorded: true,
            took_us: 4,
        };
        let text = "greeter 1.0.0+g1 is current again, 1.1.0+g2 is old; it was still in memory; took 4 µs\n";
        assert_eq!(render(&rolled_back), text);
        let again = RolledBack { from: RollbackSource::Store, ..rolled_back };
        assert!(render(&again).contains("loaded again from the state directory"));
    }
}
