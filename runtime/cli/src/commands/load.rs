//! `segue load`: makes files current, all or none.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use segue::{LoadOutcome, Loaded, Policy, TrialEnd, Warning};
use segue_control::api::{ImageRef, LoadRequest, LoadResponse};

use crate::{
    context::Context,
    duration::DurationArg,
    error::Error,
    exit_code::ExitCode,
    progress,
    text::{clean, duration, list, micros},
    view::version::{id, name},
};

/// Make files the current versions of their modules
///
/// Returns when new calls enter the new versions. Calls inside a previous version finish there; then it is
/// unloaded. Several files are one set: all of them become current, or none does.
///
/// A version on trial is current, but a restart does not return to it until `segue confirm`. Until then the
/// previous version stays in memory, so a `segue rollback` takes effect at once.
///
/// Exits with 3 if a file is refused; then nothing has changed. Exits with 4 if there is no such file, and
/// with 5 if the deadline passes.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  segue load target/release/libgreeter.so
  segue load libgreeter.so --trial 5m      # rolls back without a `segue confirm greeter`
  segue load libshop.so libtill.so         # both, or none
  segue load libgreeter.so --policy wait --deadline 5m")]
pub(crate) struct Load {
    /// The .so files; the runtime reads them from the same paths
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What to do if an old version is still in use [default: refuse]
    ///
    /// refuse: refuse the load, and name what keeps the old version.
    ///
    /// wait: wait until the calls inside it end.
    ///
    /// supersede: ask the calls inside it to end, and quarantine it if it is still in use at the deadline.
    #[arg(long, value_name = "refuse|wait|supersede")]
    policy: Option<Policy>,
    /// How long the whole load may take [default: 30s]
    #[arg(long, value_name = "DURATION")]
    deadline: Option<DurationArg>,
    /// Load the versions on trial, for this long; without it, they are confirmed at once
    #[arg(long, value_name = "DURATION")]
    trial: Option<DurationArg>,
    /// What happens at the end of a trial without `segue confirm` [default: rollback]
    #[arg(long, value_name = "rollback|confirm", requires = "trial")]
    trial_end: Option<TrialEnd>,
}

// === impl Load ===

impl Load {
    pub(crate) async fn run(&self, context: &Context) -> Result<ExitCode, Error> {
        let files = self.files.iter().map(|file| absolute(file).map(ImageRef::Path));
        let request = LoadRequest {
            policy: self.policy,
            deadline_ms: self.deadline.map(DurationArg::millis),
            trial_ms: self.trial.map(DurationArg::millis),
            trial_end: self.trial_end,
            ..LoadRequest::set(files.collect::<Result<_, _>>()?)
        };
        // Only for the progress line. If the file cannot be read, the runtime refuses it with the reason.
        let module = match (context.shows_progress(), self.files.as_slice()) {
            (true, [file]) => segue::check(file).ok().map(|report| report.metadata.name),
            _ => None,
        };
        let client = context.client();
        let files: Vec<String> = self.files.iter().map(|file| file.display().to_string()).collect();
        let action = format!("loading {}", list(&files));
        let answer =
            progress::while_waiting(context, &action, module.as_deref(), client.load(&request)).await?;
        context.format.print(&answer, |answer| render(answer, &request))?;
        Ok(ExitCode::Done)
    }
}

/// The absolute path of a file: the runtime may have another working directory.
fn absolute(file: &Path) -> Result<PathBuf, Error> {
    file.canonicalize().map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => Error::NoSuchFile { path: file.to_owned() },
        _ => Error::File { path: file.to_owned(), source },
    })
}

fn render(answer: &LoadResponse, request: &LoadRequest) -> String {
    let mut text: String = answer.loaded.iter().map(render_one).collect();
    for Warning { message, hint } in answer.loaded.iter().flat_map(|loaded| &loaded.warnings) {
        text.push_str(&format!("warning: {}\n  {}\n", clean(message), clean(hint)));
    }
    if let Some(trial_ms) = request.trial_ms {
        let length = duration(Duration::from_millis(trial_ms));
        let end = match request.trial_end.unwrap_or_default() {
            TrialEnd::RollBack => "rolled back",
            TrialEnd::Confirm => "confirmed",
        };
        for loaded in answer.loaded.iter().filter(|loaded| loaded.outcome == LoadOutcome::Loaded) {
            let module = clean(&loaded.module);
            text.push_str(&format!(
                "{module} is on trial and will be {end} in {length}; `segue confirm {module}` keeps it, `segue rollback \
                 {module}` goes back now\n"
            ));
        }
    }
    text
}

fn render_one(loaded: &Loaded) -> String {
    let module = clean(&loaded.module);
    let version = name(&loaded.version, loaded.generation);
    if loaded.outcome == LoadOutcome::Unchanged {
        return format!("{module} {version} is already current, from the same file; nothing changed\n");
    }
    let previous = match &loaded.replaced {
        Some(replaced) => format!(", {} is old", id(replaced)),
        None => String::new(),
    };
    let took = &loaded.took_us;
    let publish = took.publish.map_or(String::new(), |publish| format!(", publish took {}", micros(publish)));
    format!("{module} {version} is current{previous}; took {}{publish}\n", micros(took.total))
}

#[cfg(test)]
mod tests {
    use segue::{Digest, LoadTimings};

    use super::*;
    use crate::test_data::id;

    fn loaded() -> Loaded {
        Loaded {
            module: "greeter".to_owned(),
            version: "1.1.0".to_owned(),
            generation: 2,
            digest: Digest::of(b""),
            replaced: Some(id("1.0.0", 1)),
            outcome: LoadOutcome::Loaded,
            warnings: Vec::new(),
            took_us: LoadTimings { publish: Some(3), total: 2100, ..LoadTimings::default() },
        }
    }

    fn unchanged() -> Loaded {
        Loaded { outcome: LoadOutcome::Unchanged, replaced: None, ..loaded() }
    }

    #[test]
    fn the_text_names_both_versions_and_the_time() {
        let first = Loaded { replaced: None, ..loaded() };
        let lines = [
            "greeter 1.1.0+g2 is current, 1.0.0+g1 is old; took 2.1 ms, publish took 3 µs\n",
            "greeter 1.1.0+g2 is already current, from the same file; nothing changed\n",
            "greeter 1.1.0+g2 is current; took 2.1 ms, publish took 3 µs\n",
        ];
        let answer = LoadResponse { loaded: vec![loaded(), unchanged(), first] };
        assert_eq!(render(&answer, &LoadRequest::set(Vec::new())), lines.concat());
    }

    #[test]
    fn a_trial_has_its_end_and_both_commands() {
        let request = LoadRequest { trial_ms: Some(300_000), ..LoadRequest::set(Vec::new()) };
        let text = render(&LoadResponse { loaded: vec![loaded()] }, &request);
        assert!(
            text.contains("greeter is on trial and will be rolled back in 5m 00s; `segue confirm greeter`"),
            "{text}"
        );
        // A version that was already current keeps its state.
        assert!(!render(&LoadResponse { loaded: vec![unchanged()] }, &request).contains("trial"));
    }

    #[test]
    fn a_warning_follows_the_answer() {
        let warning = Warning { message: "helper.so is stale".to_owned(), hint: "restart".to_owned() };
        let warned = Loaded { warnings: vec![warning], ..unchanged() };
        let text = render(&LoadResponse { loaded: vec![warned] }, &LoadRequest::set(Vec::new()));
        assert!(text.ends_with("\nwarning: helper.so is stale\n  restart\n"), "{text}");
    }

    #[test]
    fn a_missing_file_is_reported_without_a_runtime() {
        let error = absolute(Path::new("/nowhere/libx.so")).unwrap_err();
        assert_eq!(error.exit_code(), ExitCode::NotFound);
        assert!(absolute(Path::new(".")).unwrap().is_absolute());
    }
}
