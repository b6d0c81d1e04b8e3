//! Starts after a crash, a kill or a full disk.

mod crashed_versions;
mod full_disk;
mod restart;
