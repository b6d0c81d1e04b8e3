//! `segue rollback`: the version before becomes current again.

use clap::Args;
use segue::{RollbackSource, RolledBack};

use crate::{
    Context, Error, ExitCode,
    text::{clean, micros},
};

/// Make the version before current again
///
/// While that is in memory, because calls are inside it or it is kept during a trial, this needs no file and takes microseconds. Later
/// its file is loaded again from the store of the state directory, as any other, through all checks. Either way what a restart returns
/// to is the version that was gone back to.
#[derive(Args, Debug)]
#[command(after_long_help = "Example:\n  segue rollback greeter")]
pub struct Rollback {
    /// The module's name
    module: String,
}

/// What is told where the ledger does not have it.
const NOT_RECORDED: &str =
    "segue: it is done, and the ledger could not be written: until it can, a restart does not know of it
  hint: see that the state directory has room and can be written to";

// === impl Rollback ===

impl Rollback {
    pub(crate) async fn run(&self, context: &Context) -> Result<ExitCode, Error> {
        let rolled_back = context.client().rollback(&self.module).await?;
        context.format.print(&rolled_back, render)?;
        if !rolled_back.recorded {
            eprintln!("{NOT_RECORDED}");
        }
        Ok(ExitCode::Done)
    }
}

fn render(rolled_back: &RolledBack) -> String {
    let RolledBack { module, current, old, from, took_us, .. } = rolled_back;
    let from = match from {
        RollbackSource::Memory => "it was in memory still",
        RollbackSource::Store => "it had left memory, and was loaded again from the store",
    };
    format!(
        "{} {} is current again, {} is old; {from}; took {}\n",
        clean(module),
        clean(&current.to_string()),
        clean(&old.to_string()),
        micros(*took_us)
    )
}

#[cfg(test)]
mod tests {
    use segue::VersionId;

    use super::*;

    #[test]
    fn a_person_reads_what_is_current_now() {
        let id = |version: &str, generation| VersionId { version: version.to_owned(), generation };
        let rolled_back = RolledBack {
            module: "greeter".to_owned(),
            current: id("1.0.0", 1),
            old: id("1.1.0", 2),
            from: RollbackSource::Memory,
            recorded: true,
            took_us: 4,
        };
        let text = "greeter 1.0.0+g1 is current again, 1.1.0+g2 is old; it was in memory still; took 4 µs\n";
        assert_eq!(render(&rolled_back), text);
        let again = RolledBack { from: RollbackSource::Store, ..rolled_back };
        assert!(render(&again).contains("loaded again from the store"));
    }
}
