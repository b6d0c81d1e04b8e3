//! `segue confirm`: ends a trial.

use clap::Args;
use segue::Confirmed;

use crate::{
    context::Context,
    error::Error,
    exit_code::ExitCode,
    text::{clean, micros},
    view::version::id,
};

/// End the trial of a module's current version: a restart returns to it from now on
///
/// The previous version is then kept in memory only while calls are inside it.
///
/// Exits with 0, also if there is no trial; then nothing changes, because the current version is already
/// confirmed.
#[derive(Args, Debug)]
#[command(after_long_help = "Example:\n  segue load libgreeter.so --trial 5m\n  segue confirm greeter")]
pub(crate) struct Confirm {
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
    let (module, current) = (clean(&confirmed.module), id(&confirmed.current));
    match confirmed.confirmed {
        true => format!(
            "{module} {current} is confirmed: a restart returns to it; took {}\n",
            micros(confirmed.took_us)
        ),
        false => format!("{module} {current} is not on trial; nothing changed\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_data::id;

    #[test]
    fn the_text_says_whether_anything_changed() {
        let done = Confirmed {
            module: "greeter".to_owned(),
            confirmed: true,
            current: id("1.1.0", 2),
            took_us: 1500,
        };
        let text = "greeter 1.1.0+g2 is confirmed: a restart returns to it; took 1.5 ms\n";
        assert_eq!(render(&done), text);
        let unchanged = Confirmed { confirmed: false, ..done };
        assert_eq!(render(&unchanged), "greeter 1.1.0+g2 is not on trial; nothing changed\n");
    }
}
