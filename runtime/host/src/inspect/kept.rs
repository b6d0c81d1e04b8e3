//! The memory limit for kept versions: those that stay in memory with no call inside.
//!
//! A version is kept because a library that it links may call it, or because one of its threads does not end.
//! It costs only memory, so the limit is an amount of memory, not a number of versions. A service that keeps
//! an idle thread pool in each version can still be replaced many times.

use std::{fs, sync::LazyLock};

use crate::{api::Error, module::Module, shared::Shared};

/// By default, kept versions may take one part in this many of the memory.
const DEFAULT_DIVISOR: u64 = 10;

/// The assumed memory of a machine that does not report it, in bytes.
const FALLBACK_MACHINE_BYTES: u64 = 4 << 30;

/// The memory of the kept versions of all modules. No state may be locked.
pub(crate) fn bytes(shared: &Shared) -> u64 {
    let modules: Vec<_> = shared.modules.read().values().cloned().collect();
    modules.iter().map(|module| module.state().kept().map(|info| info.memory_bytes()).sum::<u64>()).sum()
}

/// How many more kept versions of this module fit into the limit, if each takes as much memory as the last
/// one. `None` if the module has no kept version. No state may be locked.
pub(crate) fn releases_left(shared: &Shared, module: &Module) -> Option<u64> {
    let cost = module.state().kept().next_back()?.memory_bytes().max(1);
    Some(bytes_max(shared).saturating_sub(bytes(shared)) / cost)
}

/// Refuses a load if the module has kept versions and another one would exceed the limit. No state may be
/// locked.
pub(crate) fn check_limit(shared: &Shared, module: &Module) -> Result<(), Error> {
    if releases_left(shared, module) != Some(0) {
        return Ok(());
    }
    let (module, kept_bytes) = (module.name.to_string(), bytes(shared));
    Err(Error::KeptFull { module, kept_bytes, max_bytes: bytes_max(shared) })
}

/// Logs a warning if at most one more kept version of this module fits into the limit.
pub(crate) fn warn_if_nearly_full(shared: &Shared, module: &Module) {
    if let Some(left @ 0..=1) = releases_left(shared, module) {
        tracing::warn!(
            module = %module.name, releases_left = left, kept_bytes = bytes(shared),
            "versions that cannot be unloaded have almost reached the memory limit; restart the runtime soon"
        );
    }
}

/// The limit, in bytes.
fn bytes_max(shared: &Shared) -> u64 {
    static DEFAULT: LazyLock<u64> = LazyLock::new(default_bytes_max);
    shared.limits.kept_bytes_max.unwrap_or(*DEFAULT)
}

/// A tenth of the memory that this process may use, in bytes.
fn default_bytes_max() -> u64 {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let machine = parse_total(&read("/proc/meminfo")).unwrap_or(FALLBACK_MACHINE_BYTES);
    // "max" if the control group has no limit.
    let group = read("/sys/fs/cgroup/memory.max").trim().parse().unwrap_or(u64::MAX);
    machine.min(group) / DEFAULT_DIVISOR
}

/// The machine's memory in bytes, from `/proc/meminfo`, which reports it in KiB.
fn parse_total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_limit_is_a_tenth_of_the_memory() {
        assert_eq!(parse_total("MemFree: 1 kB\nMemTotal:       24631500 kB\n"), Some(24_631_500 << 10));
        assert_eq!(parse_total("no such line"), None);
        assert!((1 << 20..=1 << 42).contains(&default_bytes_max()));
    }
}
