//! `segue-bench heap`: what a module's own heap costs a module that allocates much, beside the system's allocator.
//!
//! | figure | meaning |
//! | --- | --- |
//! | `heap.markdown.system` | one call of `textkit` that renders Markdown, with memory from the system's allocator |
//! | `heap.markdown.image` | the same with memory from the image's heap, which is counted |
//! | `heap.regex.system`, `heap.regex.image` | one call that compiles a regular expression, which allocates more, and searches |
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

const DEADLINE: Duration = Duration::from_secs(60);

/// How many works there are.
const WORKS: usize = 2;

/// How many parts, for the progress: each at one thread and at two.
pub(crate) const PARTS: u64 = 2 * WORKS as u64;

/// The name of the section, and one that means nothing.
const SECTION: (&[u8], &[u8]) = (b".segue_heap\0", b".segue_none\0");

/// What is asked of the module.
struct Work {
    /// The figures: with the system's allocator, and with the image's heap.
    figures: [&'static str; 2],
    path: &'static str,
    query: &'static str,
    body: Vec<u8>,
    /// Calls in one measurement of one thread.
    calls: u32,
}

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
    let mut figures = Vec::new();
    for work in works() {
        progress.begin(work.figures[1]);
        for threads in [1, 2] {
            let mut times = [Vec::new(), Vec::new()];
            for round in 0..rounds {
                // Neither is always the first.
                for way in if round % 2 == 0 { [0, 1] } else { [1, 0] } {
                    times[way].push(work.measure(&ways[way], threads)?);
                }
                progress.step();
            }
            let [system, image] = times.map(median);
            let [of_system, of_image] = work.figures;
            figures.push(Figure::alone(of_system, system, "us", threads));
            figures.push(Figure::alone(of_image, image, "us", threads).against(of_system, system));
        }
    }
    of_image.shutdown(DEADLINE)?;
    of_system.shutdown(DEADLINE)?;
    Ok(figures)
}

// === impl Work ===

impl Work {
    /// How long a call takes, in microseconds, while so many threads call.
    fn measure(&self, module: &ModuleHandle, threads: usize) -> Result<f64, Error> {
        let start = Barrier::new(threads);
        let work = || {
            start.wait();
            let begun = Instant::now();
            for _ in 0..self.calls {
                let request = Request {
                    method: "POST",
                    query: self.query,
                    body: &self.body,
                    ..Request::get(self.path)
                };
                let reply = module.call(&request).map_err(|_| Error::Call)?;
                if reply.status != 200 {
                    return Err(Error::Call);
                }
            }
            Ok(begun.elapsed().as_secs_f64() * 1e6 / f64::from(self.calls))
        };
        thread::scope(|scope| {
            let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            let times: Result<Vec<f64>, Error> =
                running.into_iter().map(|thread| thread.join().map_err(|_| Error::Panicked)?).collect();
            Ok(times?.into_iter().fold(0.0, f64::max))
        })
    }
}

fn works() -> [Work; WORKS] {
    let markdown = Work {
        figures: ["heap.markdown.system", "heap.markdown.image"],
        path: "/markdown",
        query: "",
        body: document(),
        calls: 400,
    };
    let regex = Work {
        figures: ["heap.regex.system", "heap.regex.image"],
        path: "/regex",
        query: "re=(%3FP%3Cname%3E%5Ba-z%5D%2B)%40(%3FP%3Chost%3E%5Ba-z.%5D%2B)",
        body: b"to somebody@example.org and anybody@example.com".to_vec(),
        calls: 400,
    };
    [markdown, regex]
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
