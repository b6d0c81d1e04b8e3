//! `segue delete`: makes the current version old, with no successor.

use clap::Args;
use segue::Deleted;

use crate::{
    context::Context,
    error::Error,
    exit_code::ExitCode,
    text::{clean, micros},
    view::version::id,
};

/// Remove a module: its current version becomes old, with no successor
///
/// New calls fail because no version is current. Calls inside finish, and then the version is unloaded. A
/// restart does not bring the module back; a load does.
///
/// Exits with 0, also if no version is current; then nothing changes. Exits with 3 while there is an old
/// version, and if the module is sticky.
#[derive(Args, Debug)]
#[command(after_long_help = "Example:\n  segue delete greeter")]
pub(crate) struct Delete {
    /// The module's name
    module: String,
}

// === impl Delete ===

impl Delete {
    pub(crate) async fn run(&self, context: &Context) -> Result<ExitCode, Error> {
        let deleted = context.client().delete(&self.module).await?;
        context.format.print(&deleted, render)?;
        Ok(ExitCode::Done)
    }
}

fn render(deleted: &Deleted) -> String {
    let module = clean(&deleted.module);
    match deleted.old.as_ref().filter(|_| deleted.deleted) {
        Some(old) => format!(
            "{module} {} is deleted: no version is current, and a restart restores none; took {}\n",
            id(old),
            micros(deleted.took_us)
        ),
        None => format!("{module} has no current version; nothing changed\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_data::id;

    #[test]
    fn the_text_says_whether_anything_changed() {
        let done =
            Deleted { module: "greeter".to_owned(), deleted: true, old: Some(id("1.1.0", 2)), took_us: 1500 };
        let text =
            "greeter 1.1.0+g2 is deleted: no version is current, and a restart restores none; took 1.5 ms\n";
        assert_eq!(render(&done), text);
        let unchanged = Deleted { deleted: false, old: None, ..done };
        assert_eq!(render(&unchanged), "greeter has no current version; nothing changed\n");
    }
}
