//! The demo of `segue demo`: a service whose module is replaced under load, and the losses and latencies that
//! its clients see.
//!
//! [`run`] serves an embedded module on a free port, and sends requests at full speed: first without
//! releases, then during releases. It uses the real runtime, application server, watched directory and
//! control socket, in a temporary directory that it removes at the end. One thing differs from production:
//! clients and server share one process and its processors.
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
pub use report::{Comparison, Report, Requests, Spread};

/// Lets connections open and caches fill before the measurement.
const WARM_UP: Duration = Duration::from_millis(300);
/// How long requests are measured while nothing is released.
const QUIET: Duration = Duration::from_secs(4);
/// How long new releases start. The last one may take one slow request longer.
const RELEASING: Duration = Duration::from_secs(8);
/// The duration of each slow request. Each old version waits for one of them.
const SLOW: Duration = Duration::from_millis(1000);
/// The pause between two releases, in which each version answers some requests.
const RELEASE_PAUSE: Duration = Duration::from_millis(100);
/// How long the unload of the last old version may take after the clients have stopped.
const LAST_PURGE_DEADLINE: Duration = Duration::from_secs(3);

/// Runs the demo: about 15 seconds, 20 at most. It starts an async runtime of its own, so do not call it
/// inside one.
///
/// A lost request or an old version that is not unloaded is not an error: see [`Report::is_success`].
///
/// # Errors
///
/// If the demo cannot run to its end. It removes the temporary directory in this case too.
pub fn run(observer: &dyn Observer) -> Result<Report, Error> {
    let server = DemoServer::start()?;
    observer.step(&Step::Serving {
        module: server::MODULE.to_owned(),
        version: server.current()?.version,
        address: server.address,
        control: server.control.path().to_owned(),
    });
    let report = measure(&server, observer);
    // An error of the measurement comes first, because it may have caused the one of the stop.
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
    // No caller is left, so nothing holds the old version.
    server.purge(LAST_PURGE_DEADLINE)?;
    Ok(Report::new(&outcome, figures, &server.runtime))
}

/// Releases versions until the time is over.
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
