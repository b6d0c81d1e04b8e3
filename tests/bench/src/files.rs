//! The files of the modules that are measured, as the build script built them.

use std::path::PathBuf;

/// Where they are.
const MODULES: &str = env!("SEGUE_BENCH_MODULES");

/// Both versions of a module; `build.rs` names the modules too.
pub(crate) fn versions_of(module: &str) -> [PathBuf; 2] {
    ["1.0.0", "1.1.0"].map(|version| PathBuf::from(MODULES).join(version).join(format!("lib{module}.so")))
}
