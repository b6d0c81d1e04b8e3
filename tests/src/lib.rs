//! What the tests share: the modules that were built for them, runtimes in directories of their own, and
//! processes.
//!
//! The tests themselves are in `all/`, a file per behaviour, and in `conformance/`, a file per family of
//! Erlang's own. The modules are in `fixtures/` and in the workspace's `modules/`; `build.rs` has cargo build
//! each of them in two versions. `till.rs` is the typed interface of one of them.

#![forbid(unsafe_code)]

mod child;
pub mod control;
mod fixture;
pub mod http;
mod service;
pub mod till;
mod wait;

pub use child::{Dead, dies_in_child, in_child};
pub use fixture::{SIX, V1, V2, fixture};
pub use service::{Command, Follower, Service};
pub use wait::{until, within};

use segue::Runtime;
use tempfile::TempDir;

/// A runtime in a state directory of its own, without a modules directory.
pub struct Bench {
    /// The runtime.
    pub runtime: Runtime,
    /// Its state directory.
    pub state: TempDir,
}

impl Bench {
    /// Makes one.
    pub fn new() -> Self {
        let state = TempDir::new().expect("a temporary directory");
        let runtime = Runtime::builder().state_dir(state.path()).build().expect("a runtime");
        Bench { runtime, state }
    }

    /// The private copies that are there now.
    pub fn staged(&self) -> Vec<String> {
        names_in(&self.state.path().join("stage"))
    }
}

impl Default for Bench {
    fn default() -> Self {
        Bench::new()
    }
}

/// The names of the files in a directory.
pub fn names_in(directory: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).expect("the directory can be read");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
