//! What the tests share: fixtures, a runtime in this process, the command as a process, requests, and
//! processes that may die.
//!
//! The tests are in `suite/`, a folder or a file per topic. The modules they load are in `fixtures/` and in
//! the workspace's `modules/`; `build.rs` has cargo build each of them in two versions.

#![forbid(unsafe_code)]

mod call;
mod child;
pub mod control;
mod fixture;
mod gate;
mod host;
pub mod http;
mod service;
pub mod till;
mod wait;

pub use call::{call_with, get, response_text};
pub use child::{Dead, dies_in_child, dies_in_child_of, in_child, only, test_of};
pub use fixture::{HOOKS_VERSIONS, V1, V2, fixture, fixture_str, version_of_round};
pub use gate::Gate;
pub use host::{LONG, SHORT, TestHost, WAIT_FOR_OLD, hooks_answer, refusal, script_in, set_of};
pub use service::{Command, Follower, Service};
pub use wait::{SetOnDrop, until, within};

/// The names of the files in a directory.
///
/// # Panics
///
/// If the directory cannot be read.
pub fn names_in(directory: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).expect("the directory can be read");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
