//! The load of a version: stage, read, map, check, `on_load`, publish.

use std::{
    path::PathBuf,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64},
    },
    time::{Duration, Instant},
};

use jiff::Timestamp;
use segue_loader::Inspected;

use crate::{
    Error, ErrorObject, Event, LoadOptions, LoadOutcome, Loaded, Policy, Source, Step, Took, VersionId,
    book::{Old, Phase},
    intake,
    journey::{lap, micros},
    module::Module,
    runtime::Inner,
    version::{About, Version},
};

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
        let (step, hint) = (error.step(), error.hint());
        tracing::warn!(source, code = %error.code(), step = step.map(tracing::field::display), hint, "refused: {error}");
        self.events.push(Event::Refused { source, error: ErrorObject::from(error) });
    }

    fn try_load(self: &Arc<Self>, source: &Source, options: &LoadOptions) -> Result<Loaded, Error> {
        let started = Instant::now();
        let path = match source {
            Source::File(path) => path.clone(),
            Source::Stored(digest) => self.state.image(digest),
        };
        let mut took = Took::default();
        let candidate = intake::read(&path, &mut took)?;
        if let Source::Stored(digest) = source
            && candidate.digest() != *digest
        {
            return Err(Error::StoreDamaged { path, digest: *digest });
        }
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
        // Before the turn: it may be held by one that waits for the old version, and this one is not to wait.
        if let Some(unchanged) = self.unchanged(module, &request) {
            return Ok(unchanged);
        }
        if request.policy == Policy::Refuse
            && let Some(refusal) = module.not_purged(&module.book())
        {
            return Err(refusal);
        }
        let _turn = match request.deadline {
            Some(deadline) => module.turn.try_lock_until(deadline).ok_or_else(|| Error::Deadline {
                module: Some(module.name.to_string()),
                what: format!("another load of {}", module.name),
                after: request.after,
            })?,
            None => module.turn.lock(),
        };
        self.wait_for_room(module, &request)?;
        // While it waited, another load or a rollback may have made the same file current.
        if let Some(unchanged) = self.unchanged(module, &request) {
            return Ok(unchanged);
        }

        let Request { candidate, source, started, mut took, .. } = request;
        let generation = self.new_generation();
        let id = VersionId { version: candidate.metadata().version.clone(), generation };
        let digest = candidate.digest();
        let loaded_at = Timestamp::now();
        module
            .callers
            .check_file(candidate.metadata())
            .map_err(|mismatch| module.does_not_fit(&id.version, Some(Step::Read), mismatch))?;
        let about = Arc::new(About {
            module: module.name.clone(),
            id,
            digest,
            source,
            loaded_at,
            usage: OnceLock::new(),
            is_cancelled: AtomicBool::new(false),
            owned_guards: AtomicU64::new(0),
        });
        let admitted = module.callers.admitted();
        let image = self.start(module, &candidate, &about, &mut took)?;
        if let Err(error) = self.state.keep(&digest, candidate.bytes()) {
            tracing::warn!(module = %module.name, %error, "the version could not be kept in the store");
        }
        let version = Version { image, about: about.clone() };
        let replaced = self.publish(module, version, admitted, started, &mut took)?;
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
        let book = match request.policy {
            Policy::Refuse => {
                let book = module.book();
                module.not_purged(&book).map_or(Ok(()), Err)?;
                book
            }
            Policy::Wait => {
                let room = module.wait_for(request.deadline, |book| book.old.is_none() || gives_way());
                let book = room.ok_or_else(|| Error::Deadline {
                    module: Some(module.name.to_string()),
                    what: format!("the old version of {} to leave memory", module.name),
                    after: request.after,
                })?;
                if book.old.is_some() || self.is_closing() {
                    return Err(gave_way());
                }
                book
            }
        };
        // These may never leave, so nobody waits for them.
        let (quarantined, limit) = (book.quarantined.len(), self.limits.quarantine_max);
        if quarantined >= limit {
            return Err(Error::QuarantineFull { module: module.name.to_string(), quarantined, limit });
        }
        Ok(())
    }

    /// Makes a version current, which fits as many callers as had been admitted then. Unless one has come since whom it does
    /// not fit, only a bug can make it fail: the turn is ours, and there is no old version.
    fn publish(
        self: &Arc<Self>,
        module: &Arc<Module>,
        version: Version,
        admitted: u64,
        started: Instant,
        took: &mut Took,
    ) -> Result<Option<VersionId>, Error> {
        let about = version.about.clone();
        let mut book = module.book();
        if module.callers.admitted() > admitted
            && let Err(mismatch) = module.callers.check(|expected| version.image.check_interface(expected))
        {
            drop(book);
            // Its start went well; so does its end, whose panic is in the log.
            let (mapped, _) = version.image.unload();
            self.take_out(module, &about, mapped);
            return Err(module.does_not_fit(&about.id.version, Some(Step::Publish), mismatch));
        }
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
        self.hail_in(module);
        module.tell_change();
        Ok(id)
    }
}
