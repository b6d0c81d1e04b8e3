//! What `segue demo` shows: a service whose module is replaced under load, and what its clients notice.
//!
//! [`run`] serves an embedded module on a free port, and sends requests at full speed: first while nothing is
//! released, then while one version after the other is. All parts are the real ones: the runtime, the
//! application server, the watched directory and the control socket, in a temporary directory that is removed
//! at the end. One thing differs from production: clients and server share a process and its processors.
//!
//! * [`client`]: the load client, which checks every answer. The tests use it too.
//! * [`Observer`]: receives each [`Step`] while the demo runs.
//! * [`Report`]: the figures at the end.
//!
//! This crate prints nothing.

#![forbid(unsafe_code)]

pub mod client;
pub mod embedded;
mod error;
mod observer;
mod releases;
mod report;
mod server;

use std::{
    thread,
    time::{Duration, Instant},
};

use client::{Clients, Period, Plan};
use observer::with_snapshots;
use releases::Releases;
use report::ReleaseFigures;
use server::DemoServer;

pub use error::Error;
pub use observer::{Method, Observer, Release, Snapshot, Step};
pub use report::{Compared, Report, Requests, Spread};

/// Lets connections open and caches fill before the measurement.
const WARM_UP: Duration = Duration::from_millis(300);
/// How long requests are measured while nothing is released.
const QUIET: Duration = Duration::from_secs(4);
/// How long a further release may start. The last one may end one slow request later.
const RELEASING: Duration = Duration::from_secs(8);
/// How long each slow request takes. Each old version waits for one of them.
const SLOW: Duration = Duration::from_millis(1000);
/// The pause between two releases, so that each version answers some requests.
const RELEASE_PAUSE: Duration = Duration::from_millis(100);
/// How long the last old version has to be unloaded, after the clients have stopped.
const LAST_PURGE: Duration = Duration::from_secs(3);

/// Runs the demo: about 15 seconds, 20 at most. It starts an async runtime of its own, so do not call it
/// inside one.
///
/// A lost request, or an old version that stays, is not an error: see [`Report::is_success`].
///
/// # Errors
///
/// If the demo cannot run to its end. The temporary directory is removed then too.
pub fn run(observer: &dyn Observer) -> Result<Report, Error> {
    let server = DemoServer::start()?;
    observer.step(&Step::Serving {
        module: server::MODULE.to_owned(),
        version: server.current()?.version,
        address: server.address,
        control: server.control.path().to_owned(),
    });
    let report = measure(&server, observer);
    // The first error is the cause.
    let stopped = server.stop();
    let report = report?;
    stopped?;
    Ok(report)
}

/// Starts the clients, releases versions, and counts.
fn measure(server: &DemoServer, observer: &dyn Observer) -> Result<Report, Error> {
    let plan = Plan { slow: Some(SLOW), ..Plan::new(server.address) };
    let (keep_alive, fresh) = (plan.keep_alive, plan.fresh);
    observer.step(&Step::Clients { keep_alive, fresh, slow: SLOW });
    let clients = Clients::start(plan).map_err(|source| Error::Clients { source })?;
    let figures = with_snapshots(observer, server, &clients, || {
        server.pause(WARM_UP)?;
        clients.begin(Period::Quiet);
        observer.step(&Step::Quiet(QUIET));
        server.pause(QUIET)?;
        clients.begin(Period::Releases);
        observer.step(&Step::Releasing(RELEASING));
        release(server, &clients, observer)
    });
    let outcome = clients.stop();
    let figures = figures?;
    // No caller is left, so nothing keeps the old version.
    server.purge(LAST_PURGE)?;
    Ok(Report::new(&outcome, figures, &server.runtime))
}

/// Releases one version after the other, until the time is over.
fn release(server: &DemoServer, clients: &Clients, observer: &dyn Observer) -> Result<ReleaseFigures, Error> {
    let mut releases = Releases::new(server, clients, SLOW)?;
    let started = Instant::now();
    while started.elapsed() < RELEASING {
        for release in releases.next()? {
            observer.step(&Step::Released(release));
        }
        thread::sleep(RELEASE_PAUSE);
    }
    Ok(releases.into_figures())
}
