//! `segue rollback`: old becomes current again.

use clap::Args;
use segue::RolledBack;

use crate::{
    Context, Error, ExitCode,
    text::{clean, micros},
};

/// Make the old version of a module current again
///
/// It works for as long as old is in memory: while calls are inside it. Later, load its file again.
#[derive(Args, Debug)]
#[command(after_long_help = "Example:\n  segue rollback greeter")]
pub struct Rollback {
    /// The module's name
    module: String,
}

// === impl Rollback ===

impl Rollback {
    pub(crate) async fn run(&self, context: &Context) -> Result<ExitCode, Error> {
        let rolled_back = context.client().rollback(&self.module).await?;
        context.format.print(&rolled_back, render)?;
        Ok(ExitCode::Done)
    }
}

fn render(rolled_back: &RolledBack) -> String {
    let RolledBack { module, current, old, took_us, .. } = rolled_back;
    format!(
        "{} {} is current again, {} is old; took {}\n",
        clean(module),
        clean(&current.to_string()),
        clean(&old.to_string()),
        micros(*took_us)
    )
}

#[cfg(test)]
mod tests {
    use segue::{VersionId, WentBack};

    use super::*;

    #[test]
    fn a_person_reads_what_is_current_now() {
        let id = |version: &str, generation| VersionId { version: version.to_owned(), generation };
        let rolled_back = RolledBack {
            module: "greeter".to_owned(),
            current: id("1.0.0", 1),
            old: id("1.1.0", 2),
            from: WentBack::Memory,
            recorded: true,
            took_us: 4,
        };
        assert_eq!(render(&rolled_back), "greeter 1.0.0+g1 is current again, 1.1.0+g2 is old; took 4 µs\n");
    }
}
