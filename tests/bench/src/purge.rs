//! `segue-bench purge`: how long a purge takes, and whether that depends on the number of possible callers.
//!
//! | figure | meaning |
//! | --- | --- |
//! | `purge.time` | from the end of the last call until the version is unmapped, while no task uses the module |
//! | `purge.time.1000`, `purge.time.100000` | the same with that many tasks; each keeps a handle through which it has called |
//! | `purge.dlopen` | only dlopen, dlsym and dlclose of the same file |
//! | `purge.cycle` | map, publish and purge together; its reference is `purge.dlopen` |

use std::{sync::Arc, thread, time::Duration};

use segue::{Event, Request, Runtime};
use tempfile::TempDir;
use tokio::sync::Notify;

use crate::{Error, Figure, Progress, files::versions_of, median::median};

/// The module. `build.rs` lists it.
const MODULE: &str = "silent";

/// The symbol that the bare cycle looks up: the root module's.
const SYMBOL: &str = "_1as_0lib_1header_0root_bmodule_bloader";

/// The numbers of tasks, with the names of their figures.
const TASKS: [(usize, &str); 3] =
    [(0, "purge.time"), (1_000, "purge.time.1000"), (100_000, "purge.time.100000")];

/// The progress steps of a round.
pub(crate) const PARTS: u64 = TASKS.len() as u64;

const DEADLINE: Duration = Duration::from_secs(60);

/// Measured times in microseconds.
#[derive(Default)]
struct Times {
    purge: Vec<f64>,
    cycle: Vec<f64>,
    dlopen: Vec<f64>,
}

pub(crate) fn run(rounds: u32, progress: &Progress) -> Result<Vec<Figure>, Error> {
    let tasks = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .map_err(|source| Error::Spawn { source })?;
    let state = TempDir::new().map_err(|source| Error::TempDir { source })?;
    let runtime = Runtime::builder().state_dir(state.path()).build()?;
    runtime.load(&versions_of(MODULE)[0])?;
    let end = Arc::new(Notify::new());
    let mut figures = Vec::new();
    let mut started = 0;
    let mut first = 0.0;
    for (many, figure) in TASKS {
        progress.begin(figure);
        let called: Vec<_> = (started..many)
            .map(|_| {
                let (module, end) = (runtime.module(MODULE)?, end.clone());
                let (call, has_called) = tokio::sync::oneshot::channel();
                tasks.spawn(async move {
                    let is_ok = module.call(&Request::get("/")).is_ok();
                    // It fails only if the benchmark has given up.
                    let _ = call.send(is_ok);
                    end.notified().await;
                    drop(module);
                });
                Ok(has_called)
            })
            .collect::<Result<_, Error>>()?;
        for has_called in called {
            if !has_called.blocking_recv().unwrap_or(false) {
                return Err(Error::Call);
            }
        }
        started = many;
        let times = measure(&runtime, rounds, progress)?;
        let purge = median(times.purge);
        if many == 0 {
            first = purge;
            let dlopen = median(times.dlopen);
            figures.push(Figure::alone("purge.dlopen", dlopen, "us", 1));
            let cycle = Figure::alone("purge.cycle", median(times.cycle), "us", 1);
            figures.push(cycle.against("purge.dlopen", dlopen));
            figures.push(Figure::alone(figure, purge, "us", 1));
        } else {
            figures.push(Figure::alone(figure, purge, "us", 1).against("purge.time", first));
        }
    }
    end.notify_waiters();
    runtime.shutdown(DEADLINE)?;
    tasks.shutdown_timeout(DEADLINE);
    Ok(figures)
}

fn measure(runtime: &Runtime, rounds: u32, progress: &Progress) -> Result<Times, Error> {
    let files = versions_of(MODULE);
    let module = runtime.module(MODULE)?;
    let mut times = Times::default();
    for _ in 0..rounds {
        for file in [&files[1], &files[0]] {
            module.call(&Request::get("/")).map_err(|_| Error::Call)?;
            let mut events = runtime.events().from_now();
            let loaded = runtime.load(file)?;
            let purge_us = loop {
                match events.next(DEADLINE) {
                    segue::NextEvent::Event(record) => {
                        if let Event::Purged { purge_us, .. } = record.event {
                            break purge_us;
                        }
                    }
                    _ => return Err(Error::Call),
                }
            };
            let took = &loaded.took_us;
            let loading = took.map.unwrap_or(0) + took.publish.unwrap_or(0);
            times.purge.push(purge_us as f64);
            times.cycle.push((loading + purge_us) as f64);
            // Let the purging thread end first.
            thread::sleep(Duration::from_millis(1));
            let bare = segue_loader::bare_cycle(file, SYMBOL).map_err(|source| Error::Open { source })?;
            times.dlopen.push(bare.as_secs_f64() * 1e6);
        }
        progress.step();
    }
    Ok(times)
}
