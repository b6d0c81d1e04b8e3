//! Purges: what is waited for, what is asked to end, and what keeps a version in memory.

mod between_phases;
mod deadline;
mod foreign_code;
mod resources;
mod signals;
mod soft_and_waiting;
mod stragglers;

use std::fs;

use segue::Runtime;
use segue_tests::until;

/// Waits until one version is mapped and no other is listed. It is unlisted a moment after it is unmapped.
fn wait_until_one_version_is_left(runtime: &Runtime) {
    let none_is_listed =
        || runtime.modules().iter().all(|module| module.old.is_none() && module.quarantined.is_empty());
    until("the old version is unloaded", || runtime.images_mapped() == 1 && none_is_listed());
}

/// Whether this process handles a signal.
fn has_handler(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let set = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    u64::from_str_radix(set.trim(), 16).unwrap() >> (signal - 1) & 1 == 1
}
