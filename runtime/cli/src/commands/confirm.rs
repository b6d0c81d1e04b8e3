//! `segue confirm`: a trial becomes permanent.

use clap::Args;
use segue::Confirmed;

use crate::{
    Context, Error, ExitCode,
    text::{clean, micros},
};

/// End the trial of a module's current version: a restart returns to it from now on
///
/// The version before it is kept no longer than calls are inside it. Where there is no trial nothing is done, which is said, and the
/// exit code is 0: what is current is confirmed.
#[derive(Args, Debug)]
#[command(after_long_help = "Example:\n  segue load libgreeter.so --trial 5m\n  segue confirm greeter")]
pub struct Confirm {
    /// The module's name
    module: String,
}

// === impl Confirm ===

impl Confirm {
    pub(crate) async fn run(&self, context: &Context) -> Result<ExitCode, Error> {
        let confirmed = context.client().confirm(&self.module).await?;
        context.format.print(&confirmed, render)?;
        Ok(ExitCode::Done)
    }
}

fn render(confirmed: &Confirmed) -> String {
    let (module, current) = (clean(&confirmed.module), confirmed.current.to_string());
    let current = clean(&current);
    match confirmed.confirmed {
        true => format!(
            "{module} {current} is confirmed, and a restart returns to it; took {}\n",
            micros(confirmed.took_us)
        ),
        false => {
            format!("{module} {current} is not on trial: there is nothing to confirm, and nothing was done\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::tests::id;

    #[test]
    fn a_person_reads_whether_anything_was_done() {
        let done = Confirmed {
            module: "greeter".to_owned(),
            confirmed: true,
            current: id("1.1.0", 2),
            took_us: 1500,
        };
        let text = "greeter 1.1.0+g2 is confirmed, and a restart returns to it; took 1.5 ms\n";
        assert_eq!(render(&done), text);
        let nothing = Confirmed { confirmed: false, ..done };
        assert!(render(&nothing).ends_with("nothing was done\n"));
    }
}
