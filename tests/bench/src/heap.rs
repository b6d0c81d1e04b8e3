//! `segue-bench heap`: what a module's own heap costs a module that allocates much, beside the system's allocator.
//!
//! | figure | meaning |
//! | --- | --- |
//! | `heap.system` | one call of `textkit` that renders Markdown, with memory from the system's allocator |
//! | `heap.image` | the same with memory from the image's heap, which is counted |
//!
//! at one thread and at two. The file of the former is that of the latter, but for the name of the section into which the
//! address of the heap is written: without it a module takes its memory from the system.

use std::{
    fs,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use segue::{ModuleHandle, Request, Runtime};
use tempfile::TempDir;

use crate::{Error, Figure, Progress, files::versions_of, median::median};

/// The module; `build.rs` names it too.
const MODULE: &str = "textkit";

/// Calls in one measurement of one thread.
const CALLS: u32 = 400;

const DEADLINE: Duration = Duration::from_secs(60);

/// The name of the section, and one that means nothing.
const SECTION: (&[u8], &[u8]) = (b".segue_heap\0", b".segue_none\0");

pub(crate) fn run(rounds: u32, progress: &Progress) -> Result<Vec<Figure>, Error> {
    let state = TempDir::new().map_err(|source| Error::TempDir { source })?;
    let file = versions_of(MODULE)[0].clone();
    let mut bytes = fs::read(&file).map_err(|source| Error::Look { source })?;
    let at = bytes.windows(SECTION.0.len()).position(|window| window == SECTION.0).ok_or(Error::NoSection)?;
    bytes[at..at + SECTION.1.len()].copy_from_slice(SECTION.1);
    let without = state.path().join("libtextkit-system.so");
    fs::write(&without, bytes).map_err(|source| Error::Look { source })?;
    let (of_image, of_system) = (Runtime::builder().build()?, Runtime::builder().build()?);
    of_image.load(&file)?;
    of_system.load(&without)?;
    let ways = [of_system.module(MODULE)?, of_image.module(MODULE)?];
    let has_heap = |runtime: &Runtime| -> Result<bool, Error> {
        Ok(runtime
            .status(MODULE)?
            .current
            .and_then(|current| current.live_bytes)
            .is_some_and(|bytes| bytes > 0))
    };
    if has_heap(&of_system)? || !has_heap(&of_image)? {
        return Err(Error::NoSection);
    }
    progress.begin("heap");
    let body = document();
    let mut figures = Vec::new();
    for threads in [1, 2] {
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..rounds {
            for (way, times) in ways.iter().zip(&mut times) {
                times.push(measure(way, &body, threads)?);
            }
            progress.step();
        }
        let [system, image] = times.map(median);
        figures.push(Figure::alone("heap.system", system, "us", threads));
        figures.push(Figure::alone("heap.image", image, "us", threads).against("heap.system", system));
    }
    of_image.shutdown(DEADLINE)?;
    of_system.shutdown(DEADLINE)?;
    Ok(figures)
}

/// How long a call takes, in microseconds, while so many threads call.
fn measure(module: &ModuleHandle, body: &[u8], threads: usize) -> Result<f64, Error> {
    let start = Barrier::new(threads);
    let work = || {
        start.wait();
        let begun = Instant::now();
        for _ in 0..CALLS {
            let request = Request { method: "POST", body, ..Request::get("/markdown") };
            module.call(&request).map_err(|_| Error::Call)?;
        }
        Ok(begun.elapsed().as_secs_f64() * 1e6 / f64::from(CALLS))
    };
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let times: Result<Vec<f64>, Error> =
            running.into_iter().map(|thread| thread.join().map_err(|_| Error::Panicked)?).collect();
        Ok(times?.into_iter().fold(0.0, f64::max))
    })
}

/// Markdown with much in it that is allocated: lists, emphasis, links, tables.
fn document() -> Vec<u8> {
    let mut text = String::new();
    for number in 0..60 {
        text.push_str(&format!(
            "## Part {number}\n\nSome *words* with **weight**, a [link](http://example.org/{number}) and `code`.\n\n\
             * one\n* two\n    * three\n\n> a quotation, and an image: ![it](i{number}.png)\n\n1. first\n2. second\n\n"
        ));
    }
    text.into_bytes()
}
