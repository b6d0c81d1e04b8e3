//! A long-lived thread that calls modules, registered with the runtime. When a version is unloaded, the
//! thread destroys the thread-locals that the version left on it. Run it with
//!
//! ```text
//! cargo run --example registered_thread
//! ```

#![forbid(unsafe_code)]

mod modules;

use std::{error::Error, fs, thread, time::Duration};

use crossbeam_channel::{Receiver, Sender, bounded, select_biased, unbounded};
use segue::{Event, Request, Runtime};

/// The longest wait for anything in this program.
const DEADLINE: Duration = Duration::from_secs(10);

/// A job of the worker: a query for the module, and the channel for its reply.
type Job = (String, Sender<Result<segue::Reply, segue::CallError>>);

fn main() -> Result<(), Box<dyn Error>> {
    // This module keeps a thread-local value. Its destructor appends a line to the file that the request
    // names.
    let first = modules::build("tls-owner", "1.0.0", &[])?;
    let second = modules::build("tls-owner", "1.1.0", &[])?;
    let state = tempfile::tempdir()?;
    let log = state.path().join("destroyed.log");
    let runtime = Runtime::builder().state_dir(state.path().join("state")).build()?;
    runtime.load(&first)?;

    let (jobs, queue) = unbounded();
    let worker = thread::spawn({
        let runtime = runtime.clone();
        move || work(&runtime, &queue)
    });

    // The worker calls the first version, which leaves a value on the worker's thread. Then it waits for
    // jobs.
    let (reply, replied) = bounded(1);
    jobs.send((format!("file={}", log.display()), reply))?;
    replied.recv_timeout(DEADLINE)??;

    // The first version is unused now. Before it is unmapped, the worker must destroy the value.
    runtime.load(&second)?;
    runtime.purge("tls-owner", DEADLINE)?;
    assert!(runtime.status("tls-owner")?.old.is_none(), "the first version is unloaded");
    print!("destroyed on the worker: {}", fs::read_to_string(&log)?);
    for record in runtime.history(Some("tls-owner"), 10)? {
        if let Event::Purged { old, destructors_dropped, purge_us, .. } = record.event {
            println!("unloaded {old} in {purge_us} µs, {destructors_dropped} destructors did not run");
            assert_eq!(destructors_dropped, 0);
        }
    }

    drop(jobs);
    worker.join().map_err(|_| "the worker panicked")??;
    runtime.shutdown(DEADLINE)?;
    Ok(())
}

/// Runs jobs until the queue is closed, and in between the cleanup tasks that purges send.
fn work(runtime: &Runtime, queue: &Receiver<Job>) -> Result<(), segue::Error> {
    let module = runtime.module("tls-owner")?;
    let registered_thread = runtime.register_thread();
    loop {
        select_biased! {
            recv(registered_thread.inbox()) -> task => if let Ok(task) = task { task.run() },
            recv(queue) -> job => match job {
                // The main thread may have given up waiting for the reply.
                Ok((query, reply)) => drop(reply.send(module.call(&Request { query: &query, ..Request::get("/") }))),
                Err(_) => return Ok(()),
            },
        }
    }
}
