//! `segue stick`: a module is not replaced from now on.

use clap::Args;
use segue::Stickiness;

use crate::{Context, Error, ExitCode, text::clean};

/// Have a module refuse to be replaced, and to be deleted
///
/// A load of another version of it is refused with the code sticky and exit code 3, over restarts too, until `segue unstick`. What
/// is old in memory can still be gone back to. A module can ask for the same itself.
#[derive(Args, Debug)]
#[command(after_long_help = "Example:\n  segue stick greeter")]
pub struct Stick {
    /// The module's name
    module: String,
}

// === impl Stick ===

impl Stick {
    pub(crate) async fn run(&self, context: &Context) -> Result<ExitCode, Error> {
        let stickiness = context.client().stick(&self.module).await?;
        context.format.print(&stickiness, render)?;
        Ok(ExitCode::Done)
    }
}

/// How both commands answer.
pub(super) fn render(stickiness: &Stickiness) -> String {
    let module = clean(&stickiness.module);
    match (stickiness.sticky, stickiness.changed) {
        (true, true) => format!("{module} is sticky: it is not replaced from now on\n"),
        (true, false) => format!("{module} is sticky already: nothing was done\n"),
        (false, true) => format!("{module} is not sticky any more: it may be replaced\n"),
        (false, false) => format!("{module} is not sticky: nothing was done\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_reads_what_is_so_now() {
        let module = "greeter".to_owned();
        let stuck = Stickiness { module, sticky: true, changed: true };
        assert_eq!(render(&stuck), "greeter is sticky: it is not replaced from now on\n");
        let already = Stickiness { changed: false, ..stuck.clone() };
        assert_eq!(render(&already), "greeter is sticky already: nothing was done\n");
        let free = Stickiness { sticky: false, ..stuck };
        assert_eq!(render(&free), "greeter is not sticky any more: it may be replaced\n");
    }
}
