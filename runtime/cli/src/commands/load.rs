//! `segue load`: makes a file current.

use std::{
    io,
    path::{Path, PathBuf},
};

use clap::Args;
use segue::{LoadOutcome, Loaded, Policy, VersionId};
use segue_control::api::{ImageRef, LoadAnswer, LoadRequest};

use super::deadline::Deadline;
use crate::{
    Context, Error, ExitCode, progress,
    text::{clean, micros},
};

/// Make a file the current version of its module
///
/// Returns when new calls enter the new version. What was current finishes the calls inside it and then leaves memory. A
/// file that is refused changes nothing.
#[derive(Args, Debug)]
#[command(
    after_long_help = "Examples:\n  segue load target/release/libgreeter.so\n  segue load libgreeter.so --policy wait --deadline 5m"
)]
pub struct Load {
    /// The .so file; the runtime reads it under the same path
    file: PathBuf,
    /// What to do while an old version still has calls inside: refuse, or wait for them
    #[arg(long, value_name = "refuse|wait")]
    policy: Option<Policy>,
    /// How long it may take in all [default: 30s]
    #[arg(long, value_name = "DURATION")]
    deadline: Option<Deadline>,
}

// === impl Load ===

impl Load {
    pub(crate) async fn run(&self, context: &Context) -> Result<ExitCode, Error> {
        let request = LoadRequest {
            policy: self.policy,
            deadline_ms: self.deadline.map(Deadline::millis),
            ..LoadRequest::new(ImageRef::Path(absolute(&self.file)?))
        };
        // Only to say whom it waits for. A file that cannot be read is refused by the runtime, which says why.
        let module = match context.shows_progress() {
            true => segue::check(&self.file).ok().map(|report| report.metadata.name),
            false => None,
        };
        let client = context.client();
        let what = format!("loading {}", self.file.display());
        let answer =
            progress::while_waiting(context, &what, module.as_deref(), client.load(&request)).await?;
        context.format.print(&answer, render)?;
        Ok(ExitCode::Done)
    }
}

/// The file as any process finds it.
fn absolute(file: &Path) -> Result<PathBuf, Error> {
    file.canonicalize().map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => Error::NoSuchFile { path: file.to_owned() },
        _ => Error::File { path: file.to_owned(), source },
    })
}

fn render(answer: &LoadAnswer) -> String {
    answer.loaded.iter().map(render_one).collect()
}

fn render_one(loaded: &Loaded) -> String {
    let module = clean(&loaded.module);
    let id = VersionId { version: clean(&loaded.version).into_owned(), generation: loaded.generation };
    if loaded.outcome == LoadOutcome::Unchanged {
        return format!("{module} {id} is current already: it is the same file\n");
    }
    let before = match &loaded.replaced {
        Some(replaced) => format!("{} is old", clean(&replaced.to_string())),
        None => "it is the first".to_owned(),
    };
    let took = &loaded.took_us;
    let publish =
        took.publish.map_or(String::new(), |publish| format!(", of which publish {}", micros(publish)));
    format!("{module} {id} is current, {before}; took {}{publish}\n", micros(took.total))
}

#[cfg(test)]
mod tests {
    use segue::{Digest, Took};

    use super::*;

    #[test]
    fn a_person_reads_what_is_current_now() {
        let took_us = Took { publish: Some(3), total: 2100, ..Took::default() };
        let loaded = Loaded {
            module: "greeter".to_owned(),
            version: "1.1.0".to_owned(),
            generation: 2,
            digest: Digest::of(b""),
            replaced: Some(VersionId { version: "1.0.0".to_owned(), generation: 1 }),
            outcome: LoadOutcome::Loaded,
            took_us,
        };
        let unchanged = Loaded { outcome: LoadOutcome::Unchanged, replaced: None, ..loaded.clone() };
        let first = Loaded { replaced: None, ..loaded.clone() };
        let lines = [
            "greeter 1.1.0+g2 is current, 1.0.0+g1 is old; took 2.1 ms, of which publish 3 µs\n",
            "greeter 1.1.0+g2 is current already: it is the same file\n",
            "greeter 1.1.0+g2 is current, it is the first; took 2.1 ms, of which publish 3 µs\n",
        ];
        assert_eq!(render(&LoadAnswer { loaded: vec![loaded, unchanged, first] }), lines.concat());
    }

    #[test]
    fn a_file_that_is_not_there_is_told_before_anybody_is_asked() {
        let error = absolute(Path::new("/nowhere/libx.so")).unwrap_err();
        assert_eq!(error.exit_code(), ExitCode::NotFound);
        assert!(absolute(Path::new(".")).unwrap().is_absolute());
    }
}
