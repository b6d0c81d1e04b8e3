//! The ways in which a new version comes, one after the other.

use std::{
    fmt, fs,
    time::{Duration, Instant},
};

use segue::{Event, NextEvent, Policy, VersionId};
use segue_control::api::{ImageRef, LoadRequest};

use super::{
    Error, Spread,
    client::Load,
    house::{self, House, MODULE},
    report::Releasing,
};
use crate::{
    embedded::{self, EmbeddedModule},
    text::micros,
};

/// How long a version may take to be current after its file was put there, the wait for its predecessor included.
const DROP_IN: Duration = Duration::from_secs(6);
/// How long a load over the socket may take, likewise.
const LOAD_DEADLINE_MS: u64 = 6_000;
/// How long is waited for a slow request to be well inside. Without one, there may be nothing to go back to.
const SLOW_INSIDE: Duration = Duration::from_secs(3);
/// How much of a slow request must be left, when a version is loaded that is to be rolled back.
const SLOW_LEFT: Duration = Duration::from_millis(400);
/// From the moment when a slow request was sent to when it is inside for sure.
const SLOW_SENT: Duration = Duration::from_millis(50);

/// Releases one version after the other.
pub(super) struct Releases<'a> {
    house: &'a House,
    load: &'a Load,
    slow: Duration,
    current: VersionId,
    count: usize,
    publish_us: Vec<u64>,
    figures: Releasing,
}

/// How a version came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// The file in the modules directory was replaced by renaming another.
    Renamed,
    /// The file in the modules directory was written over, where it is.
    Overwritten,
    /// The control socket was given a path.
    Path,
    /// The control socket was given the bytes.
    Upload,
    /// The control socket was asked to go back.
    Rollback,
}

/// One release.
pub(super) struct Release {
    way: Way,
    from: VersionId,
    to: VersionId,
    publish_us: Option<u64>,
}

// === impl Releases ===

impl<'a> Releases<'a> {
    pub(super) fn new(house: &'a House, load: &'a Load, slow: Duration) -> Result<Self, Error> {
        let current = house.current()?;
        let (publish_us, figures) = (Vec::new(), Releasing::default());
        Ok(Releases { house, load, slow, current, count: 0, publish_us, figures })
    }

    /// The next release, or two: one that is rolled back.
    pub(super) fn next(&mut self) -> Result<Vec<Release>, Error> {
        self.house.go_on()?;
        let turn = self.count;
        self.count += 1;
        Ok(match turn % 4 {
            0 => vec![self.drop_in(Way::Renamed)?],
            1 => vec![self.load(Way::Path)?],
            2 => {
                self.wait_for_slow()?;
                vec![self.load(Way::Upload)?, self.roll_back()?]
            }
            _ => vec![self.drop_in(Way::Overwritten)?],
        })
    }

    /// What is to be told of them.
    pub(super) fn into_figures(self) -> Releasing {
        Releasing { publish_us: Spread::of(self.publish_us), ..self.figures }
    }

    /// Puts the other version into the modules directory, and waits until it is current.
    fn drop_in(&mut self, way: Way) -> Result<Release, Error> {
        let module = self.other();
        let mut events = self.house.runtime.events().from_now();
        let path = self.house.modules_dir().join(module.file_name);
        if way == Way::Renamed {
            // Hidden until it is whole.
            let hidden = path.with_file_name(format!(".{}", module.file_name));
            house::write(&hidden, module.bytes)?;
            fs::rename(&hidden, &path).map_err(|source| Error::Io { action: "renaming", path, source })?;
        } else {
            house::write(&path, module.bytes)?;
        }
        self.figures.dropped_in += 1;
        let deadline = Instant::now() + DROP_IN;
        loop {
            self.house.go_on()?;
            if Instant::now() >= deadline {
                return Err(Error::Waited { what: "the load of a file", after_s: DROP_IN.as_secs() });
            }
            let NextEvent::Event(record) = events.next(Duration::from_millis(100)) else { continue };
            match record.event {
                Event::Loaded { current, .. } => return Ok(self.released(way, current, None)),
                Event::Refused { error, .. } => return Err(Error::Refused { error: Box::new(error) }),
                _ => {}
            }
        }
    }

    /// Asks the control socket for the other version.
    fn load(&mut self, way: Way) -> Result<Release, Error> {
        let module = self.other();
        let image = if way == Way::Upload {
            ImageRef::Digest(self.house.command(self.house.control.put_image(module.bytes))?)
        } else {
            ImageRef::Path(self.house.file(module))
        };
        // It waits for the version before the last: a slow request may still be inside.
        let request = LoadRequest {
            policy: Some(Policy::Wait),
            deadline_ms: Some(LOAD_DEADLINE_MS),
            ..LoadRequest::new(image)
        };
        let answer = self.house.command(self.house.control.load(&request))?;
        let loaded = answer.loaded.into_iter().next().ok_or(Error::NothingLoaded)?;
        self.figures.loaded += 1;
        let current = VersionId { version: loaded.version, generation: loaded.generation };
        Ok(self.released(way, current, loaded.took_us.publish))
    }

    /// Goes back to the version that was replaced last.
    fn roll_back(&mut self) -> Result<Release, Error> {
        let before = self.house.runtime.status(MODULE)?.old;
        if let Some(old) = before {
            self.load.reinstate(old.generation);
        }
        let rolled_back = self.house.command(self.house.control.rollback(MODULE))?;
        self.figures.rolled_back += 1;
        Ok(self.released(Way::Rollback, rolled_back.current, Some(rolled_back.took_us)))
    }

    /// A release was acknowledged.
    fn released(&mut self, way: Way, to: VersionId, publish_us: Option<u64>) -> Release {
        let from = std::mem::replace(&mut self.current, to.clone());
        self.load.retire(from.generation);
        self.publish_us.extend(publish_us);
        Release { way, from, to, publish_us }
    }

    /// Waits until nothing is old, and a slow request has been inside current for a moment and will be for another.
    fn wait_for_slow(&self) -> Result<(), Error> {
        self.house.purge(DROP_IN)?;
        let deadline = Instant::now() + SLOW_INSIDE;
        let good = SLOW_SENT..self.slow.saturating_sub(SLOW_LEFT);
        while Instant::now() < deadline {
            self.house.go_on()?;
            let inside = self.load.progress().slow_since.map(|since| since.elapsed());
            if inside.is_some_and(|inside| good.contains(&inside)) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err(Error::Waited { what: "a slow request", after_s: SLOW_INSIDE.as_secs() })
    }

    /// The version that is not current.
    fn other(&self) -> &'static EmbeddedModule {
        let mut versions = embedded::greeter().iter();
        versions
            .find(|module| module.version != self.current.version)
            .expect("the command brings two versions along, and they differ")
    }
}

// === impl Release ===

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = match self.way {
            Way::Renamed => "dropped in by a rename",
            Way::Overwritten => "written over in place",
            Way::Path => "loaded from a path by the socket",
            Way::Upload => "sent over the socket",
            Way::Rollback => "rolled back by the socket",
        };
        write!(f, "{} → {}  {way}", self.from, self.to)?;
        match self.publish_us {
            Some(us) => write!(f, ", published in {}", micros(us)),
            None => Ok(()),
        }
    }
}
