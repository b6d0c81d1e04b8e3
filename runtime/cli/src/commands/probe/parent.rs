//! The command's side of a probe: starts the process, waits for it, and tells its end.

use std::{
    env, fs,
    io::{self, IsTerminal},
    os::{fd::AsFd, unix::process::ExitStatusExt},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};
use segue::{FileReport, FindingKind};

use super::{
    Plan, child,
    report::{Outcome, Report, Stay, StayKind, Told},
};
use crate::{Context, Error, Format, text::clean};

/// How often is looked whether the process has ended.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Probes the file in a process of its own.
pub(super) fn run(plan: &Plan, file: &FileReport, context: &Context) -> Result<Report, Error> {
    let failed = |source| Error::File { path: env::temp_dir(), source };
    let home = tempfile::Builder::new().prefix("segue-probe-").tempdir().map_err(failed)?;
    let process = start(plan, home.path()).map_err(failed)?;
    let status = wait(process, plan, home.path(), context).map_err(failed)?;
    let mut told: Told = fs::read(home.path().join(child::TOLD))
        .ok()
        .and_then(|told| serde_json::from_slice(&told).ok())
        .unwrap_or_default();
    if let Some(object) = told.refused {
        return Err(Error::ProbeRefused { object: Box::new(object) });
    }
    told.measured.stays.extend(suspected_callbacks(file));
    let outcome = match status {
        None => Outcome::Hung(u64::try_from(plan.deadline.as_millis()).unwrap_or(u64::MAX)),
        Some(status) if !status.success() || !told.is_complete => Outcome::Crashed(name(status)),
        Some(_) if told.measured.stays.is_empty() => Outcome::Left,
        Some(_) => Outcome::Stays,
    };
    let ended_early = matches!(outcome, Outcome::Crashed(_) | Outcome::Hung(_));
    let second = home.path().join("second").join(plan.file.file_name().unwrap_or_default());
    let crashes = segue::crashes_in(&home.path().join(child::STATE), &[&plan.file, &second]);
    Ok(Report {
        file: plan.file.clone(),
        module: file.metadata.name.clone(),
        version: file.metadata.version.clone(),
        digest: file.digest,
        step: ended_early.then_some(told.step),
        crash: crashes.unwrap_or_default().into_iter().next().filter(|_| ended_early),
        outcome,
        measured: told.measured,
    })
}

/// The external libraries, which may have callbacks of the module. The process cannot look for them there.
fn suspected_callbacks(file: &FileReport) -> impl Iterator<Item = Stay> {
    let external = file.findings.iter().filter(|found| found.kind == FindingKind::ExternalLibrary);
    external.map(|found| Stay {
        kind: StayKind::Callback,
        what: format!("{}: {}", found.subject, found.meaning),
        advice: found.advice.clone(),
    })
}

/// Starts this program again. What the module prints goes to standard error: standard output has the report alone.
fn start(plan: &Plan, home: &Path) -> io::Result<Child> {
    let output = io::stderr().as_fd().try_clone_to_owned()?;
    let mut command = Command::new(env::current_exe()?);
    command.arg("probe").arg("--child").arg(home).args(plan.arguments()).arg("--").arg(&plan.file);
    command.stdin(Stdio::null()).stdout(output).spawn()
}

/// Waits for the process until the deadline, and shows what it does. None if it was killed at the deadline.
fn wait(mut process: Child, plan: &Plan, home: &Path, context: &Context) -> io::Result<Option<ExitStatus>> {
    let progress = Progress::new(context);
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = process.try_wait()? {
            break Some(status);
        }
        if begun.elapsed() >= plan.deadline {
            process.kill()?;
            process.wait()?;
            break None;
        }
        progress.show(home, begun);
        thread::sleep(LOOK_EVERY);
    };
    progress.clear();
    Ok(status)
}

fn name(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => segue::signal_name(signal),
        (None, Some(code)) => format!("exit({code})"),
        (None, None) => status.to_string(),
    }
}

/// A line on a terminal that says what the process does.
struct Progress(Option<ProgressBar>);

// === impl Progress ===

impl Progress {
    fn new(context: &Context) -> Self {
        let is_shown = context.format == Format::Human && io::stderr().is_terminal();
        Progress(is_shown.then(|| {
            let style = ProgressStyle::with_template("{spinner} {wide_msg}")
                .expect("the template is fixed, and it is a good one");
            ProgressBar::new_spinner().with_style(style)
        }))
    }

    fn show(&self, home: &Path, begun: Instant) {
        let Some(bar) = &self.0 else { return };
        let told = fs::read(home.join(child::TOLD)).ok();
        let told: Option<Told> = told.and_then(|told| serde_json::from_slice(&told).ok());
        let step = told.map_or_else(|| "starting".to_owned(), |told| told.step);
        bar.set_message(format!("{}, {} s", clean(&step), begun.elapsed().as_secs()));
        bar.tick();
    }

    fn clear(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
