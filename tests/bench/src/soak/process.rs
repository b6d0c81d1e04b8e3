//! The resources of this process.

use std::{fs, io};

use segue::Runtime;

/// What must not grow, as it is now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Process {
    pub(super) fds: i64,
    pub(super) mappings: i64,
    pub(super) keys: i64,
    pub(super) rss_bytes: i64,
}

// === impl Process ===

impl Process {
    pub(super) fn now(runtime: &Runtime) -> io::Result<Self> {
        const PAGE_BYTES: i64 = 4096;
        let statm = fs::read_to_string("/proc/self/statm")?;
        let pages: i64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
        Ok(Process {
            fds: fs::read_dir("/proc/self/fd")?.count() as i64,
            mappings: fs::read_to_string("/proc/self/maps")?.lines().count() as i64,
            keys: runtime.pthread_keys_in_use() as i64,
            rss_bytes: pages * PAGE_BYTES,
        })
    }
}
