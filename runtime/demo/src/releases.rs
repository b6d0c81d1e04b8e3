//! Releases the two versions in turn, in each of the ways that segue offers.

use std::{
    fs,
    time::{Duration, Instant},
};

use segue::{Event, NextEvent, Policy, VersionId};
use segue_control::api::{ImageRef, LoadRequest};

use crate::{
    client::Clients,
    embedded::{self, EmbeddedModule},
    error::Error,
    observer::{Method, Release},
    report::{ReleaseFigures, Spread},
    server::{self, DemoServer, MODULE},
};

/// How long a file in the modules directory may take to become current. It may have to wait for its
/// predecessor.
const DROP_IN_DEADLINE: Duration = Duration::from_secs(6);
/// How long a load over the socket may take, in milliseconds. It may have to wait too.
const LOAD_DEADLINE_MS: u64 = 6_000;
/// How long to wait for a slow request inside the current version. Without one, the old version may be
/// unloaded before the rollback.
const SLOW_REQUEST_DEADLINE: Duration = Duration::from_secs(3);
/// How much time a slow request must have left when a version is loaded that will be rolled back.
const SLOW_REMAINING_MIN: Duration = Duration::from_millis(400);
/// How long after it was sent a slow request is certainly inside the module.
const SLOW_ENTRY_TIME: Duration = Duration::from_millis(50);

/// Releases one version after the other.
pub(crate) struct Releases<'a> {
    server: &'a DemoServer,
    clients: &'a Clients,
    slow: Duration,
    current: VersionId,
    round: usize,
    publish_us: Vec<u64>,
    figures: ReleaseFigures,
}

// === impl Releases ===

impl<'a> Releases<'a> {
    pub(crate) fn new(server: &'a DemoServer, clients: &'a Clients, slow: Duration) -> Result<Self, Error> {
        let current = server.current()?;
        let (publish_us, figures) = (Vec::new(), ReleaseFigures::default());
        Ok(Releases { server, clients, slow, current, round: 0, publish_us, figures })
    }

    /// Does the next release, or two: a load and its rollback.
    pub(crate) fn next(&mut self) -> Result<Vec<Release>, Error> {
        self.server.check_interrupt()?;
        let round = self.round;
        self.round += 1;
        Ok(match round % 4 {
            0 => vec![self.drop_in(Method::Rename)?],
            1 => vec![self.load(Method::LoadPath)?],
            2 => {
                self.wait_for_slow_request()?;
                vec![self.load(Method::Upload)?, self.roll_back()?]
            }
            _ => vec![self.drop_in(Method::Overwrite)?],
        })
    }

    /// The figures for the report.
    pub(crate) fn into_figures(self) -> ReleaseFigures {
        ReleaseFigures { publish_us: Spread::of(self.publish_us), ..self.figures }
    }

    /// Puts the other version into the modules directory, and waits until it is current.
    fn drop_in(&mut self, method: Method) -> Result<Release, Error> {
        let module = self.other();
        let mut events = self.server.runtime.events().from_now();
        let path = self.server.modules_dir().join(module.file_name);
        if method == Method::Rename {
            // The watcher ignores hidden files, so it never reads an incomplete one.
            let hidden = path.with_file_name(format!(".{}", module.file_name));
            server::write(&hidden, module.bytes)?;
            fs::rename(&hidden, &path).map_err(|source| Error::Io { action: "rename", path, source })?;
        } else {
            server::write(&path, module.bytes)?;
        }
        self.figures.dropped_in += 1;
        let deadline = Instant::now() + DROP_IN_DEADLINE;
        loop {
            self.server.check_interrupt()?;
            if Instant::now() >= deadline {
                let after_s = DROP_IN_DEADLINE.as_secs();
                return Err(Error::TimedOut { what: "a dropped-in file to be loaded", after_s });
            }
            let NextEvent::Event(record) = events.next(Duration::from_millis(100)) else { continue };
            match record.event {
                Event::Loaded { current, .. } => return Ok(self.released(method, current, None)),
                Event::Refused { error, .. } => return Err(Error::Refused { error: Box::new(error) }),
                _ => {}
            }
        }
    }

    /// Loads the other version over the control socket.
    fn load(&mut self, method: Method) -> Result<Release, Error> {
        let module = self.other();
        let image = if method == Method::Upload {
            ImageRef::Digest(self.server.command(self.server.control.put_image(module.bytes))?)
        } else {
            ImageRef::Path(self.server.file(module))
        };
        // `Wait`, because a slow request may still be inside the old version.
        let request = LoadRequest {
            policy: Some(Policy::Wait),
            deadline_ms: Some(LOAD_DEADLINE_MS),
            ..LoadRequest::new(image)
        };
        let answer = self.server.command(self.server.control.load(&request))?;
        let loaded = answer.loaded.into_iter().next().ok_or(Error::NothingLoaded)?;
        self.figures.loaded += 1;
        let current = VersionId { version: loaded.version, generation: loaded.generation };
        Ok(self.released(method, current, loaded.took_us.publish))
    }

    /// Rolls back to the old version.
    fn roll_back(&mut self) -> Result<Release, Error> {
        if let Some(old) = self.server.runtime.status(MODULE)?.old {
            self.clients.reinstate(old.generation);
        }
        let rolled_back = self.server.command(self.server.control.rollback(MODULE))?;
        self.figures.rolled_back += 1;
        Ok(self.released(Method::Rollback, rolled_back.current, Some(rolled_back.took_us)))
    }

    /// Records an acknowledged release.
    fn released(&mut self, method: Method, to: VersionId, publish_us: Option<u64>) -> Release {
        let from = std::mem::replace(&mut self.current, to.clone());
        self.clients.retire(from.generation);
        self.publish_us.extend(publish_us);
        Release { method, from, to, publish_us }
    }

    /// Waits until there is no old version, and a slow request is inside the current one and will stay there
    /// for a while.
    fn wait_for_slow_request(&self) -> Result<(), Error> {
        self.server.purge(DROP_IN_DEADLINE)?;
        let deadline = Instant::now() + SLOW_REQUEST_DEADLINE;
        let well_inside = SLOW_ENTRY_TIME..self.slow.saturating_sub(SLOW_REMAINING_MIN);
        while Instant::now() < deadline {
            self.server.check_interrupt()?;
            let elapsed = self.clients.progress().slow_since.map(|since| since.elapsed());
            if elapsed.is_some_and(|elapsed| well_inside.contains(&elapsed)) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err(Error::TimedOut { what: "a slow request", after_s: SLOW_REQUEST_DEADLINE.as_secs() })
    }

    /// The version that is not current.
    fn other(&self) -> &'static EmbeddedModule {
        let mut versions = embedded::greeter().iter();
        versions
            .find(|module| module.version != self.current.version)
            .expect("two versions are embedded, and they differ")
    }
}
