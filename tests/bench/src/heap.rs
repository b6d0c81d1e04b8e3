//! `segue-bench heap`: a module's own heap against the system's allocator, in a module that allocates a lot.
//!
//! | figure | meaning |
//! | --- | --- |
//! | `heap.markdown.system` | one call of `textkit` that renders Markdown, with the system's allocator |
//! | `heap.markdown.image` | the same with the image's heap, which counts |
//! | `heap.markdown.control` | the system's allocator again, in a second image |
//! | `heap.regex.system`, `….image`, `….control` | one call that compiles a regular expression, which allocates more, and searches |
//!
//! Each is measured with one thread and with two. The two files differ only in the name of the section that
//! receives the heap's address. Without that section a module uses the system's allocator.
//!
//! The address of code affects speed: two images of one file differed by 3 % for as long as they were mapped.
//! So each round maps all images again and changes their order. The control shows how far apart two equal
//! images are in this run.

use std::{
    array, fs,
    path::Path,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use segue::{ModuleHandle, Request, Runtime};
use tempfile::TempDir;

use crate::{Error, Figure, Progress, files::versions_of, median::median};

/// The module. `build.rs` lists it.
const MODULE: &str = "textkit";

const DEADLINE: Duration = Duration::from_secs(60);

/// The number of workloads.
const WORKLOADS: usize = 2;

/// The numbers of threads that each runs with.
const THREADS: [usize; 2] = [1, 2];

/// The progress steps of a round.
pub(crate) const PARTS: u64 = (WORKLOADS * THREADS.len()) as u64;

/// The images: the first is the reference, the last the control.
const WAYS: usize = 3;

/// How often each image is measured in a round.
const TURNS: usize = 7;

/// The name of the section, and one without a meaning.
const SECTION: (&[u8], &[u8]) = (b".segue_heap\0", b".segue_none\0");

/// One kind of call to the module.
struct Workload {
    /// The names of the figures: system, image, control.
    figures: [&'static str; WAYS],
    path: &'static str,
    query: &'static str,
    body: Vec<u8>,
    /// Calls per thread and turn.
    calls: u32,
}

/// A module in its own runtime.
struct LoadedModule {
    runtime: Runtime,
    module: ModuleHandle,
}

pub(crate) fn run(rounds: u32, progress: &Progress) -> Result<Vec<Figure>, Error> {
    let state = TempDir::new().map_err(|source| Error::TempDir { source })?;
    let with = versions_of(MODULE)[0].clone();
    let without = state.path().join("libtextkit-system.so");
    fs::write(&without, without_heap(&with)?).map_err(|source| Error::Inspect { source })?;
    let files = [&without, &with, &without];
    let workloads = workloads();
    let mut times: [[Vec<[f64; WAYS]>; THREADS.len()]; WORKLOADS] = Default::default();
    for round in 0..rounds as usize {
        let mut order: [usize; WAYS] = array::from_fn(|place| (round + place) % WAYS);
        // Then none always follows the same other one.
        if round % 2 == 1 {
            order.reverse();
        }
        let mut ways = [const { None }; WAYS];
        for way in order {
            ways[way] = Some(LoadedModule::open(files[way], files[way] == &with)?);
        }
        let ways = ways.map(|way| way.expect("the order has each index once"));
        for (work, times) in workloads.iter().zip(&mut times) {
            progress.begin(work.figures[1]);
            for (threads, times) in THREADS.into_iter().zip(times) {
                times.push(work.measure(&ways, order, threads)?);
                progress.step();
            }
        }
        for way in ways {
            way.runtime.shutdown(DEADLINE)?;
        }
    }
    let mut figures = Vec::new();
    for (work, times) in workloads.iter().zip(times) {
        for (threads, times) in THREADS.into_iter().zip(times) {
            for (way, name) in work.figures.into_iter().enumerate() {
                let value = median(times.iter().map(|round| round[way]).collect());
                let mut figure = Figure::alone(name, value, "us", threads);
                if way > 0 {
                    let ratios = times.iter().map(|round| round[way] / round[0]).collect();
                    figure = figure.in_ratio(work.figures[0], median(ratios));
                }
                figures.push(figure);
            }
        }
    }
    Ok(figures)
}

/// The file's bytes with the section renamed, so the host gives the image no heap.
fn without_heap(file: &Path) -> Result<Vec<u8>, Error> {
    let mut bytes = fs::read(file).map_err(|source| Error::Inspect { source })?;
    let at = bytes.windows(SECTION.0.len()).position(|window| window == SECTION.0).ok_or(Error::NoSection)?;
    bytes[at..at + SECTION.1.len()].copy_from_slice(SECTION.1);
    Ok(bytes)
}

// === impl LoadedModule ===

impl LoadedModule {
    /// Loads the file, and checks that it has its own heap exactly if it should.
    fn open(file: &Path, has_heap: bool) -> Result<Self, Error> {
        let runtime = Runtime::builder().build()?;
        runtime.load(file)?;
        let module = runtime.module(MODULE)?;
        let live_bytes = runtime.status(MODULE)?.current.and_then(|current| current.live_bytes);
        if live_bytes.is_some_and(|bytes| bytes > 0) != has_heap {
            return Err(Error::NoSection);
        }
        Ok(LoadedModule { runtime, module })
    }
}

// === impl Workload ===

impl Workload {
    /// Returns the microseconds of a call to each image while `threads` threads call, in turns in this order.
    fn measure(
        &self,
        ways: &[LoadedModule; WAYS],
        order: [usize; WAYS],
        threads: usize,
    ) -> Result<[f64; WAYS], Error> {
        let turn_start = Barrier::new(threads);
        let work = || {
            // The first calls fill the heaps, so they are not measured.
            let mut failed = order.iter().find_map(|way| self.call(&ways[*way], self.calls).err());
            let mut turns = [[0.0; WAYS]; TURNS];
            for times in &mut turns {
                for way in order {
                    turn_start.wait();
                    let start = Instant::now();
                    failed = failed.or(self.call(&ways[way], self.calls).err());
                    times[way] = start.elapsed().as_secs_f64() * 1e6 / f64::from(self.calls);
                }
            }
            failed.map_or(Ok(turns), Err)
        };
        let threads: Result<Vec<_>, Error> = thread::scope(|scope| {
            let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            running.into_iter().map(|thread| thread.join().map_err(|_| Error::Panicked)?).collect()
        });
        let threads = threads?;
        // A turn takes as long as its slowest thread.
        let of_turn =
            |way: usize, turn: usize| threads.iter().map(|turns| turns[turn][way]).fold(0.0, f64::max);
        Ok(array::from_fn(|way| median((0..TURNS).map(|turn| of_turn(way, turn)).collect())))
    }

    fn call(&self, way: &LoadedModule, calls: u32) -> Result<(), Error> {
        let request =
            Request { method: "POST", query: self.query, body: &self.body, ..Request::get(self.path) };
        for _ in 0..calls {
            if way.module.call(&request).map_err(|_| Error::Call)?.status != 200 {
                return Err(Error::Call);
            }
        }
        Ok(())
    }
}

fn workloads() -> [Workload; WORKLOADS] {
    let markdown = Workload {
        figures: ["heap.markdown.system", "heap.markdown.image", "heap.markdown.control"],
        path: "/markdown",
        query: "",
        body: document(),
        calls: 20,
    };
    let regex = Workload {
        figures: ["heap.regex.system", "heap.regex.image", "heap.regex.control"],
        path: "/regex",
        query: "re=(%3FP%3Cname%3E%5Ba-z%5D%2B)%40(%3FP%3Chost%3E%5Ba-z.%5D%2B)",
        body: b"to somebody@example.org and anybody@example.com".to_vec(),
        calls: 100,
    };
    [markdown, regex]
}

/// Markdown that causes many allocations: lists, emphasis, links, quotations.
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
