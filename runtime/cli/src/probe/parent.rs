//! The parent of a probe: starts the child process, waits for it, and reports its end.

use std::{
    env, fs, io,
    os::{fd::AsFd, unix::process::ExitStatusExt},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};
use segue::{FileReport, FindingKind};

use crate::{
    context::Context,
    error::Error,
    probe::{
        child,
        plan::Plan,
        report::{ChildState, Outcome, Report, Stay, StayKind},
    },
    text::clean,
};

/// How often to check whether the process has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Probes the file in a separate process.
pub(crate) fn run(plan: &Plan, file: &FileReport, context: &Context) -> Result<Report, Error> {
    let failed = |source| Error::File { path: env::temp_dir(), source };
    let directory = tempfile::Builder::new().prefix("segue-probe-").tempdir().map_err(failed)?;
    let process = start(plan, directory.path()).map_err(failed)?;
    let status = wait(process, plan, directory.path(), context).map_err(failed)?;
    let ChildState { step, mut measured, refused, is_complete } =
        child_state(directory.path()).unwrap_or_default();
    if let Some(object) = refused {
        return Err(Error::ProbeRefused { object: Box::new(object) });
    }
    measured.stays.extend(suspected_callbacks(file));
    let outcome = match status {
        None => Outcome::Hung(u64::try_from(plan.deadline.as_millis()).unwrap_or(u64::MAX)),
        Some(status) if !status.success() || !is_complete => Outcome::Crashed(status_text(status)),
        Some(_) if measured.stays.is_empty() => Outcome::Left,
        Some(_) => Outcome::Stays,
    };
    let ended_early = matches!(outcome, Outcome::Crashed(_) | Outcome::Hung(_));
    let second = directory.path().join("second").join(plan.file.file_name().unwrap_or_default());
    let crashes = segue::crashes_in(&directory.path().join(child::STATE_DIR), &[&plan.file, &second]);
    Ok(Report {
        file: plan.file.clone(),
        module: file.metadata.name.clone(),
        version: file.metadata.version.clone(),
        digest: file.digest,
        step: ended_early.then_some(step),
        crash: crashes.unwrap_or_default().into_iter().next().filter(|_| ended_early),
        outcome,
        measured,
    })
}

/// The last state that the child has written.
fn child_state(directory: &Path) -> Option<ChildState> {
    let state = fs::read(directory.join(child::STATE_FILE)).ok()?;
    serde_json::from_slice(&state).ok()
}

/// The external libraries, which may hold callbacks of the module. The child cannot search them.
fn suspected_callbacks(file: &FileReport) -> impl Iterator<Item = Stay> {
    let external = file.findings.iter().filter(|finding| finding.kind == FindingKind::ExternalLibrary);
    external.map(|finding| Stay {
        kind: StayKind::Callback,
        what: format!("{}: {}", finding.subject, finding.meaning),
        advice: finding.advice.clone(),
    })
}

/// Starts this program again. The output of the module goes to standard error, because standard output is for
/// the report.
fn start(plan: &Plan, directory: &Path) -> io::Result<Child> {
    let output = io::stderr().as_fd().try_clone_to_owned()?;
    let mut command = Command::new(env::current_exe()?);
    command.arg("probe").arg("--child").arg(directory).args(plan.options()).arg("--").arg(&plan.file);
    command.stdin(Stdio::null()).stdout(output).spawn()
}

/// Waits for the process until the deadline, and shows its steps. `None` if it was killed at the deadline.
fn wait(
    mut process: Child,
    plan: &Plan,
    directory: &Path,
    context: &Context,
) -> io::Result<Option<ExitStatus>> {
    let progress = Progress::new(context);
    let started = Instant::now();
    let status = loop {
        if let Some(status) = process.try_wait()? {
            break Some(status);
        }
        if started.elapsed() >= plan.deadline {
            process.kill()?;
            process.wait()?;
            break None;
        }
        progress.show(directory, started);
        thread::sleep(POLL_INTERVAL);
    };
    progress.clear();
    Ok(status)
}

/// `SIGSEGV`, or `exit(3)`.
fn status_text(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => segue::signal_name(signal),
        (None, Some(code)) => format!("exit({code})"),
        (None, None) => status.to_string(),
    }
}

/// A line on a terminal with the step of the process.
struct Progress(Option<ProgressBar>);

// === impl Progress ===

impl Progress {
    fn new(context: &Context) -> Self {
        Progress(context.shows_progress().then(|| {
            let style = ProgressStyle::with_template("{spinner} {wide_msg}").expect("the template is valid");
            ProgressBar::new_spinner().with_style(style)
        }))
    }

    fn show(&self, directory: &Path, started: Instant) {
        let Some(bar) = &self.0 else { return };
        let step = child_state(directory).map_or_else(|| "starting".to_owned(), |state| state.step);
        bar.set_message(format!("{}, {} s", clean(&step), started.elapsed().as_secs()));
        bar.tick();
    }

    fn clear(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
