//! `segue demo`: the main job on one machine, with nothing to prepare.
//!
//! It serves the module that the command brings along on a port of its own, keeps clients at full speed on it, first in
//! peace and then while one version after the other is released, and tells what the clients noticed. Everything is the
//! real thing: the runtime, the application server, the watched directory and the control socket, in a temporary
//! directory that is gone afterwards. Only that clients and server share a process, and its processors, is unlike life.
//!
//! * [`client`]: the load client, which checks every answer. Tests use it as well.
//! * `house`: what is served, and from where.
//! * `releases`: the ways in which a new version comes.
//! * [`Report`]: what is told in the end.

pub mod client;
mod error;
mod house;
mod progress;
mod releases;
mod report;

use std::{
    thread,
    time::{Duration, Instant},
};

use client::{Load, Phase, Plan};
use house::House;
use progress::Progress;
use releases::Releases;
use report::Releasing;

use crate::Format;

pub use error::Error;
pub use report::{Compared, Report, Requests, Spread};

/// Lets connections open and caches fill before anything is measured.
const WARM_UP: Duration = Duration::from_millis(300);
/// How long only requests happen.
const QUIET: Duration = Duration::from_secs(4);
/// For how long a further release is begun. The last one may end a slow request later.
const RELEASING: Duration = Duration::from_secs(8);
/// How long the slow requests take. Each old version waits for one of them.
const SLOW: Duration = Duration::from_millis(1000);
/// How long the last old version has to leave, once nobody asks any more.
const LAST_PURGE: Duration = Duration::from_secs(3);

/// How the demo is run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// For whom. To a person it tells on standard error how it goes on.
    pub format: Format,
}

/// Runs the demo: some 15 seconds, 20 at most. It has a reactor of its own and must not be called from inside another.
///
/// What the clients noticed is in the report, also where it is not what was hoped for: see [`Report::exit_code`].
///
/// # Errors
///
/// Where the demo itself could not be carried out. Nothing of it is left behind then, either.
pub fn run(options: &Options) -> Result<Report, Error> {
    let progress = Progress::new(options.format);
    let house = House::open()?;
    progress.say(&format!(
        "serving greeter {} on http://{}/greeter/you, control socket {}",
        house.current()?.version,
        house.address,
        house.control.path().display()
    ));
    let report = show(&house, &progress);
    progress.clear();
    // What went wrong first says more.
    let closed = house.close();
    let report = report?;
    closed?;
    Ok(report)
}

/// Sets the clients to work, releases, and counts.
fn show(house: &House, progress: &Progress) -> Result<Report, Error> {
    let plan = Plan { slow: Some(SLOW), ..Plan::new(house.address) };
    progress.say(&format!(
        "{} clients keep their connection, {} connect anew each time, one asks for answers that take {} s",
        plan.keep_alive,
        plan.fresh,
        SLOW.as_secs_f64()
    ));
    let load = Load::start(plan).map_err(|source| Error::Load { source })?;
    let releasing = progress.during(house, &load, || {
        house.pause(WARM_UP)?;
        load.begin(Phase::Quiet);
        progress.say(&format!("{} s without a release", QUIET.as_secs()));
        house.pause(QUIET)?;
        load.begin(Phase::During);
        progress.say(&format!("{} s of releases", RELEASING.as_secs()));
        release(house, &load, progress)
    });
    let outcome = load.stop();
    let releasing = releasing?;
    // Nobody is inside, so old has no reason to stay.
    house.purge(LAST_PURGE)?;
    Ok(Report::new(&outcome, releasing, &house.runtime))
}

/// One release after the other, until the time is over.
fn release(house: &House, load: &Load, progress: &Progress) -> Result<Releasing, Error> {
    let mut releases = Releases::new(house, load, SLOW)?;
    let begun = Instant::now();
    while begun.elapsed() < RELEASING {
        for release in releases.next()? {
            progress.say(&release.to_string());
        }
        // Lets some requests see the new version before the next one comes.
        thread::sleep(Duration::from_millis(100));
    }
    Ok(releases.into_figures())
}
