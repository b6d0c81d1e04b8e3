//! `segue-bench heap`: what a module's own heap costs a module that allocates much, beside the system's allocator.
//!
//! | figure | meaning |
//! | --- | --- |
//! | `heap.markdown.system` | one call of `textkit` that renders Markdown, with memory from the system's allocator |
//! | `heap.markdown.image` | the same with memory from the image's heap, which is counted |
//! | `heap.markdown.control` | the system's allocator once more, in an image of its own |
//! | `heap.regex.system`, `….image`, `….control` | one call that compiles a regular expression, which allocates more, and searches |
//!
//! at one thread and at two. The file without the heap is that with it, but for the name of the section into which the address
//! of the heap is written: without it a module takes its memory from the system.
//!
//! Where code lies in memory makes a difference of its own: two images of one file were seen to be 3 % apart for as long as they
//! were mapped. So each round maps all of them anew, none is always the first, and the control tells how large a difference
//! of nothing is in this run.

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

/// The module; `build.rs` names it too.
const MODULE: &str = "textkit";

const DEADLINE: Duration = Duration::from_secs(60);

/// How many works there are.
const WORKS: usize = 2;

/// At how many threads each is done.
const THREADS: [usize; 2] = [1, 2];

/// How many parts a round has, for the progress.
pub(crate) const PARTS: u64 = (WORKS * THREADS.len()) as u64;

/// The ways to have memory: the first is the reference, the last the same once more.
const WAYS: usize = 3;

/// How often each has its turn in a round.
const TURNS: usize = 7;

/// The name of the section, and one that means nothing.
const SECTION: (&[u8], &[u8]) = (b".segue_heap\0", b".segue_none\0");

/// What is asked of the module.
struct Work {
    /// The figures: with the system's allocator, with the image's heap, and with the system's allocator again.
    figures: [&'static str; WAYS],
    path: &'static str,
    query: &'static str,
    body: Vec<u8>,
    /// Calls of one thread in one turn.
    calls: u32,
}

/// A module, in a runtime of its own.
struct Way {
    runtime: Runtime,
    module: ModuleHandle,
}

pub(crate) fn run(rounds: u32, progress: &Progress) -> Result<Vec<Figure>, Error> {
    let state = TempDir::new().map_err(|source| Error::TempDir { source })?;
    let with = versions_of(MODULE)[0].clone();
    let without = state.path().join("libtextkit-system.so");
    fs::write(&without, without_heap(&with)?).map_err(|source| Error::Look { source })?;
    let files = [&without, &with, &without];
    let works = works();
    let mut times: [[Vec<[f64; WAYS]>; THREADS.len()]; WORKS] = Default::default();
    for round in 0..rounds as usize {
        let mut order: [usize; WAYS] = array::from_fn(|place| (round + place) % WAYS);
        // So that none always comes after the same other one.
        if round % 2 == 1 {
            order.reverse();
        }
        let mut ways = [const { None }; WAYS];
        for way in order {
            ways[way] = Some(Way::open(files[way], files[way] == &with)?);
        }
        let ways = ways.map(|way| way.expect("the order has each"));
        for (work, times) in works.iter().zip(&mut times) {
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
    for (work, times) in works.iter().zip(times) {
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

/// The file's bytes, of which the host makes an image without a heap.
fn without_heap(file: &Path) -> Result<Vec<u8>, Error> {
    let mut bytes = fs::read(file).map_err(|source| Error::Look { source })?;
    let at = bytes.windows(SECTION.0.len()).position(|window| window == SECTION.0).ok_or(Error::NoSection)?;
    bytes[at..at + SECTION.1.len()].copy_from_slice(SECTION.1);
    Ok(bytes)
}

// === impl Way ===

impl Way {
    /// Loads the file, and makes sure that it has its heap, or none.
    fn open(file: &Path, has_heap: bool) -> Result<Self, Error> {
        let runtime = Runtime::builder().build()?;
        runtime.load(file)?;
        let module = runtime.module(MODULE)?;
        let live_bytes = runtime.status(MODULE)?.current.and_then(|current| current.live_bytes);
        if live_bytes.is_some_and(|bytes| bytes > 0) != has_heap {
            return Err(Error::NoSection);
        }
        Ok(Way { runtime, module })
    }
}

// === impl Work ===

impl Work {
    /// How long a call takes with each, in microseconds, while so many threads call: by turns, in that order.
    fn measure(
        &self,
        ways: &[Way; WAYS],
        order: [usize; WAYS],
        threads: usize,
    ) -> Result<[f64; WAYS], Error> {
        let start = Barrier::new(threads);
        let work = || {
            // The first calls find no memory yet.
            let mut failed = order.iter().find_map(|way| self.call(&ways[*way], self.calls).err());
            let mut turns = [[0.0; WAYS]; TURNS];
            for times in &mut turns {
                for way in order {
                    start.wait();
                    let begun = Instant::now();
                    failed = failed.or(self.call(&ways[way], self.calls).err());
                    times[way] = begun.elapsed().as_secs_f64() * 1e6 / f64::from(self.calls);
                }
            }
            failed.map_or(Ok(turns), Err)
        };
        let threads: Result<Vec<_>, Error> = thread::scope(|scope| {
            let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            running.into_iter().map(|thread| thread.join().map_err(|_| Error::Panicked)?).collect()
        });
        let threads = threads?;
        // A turn is over when the last thread is through.
        let of_turn =
            |way: usize, turn: usize| threads.iter().map(|turns| turns[turn][way]).fold(0.0, f64::max);
        Ok(array::from_fn(|way| median((0..TURNS).map(|turn| of_turn(way, turn)).collect())))
    }

    fn call(&self, way: &Way, calls: u32) -> Result<(), Error> {
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

fn works() -> [Work; WORKS] {
    let markdown = Work {
        figures: ["heap.markdown.system", "heap.markdown.image", "heap.markdown.control"],
        path: "/markdown",
        query: "",
        body: document(),
        calls: 20,
    };
    let regex = Work {
        figures: ["heap.regex.system", "heap.regex.image", "heap.regex.control"],
        path: "/regex",
        query: "re=(%3FP%3Cname%3E%5Ba-z%5D%2B)%40(%3FP%3Chost%3E%5Ba-z.%5D%2B)",
        body: b"to somebody@example.org and anybody@example.com".to_vec(),
        calls: 100,
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
