//! Versions that stay in memory though nobody is inside them, and how many more there may be.
//!
//! Such a version links a library that may call it, or one of its threads does not end. It costs memory and nothing else, so
//! memory is what bounds it: a service with an idle pool of threads in each version can be released many times.

use std::{fs, sync::LazyLock};

use crate::{api::Error, module::Module, shared::Shared};

/// Which part of the memory such versions may take by default.
const SHARE: u64 = 10;

/// What is assumed of a machine that does not say how much memory it has, in bytes.
const MACHINE_BYTES: u64 = 4 << 30;

/// The memory that such versions of all modules take. No state may be locked.
pub(crate) fn bytes(shared: &Shared) -> u64 {
    let modules: Vec<_> = shared.modules.read().values().cloned().collect();
    let of = |module: &Module| module.state().kept().map(|info| info.memory_bytes()).sum::<u64>();
    modules.iter().map(|module| of(module)).sum()
}

/// How many more such versions of this module there may be, if they take what the last one does; none if it has none. No
/// state may be locked.
pub(crate) fn releases_left(shared: &Shared, module: &Module) -> Option<u64> {
    let cost = module.state().kept().next_back()?.memory_bytes().max(1);
    Some(bytes_max(shared).saturating_sub(bytes(shared)) / cost)
}

/// Refuses a version of a module whose versions stay, if there is no memory for one more. No state may be locked.
pub(crate) fn check(shared: &Shared, module: &Module) -> Result<(), Error> {
    if releases_left(shared, module) != Some(0) {
        return Ok(());
    }
    let (module, kept_bytes) = (module.name.to_string(), bytes(shared));
    Err(Error::KeptFull { module, kept_bytes, max_bytes: bytes_max(shared) })
}

/// Warns if the next release of this module is the last one.
pub(crate) fn warn_of_last(shared: &Shared, module: &Module) {
    if let Some(left @ 0..=1) = releases_left(shared, module) {
        tracing::warn!(
            module = %module.name, releases_left = left, kept_bytes = bytes(shared),
            "versions that cannot leave memory have almost reached their limit; restart the runtime soon"
        );
    }
}

/// The limit, in bytes.
fn bytes_max(shared: &Shared) -> u64 {
    static DEFAULT: LazyLock<u64> = LazyLock::new(default_bytes_max);
    shared.limits.kept_bytes_max.unwrap_or(*DEFAULT)
}

/// A tenth of the memory that this process may have, in bytes.
fn default_bytes_max() -> u64 {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let machine = total_of(&read("/proc/meminfo")).unwrap_or(MACHINE_BYTES);
    // "max" if the group has no limit.
    let group = read("/sys/fs/cgroup/memory.max").trim().parse().unwrap_or(u64::MAX);
    machine.min(group) / SHARE
}

/// The machine's memory in bytes, as `/proc/meminfo` says it in KiB.
fn total_of(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_a_tenth_of_what_the_machine_says() {
        assert_eq!(total_of("MemFree: 1 kB\nMemTotal:       24631500 kB\n"), Some(24_631_500 << 10));
        assert_eq!(total_of("nothing of it"), None);
        assert!((1 << 20..=1 << 42).contains(&default_bytes_max()));
    }
}
