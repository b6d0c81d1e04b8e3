//! `segue delete`: a module without a current version.

use clap::Args;
use segue::Deleted;

use crate::{
    Context, Error, ExitCode,
    text::{clean, micros},
};

/// Make the current version of a module old, without another in its place
///
/// New calls are answered that there is none, calls inside finish there, and then it leaves memory. A restart does not bring it back;
/// a load does. It is refused while there is an old version, and where the module is sticky. Where nothing is current nothing is
/// done, which is said, and the exit code is 0.
#[derive(Args, Debug)]
#[command(after_long_help = "Example:\n  segue delete greeter")]
pub struct Delete {
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
            "{module} {} is deleted: nothing is current, and a restart brings nothing back; took {}\n",
            clean(&old.to_string()),
            micros(deleted.took_us)
        ),
        None => {
            format!("{module} has no current version: there is nothing to delete, and nothing was done\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::tests::id;

    #[test]
    fn a_person_reads_whether_anything_was_done() {
        let done =
            Deleted { module: "greeter".to_owned(), deleted: true, old: Some(id("1.1.0", 2)), took_us: 1500 };
        let text = "greeter 1.1.0+g2 is deleted: nothing is current, and a restart brings nothing back; took 1.5 ms\n";
        assert_eq!(render(&done), text);
        let nothing = Deleted { deleted: false, old: None, ..done };
        assert!(render(&nothing).ends_with("nothing was done\n"));
    }
}
