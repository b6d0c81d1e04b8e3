//! `segue load`: makes files current, all or none.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use segue::{LoadOutcome, Loaded, Policy, TrialEnd, VersionId, Warning};
use segue_control::api::{ImageRef, LoadRequest, LoadResponse};

use super::deadline::Deadline;
use crate::{
    Context, Error, ExitCode, progress,
    text::{clean, list, micros, span},
};

/// Make files the current versions of their modules
///
/// Returns when new calls enter the new versions. What was current finishes the calls inside it and then leaves memory. Several files
/// are one set: all of them become current, or none does. What is refused changes nothing.
///
/// A version on trial is current, and a restart does not return to it until `segue confirm`; until then the version before it is
/// kept in memory, so that `segue rollback` is at once.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  segue load target/release/libgreeter.so
  segue load libgreeter.so --trial 5m             # goes back by itself, unless `segue confirm greeter` comes
  segue load libshop.so libtill.so                # both, or none
  segue load libgreeter.so --policy wait --deadline 5m")]
pub struct Load {
    /// The .so files; the runtime reads them under the same paths
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What to do while an old version is in use [default: refuse]
    ///
    /// refuse: nothing is done, and who is inside is told. wait: for the calls inside to end by themselves. supersede: they are asked
    /// to end, and where they have not at the deadline, the old version is put in quarantine.
    #[arg(long, value_name = "refuse|wait|supersede")]
    policy: Option<Policy>,
    /// How long it may take in all [default: 30s]
    #[arg(long, value_name = "DURATION")]
    deadline: Option<Deadline>,
    /// How long the versions are on trial; without it, they are confirmed at once
    #[arg(long, value_name = "DURATION")]
    trial: Option<Deadline>,
    /// What happens at the end of a trial that nobody has confirmed [default: rollback]
    #[arg(long, value_name = "rollback|confirm", requires = "trial")]
    trial_end: Option<TrialEnd>,
}

// === impl Load ===

impl Load {
    pub(crate) async fn run(&self, context: &Context) -> Result<ExitCode, Error> {
        let files = self.files.iter().map(|file| absolute(file).map(ImageRef::Path));
        let request = LoadRequest {
            policy: self.policy,
            deadline_ms: self.deadline.map(Deadline::millis),
            trial_ms: self.trial.map(Deadline::millis),
            trial_end: self.trial_end,
            ..LoadRequest::set(files.collect::<Result<_, _>>()?)
        };
        // Only to say whom it waits for. A file that cannot be read is refused by the runtime, which says why.
        let module = match (context.shows_progress(), self.files.as_slice()) {
            (true, [file]) => segue::check(file).ok().map(|report| report.metadata.name),
            _ => None,
        };
        let client = context.client();
        let files: Vec<String> = self.files.iter().map(|file| file.display().to_string()).collect();
        let what = format!("loading {}", list(&files));
        let answer =
            progress::while_waiting(context, &what, module.as_deref(), client.load(&request)).await?;
        context.format.print(&answer, |answer| render(answer, &request))?;
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

fn render(answer: &LoadResponse, request: &LoadRequest) -> String {
    let mut text: String = answer.loaded.iter().map(render_one).collect();
    for Warning { message, hint } in answer.loaded.iter().flat_map(|loaded| &loaded.warnings) {
        text.push_str(&format!("warning: {}\n  {}\n", clean(message), clean(hint)));
    }
    let on_trial = answer.loaded.iter().filter(|loaded| loaded.outcome == LoadOutcome::Loaded);
    for loaded in on_trial.filter(|_| request.trial_ms.is_some()) {
        let length = span(Duration::from_millis(request.trial_ms.unwrap_or_default()));
        let module = clean(&loaded.module);
        let end = match request.trial_end.unwrap_or_default() {
            TrialEnd::RollBack => "goes back by itself",
            TrialEnd::Confirm => "is confirmed by itself",
        };
        text.push_str(&format!(
            "{module} is on trial, and {end} in {length}: `segue confirm {module}` keeps it, `segue rollback {module}` goes back\n"
        ));
    }
    text
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
    use segue::{Digest, LoadTimings};

    use super::*;

    #[test]
    fn a_person_reads_what_is_current_now() {
        let took_us = LoadTimings { publish: Some(3), total: 2100, ..LoadTimings::default() };
        let loaded = Loaded {
            module: "greeter".to_owned(),
            version: "1.1.0".to_owned(),
            generation: 2,
            digest: Digest::of(b""),
            replaced: Some(VersionId { version: "1.0.0".to_owned(), generation: 1 }),
            outcome: LoadOutcome::Loaded,
            warnings: Vec::new(),
            took_us,
        };
        let unchanged = Loaded { outcome: LoadOutcome::Unchanged, replaced: None, ..loaded.clone() };
        let first = Loaded { replaced: None, ..loaded.clone() };
        let lines = [
            "greeter 1.1.0+g2 is current, 1.0.0+g1 is old; took 2.1 ms, of which publish 3 µs\n",
            "greeter 1.1.0+g2 is current already: it is the same file\n",
            "greeter 1.1.0+g2 is current, it is the first; took 2.1 ms, of which publish 3 µs\n",
        ];
        let request = LoadRequest::set(Vec::new());
        let answer = LoadResponse { loaded: vec![loaded.clone(), unchanged.clone(), first] };
        assert_eq!(render(&answer, &request), lines.concat());
        let trial = LoadRequest { trial_ms: Some(300_000), ..request };
        let text = render(&LoadResponse { loaded: vec![loaded] }, &trial);
        assert!(
            text.contains("greeter is on trial, and goes back by itself in 5m 00s: `segue confirm greeter`"),
            "{text}"
        );
        let warning = Warning { message: "helper.so is stale".to_owned(), hint: "restart".to_owned() };
        let warned = Loaded { warnings: vec![warning], ..unchanged.clone() };
        let text = render(&LoadResponse { loaded: vec![warned] }, &LoadRequest::set(Vec::new()));
        assert!(text.ends_with("\nwarning: helper.so is stale\n  restart\n"), "{text}");
        // What was current already is what it was before.
        assert!(!render(&LoadResponse { loaded: vec![unchanged] }, &trial).contains("trial"));
    }

    #[test]
    fn a_file_that_is_not_there_is_told_before_anybody_is_asked() {
        let error = absolute(Path::new("/nowhere/libx.so")).unwrap_err();
        assert_eq!(error.exit_code(), ExitCode::NotFound);
        assert!(absolute(Path::new(".")).unwrap().is_absolute());
    }
}
