//! The module files, as the build script built them.

use std::path::PathBuf;

/// The directory with one directory per version.
const MODULES: &str = env!("SEGUE_BENCH_MODULES");

/// Both versions of a module. `build.rs` lists the modules.
pub(crate) fn versions_of(module: &str) -> [PathBuf; 2] {
    ["1.0.0", "1.1.0"].map(|version| PathBuf::from(MODULES).join(version).join(format!("lib{module}.so")))
}
