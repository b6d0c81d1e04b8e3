//! The load of a version: stage, read, map, check, `on_load`, publish.

use std::{
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use segue_loader::{Candidate, Digest, Image, Inspected, Mapped, Retained, StageError};
use serde::{Deserialize, Serialize};

use crate::{
    Error, ErrorObject, Event, LoadOutcome, Loaded, Took, VersionId,
    journey::micros,
    log::ModuleLog,
    module::{Module, Old, Phase},
    runtime::Inner,
    version::{About, Version},
};

/// How long the threads of a version that refused to start have to end, before it is given up.
const VETO_PATIENCE: Duration = Duration::from_secs(2);

/// Where a version comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// The file with this digest in the store of the state directory.
    Stored(Digest),
}

/// How a load goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadOptions {
    /// What to do where an old version is still in use.
    pub policy: Policy,
    /// How long the load may wait: for another load of the same module, and for the old version where the policy says so.
    pub deadline: Duration,
}

/// What a load does when the module has an old version that is still in use: there can be no third.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// It is refused, and says who is inside.
    #[default]
    Refuse,
    /// It waits for the old version to be gone.
    Wait,
}

/// A text that is no policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a policy is \"refuse\" or \"wait\"")]
pub struct ParsePolicyError;

/// A candidate that was read, and how its load is to go.
pub(crate) struct Request {
    pub(crate) candidate: Inspected,
    /// What the file is called in reports.
    pub(crate) source: String,
    pub(crate) policy: Policy,
    /// Without one, it waits until it is overtaken.
    pub(crate) deadline: Option<Instant>,
    pub(crate) after: Duration,
    /// The number of a drop-in, which gives way to one with a higher number.
    pub(crate) drop_in: Option<u64>,
    pub(crate) started: Instant,
    pub(crate) took: Took,
}

// === impl Policy, LoadOptions, Source ===

impl FromStr for Policy {
    type Err = ParsePolicyError;

    fn from_str(text: &str) -> Result<Self, ParsePolicyError> {
        match text {
            "refuse" => Ok(Policy::Refuse),
            "wait" => Ok(Policy::Wait),
            _ => Err(ParsePolicyError),
        }
    }
}

impl Default for LoadOptions {
    /// Refuses a third version, and waits 30 s for another load of the same module.
    fn default() -> Self {
        LoadOptions { policy: Policy::Refuse, deadline: Duration::from_secs(30) }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Source::File(path) => write!(f, "{}", path.display()),
            Source::Stored(digest) => write!(f, "{digest}"),
        }
    }
}

// === impl Inner ===

impl Inner {
    pub(crate) fn load(self: &Arc<Self>, source: &Source, options: &LoadOptions) -> Result<Loaded, Error> {
        let loaded = self.try_load(source, options);
        if let Err(error) = &loaded {
            self.tell_refused(source.to_string(), error);
        }
        loaded
    }

    pub(crate) fn tell_refused(&self, source: String, error: &Error) {
        tracing::warn!(source, code = ?error.code(), "refused: {error}");
        self.events.push(Event::Refused { source, error: ErrorObject::from(error) });
    }

    fn try_load(self: &Arc<Self>, source: &Source, options: &LoadOptions) -> Result<Loaded, Error> {
        let started = Instant::now();
        let path = match source {
            Source::File(path) => path.clone(),
            Source::Stored(digest) => self.state.image(digest),
        };
        let mut took = Took::default();
        let candidate = read(&path, &mut took)?;
        let request = Request {
            candidate,
            source: source.to_string(),
            policy: options.policy,
            deadline: started.checked_add(options.deadline),
            after: options.deadline,
            drop_in: None,
            started,
            took,
        };
        let inner = self.clone();
        let name = format!("load {}", request.candidate.metadata().name);
        self.journeys.ask(name, move |answer| {
            // Sending fails where nobody waits for it any more.
            inner.travel(request, |loaded| drop(answer.send(loaded)));
        })
    }

    /// The journey of a version: it is made current, whoever asked is told, and what it displaced is taken out.
    pub(crate) fn travel(self: &Arc<Self>, request: Request, answer: impl FnOnce(Result<Loaded, Error>)) {
        let module = self.module_to_be(&request.candidate.metadata().name);
        let loaded = self.make_current(&module, request);
        let displaced = loaded.as_ref().ok().and_then(|loaded| loaded.replaced.clone());
        answer(loaded);
        if let Some(displaced) = displaced {
            self.retire(&module, displaced.generation);
        }
    }

    fn make_current(self: &Arc<Self>, module: &Arc<Module>, request: Request) -> Result<Loaded, Error> {
        let _turn = match request.deadline {
            Some(deadline) => module.turn.try_lock_until(deadline).ok_or_else(|| Error::Deadline {
                what: format!("another load of {}", module.name),
                after: request.after,
            })?,
            None => module.turn.lock(),
        };
        if self.is_closing() {
            return Err(Error::ShuttingDown);
        }
        if let Some(unchanged) = self.unchanged(module, &request) {
            return Ok(unchanged);
        }
        self.wait_for_room(module, &request)?;
        // While it waited, a rollback may have made the same file current.
        if let Some(unchanged) = self.unchanged(module, &request) {
            return Ok(unchanged);
        }

        let Request { candidate, source, started, mut took, .. } = request;
        let path = PathBuf::from(&source);
        let generation = self.new_generation();
        let id = VersionId { version: candidate.metadata().version.clone(), generation };
        let digest = candidate.digest();
        let image = self.start(module, candidate, &path, &id, &mut took)?;
        if let Err(error) = self.state.keep(&digest, image.path()) {
            tracing::warn!(module = %module.name, %error, "the version could not be kept in the store");
        }
        let about =
            Arc::new(About { module: module.name.clone(), id, digest, source, loaded_at: Timestamp::now() });
        let replaced = self.publish(module, Version { image, about: about.clone() }, started, &mut took)?;
        tracing::info!(
            module = %module.name, version = about.id.version, generation, took_us = took.total, "current"
        );
        Ok(Loaded {
            module: module.name.to_string(),
            version: about.id.version.clone(),
            generation,
            digest,
            replaced,
            outcome: LoadOutcome::Loaded,
            took_us: took,
        })
    }

    /// The report of a load that has nothing to do: the same file is current.
    fn unchanged(&self, module: &Module, request: &Request) -> Option<Loaded> {
        let current = module.book().current.clone()?;
        if current.digest != request.candidate.digest() {
            return None;
        }
        self.events.push(Event::Unchanged {
            module: module.name.to_string(),
            current: current.id.clone(),
            source: request.source.clone(),
        });
        Some(Loaded {
            module: module.name.to_string(),
            version: current.id.version.clone(),
            generation: current.id.generation,
            digest: current.digest,
            replaced: None,
            outcome: LoadOutcome::Unchanged,
            took_us: Took { total: micros(request.started.elapsed()), ..request.took.clone() },
        })
    }

    /// Stages and maps a candidate, and lets it start. Where that fails, it is taken out again.
    fn start(
        &self,
        module: &Module,
        candidate: Inspected,
        path: &Path,
        id: &VersionId,
        took: &mut Took,
    ) -> Result<Image, Error> {
        let mut clock = Instant::now();
        let staged = candidate.stage(&self.state.stage(), id.generation)?;
        took.stage = Some(took.stage.unwrap_or(0) + lap(&mut clock));
        let log = Box::new(ModuleLog::new(&module.name, id));
        let mapped = staged.map(log).map_err(|failure| {
            if let Some(retained) = failure.retained {
                self.tell_retained(module, id, retained);
            }
            Error::Map { path: path.to_owned(), module: module.name.to_string(), source: failure.error }
        })?;
        took.map = Some(lap(&mut clock));
        let started = mapped.on_load();
        took.on_load = Some(lap(&mut clock));
        // This thread will not enter the image again: what the module's start has left on it is destroyed here.
        if let Ok(image) = &started {
            image.detach_thread();
        }
        started.map_err(|vetoed| {
            let reason = vetoed.fault.to_string();
            self.take_out(module, id, vetoed.mapped);
            Error::OnLoad { module: module.name.to_string(), version: id.version.clone(), reason }
        })
    }

    /// Takes a version out that never was current.
    fn take_out(&self, module: &Module, id: &VersionId, mapped: Mapped) {
        // Where a thread is left after that, `unmap` says so and leaves the image where it is.
        mapped.wait_for_threads(Instant::now() + VETO_PATIENCE);
        mapped.detach_thread();
        if let Err(retained) = mapped.unmap() {
            self.tell_retained(module, id, retained);
        }
    }
}

/// Reads and inspects a file.
pub(crate) fn read(path: &Path, took: &mut Took) -> Result<Inspected, Error> {
    let mut clock = Instant::now();
    let candidate = Candidate::read(path)?;
    took.stage = Some(lap(&mut clock));
    let inspected = candidate.inspect().map_err(|source| Error::Check { path: path.to_owned(), source })?;
    check_name(path, &inspected.metadata().name)?;
    took.read = Some(lap(&mut clock));
    Ok(inspected)
}

/// Refuses a file whose name says that it is another module: `lib<name>.so`, as cargo calls it, where something may follow
/// the name after `-`, `.` or `_`. A file that is not called `lib…` may be any module.
fn check_name(path: &Path, found: &str) -> Result<(), Error> {
    let Some(claimed) =
        path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.strip_prefix("lib"))
    else {
        return Ok(());
    };
    // Cargo writes a package's `-` as `_`.
    let (claims, name) = (claimed.replace('-', "_"), found.replace('-', "_"));
    match claims.strip_prefix(&name).map(|rest| rest.chars().next()) {
        Some(None | Some('_' | '.')) => Ok(()),
        _ => Err(Error::NameMismatch {
            path: path.to_owned(),
            expected: claimed.to_owned(),
            found: found.to_owned(),
        }),
    }
}

/// The time since the clock's last lap, in microseconds.
fn lap(clock: &mut Instant) -> u64 {
    let now = Instant::now();
    micros(now - std::mem::replace(clock, now))
}

impl Inner {
    /// Waits, as the policy says, until there is no old version; and gives way to a newer drop-in, and to the runtime's end.
    fn wait_for_room(&self, module: &Module, request: &Request) -> Result<(), Error> {
        let is_overtaken = || request.drop_in.is_some_and(|number| *module.newest_drop_in.lock() > number);
        let gives_way = || self.is_closing() || is_overtaken();
        let gave_way = || match self.is_closing() {
            true => Error::ShuttingDown,
            false => {
                Error::Superseded { path: PathBuf::from(&request.source), module: module.name.to_string() }
            }
        };
        if gives_way() {
            return Err(gave_way());
        }
        match request.policy {
            Policy::Refuse => {
                let book = module.book();
                module.not_purged(&book).map_or(Ok(()), Err)
            }
            Policy::Wait => {
                let room = module.wait_for(request.deadline, |book| book.old.is_none() || gives_way());
                match room {
                    None => Err(Error::Deadline {
                        what: format!("the old version of {} to be gone", module.name),
                        after: request.after,
                    }),
                    Some(book) if book.old.is_some() || self.is_closing() => Err(gave_way()),
                    Some(_) => Ok(()),
                }
            }
        }
    }

    /// Makes a version current. Only a bug can make it fail: the turn is ours, and there is no old version.
    fn publish(
        &self,
        module: &Module,
        version: Version,
        started: Instant,
        took: &mut Took,
    ) -> Result<Option<VersionId>, Error> {
        let about = version.about.clone();
        let mut book = module.book();
        let seat = module
            .cell
            .reserve(Arc::new(version))
            .map_err(|refused| Error::Internal { what: format!("{}: {refused}", module.name) })?;
        let mut clock = Instant::now();
        drop(seat.publish());
        took.publish = Some(lap(&mut clock));
        took.total = micros(started.elapsed());
        let replaced = book.current.replace(about.clone());
        let id = replaced.as_ref().map(|about| about.id.clone());
        book.old = replaced.map(|about| Old { about, since: Instant::now(), phase: Phase::Draining });
        book.is_known = true;
        // With the book locked, so that a rollback of it cannot be told before.
        self.events.push(Event::Loaded {
            module: module.name.to_string(),
            current: about.id.clone(),
            replaced: id.clone(),
            source: about.source.clone(),
            took_us: took.total,
        });
        drop(book);
        module.tell_change();
        Ok(id)
    }

    /// A version that never was current, or no more is, and that stays in memory.
    pub(crate) fn tell_retained(&self, module: &Module, id: &VersionId, retained: Retained) {
        let pins = crate::retire::retained_pins(&retained);
        tracing::error!(
            module = %module.name, version = id.version, generation = id.generation,
            reasons = ?retained.reasons, "the image stays in memory"
        );
        self.events.push(Event::Retained { module: module.name.to_string(), old: id.clone(), pins });
    }
}

/// Whether a file could not be read because somebody writes to it.
pub(crate) fn is_being_written(error: &Error) -> bool {
    matches!(error, Error::Stage(StageError::Changed { .. }))
}
