//! The modules that were built for the tests.

use std::path::PathBuf;

/// The first version that each module was built as.
pub const V1: &str = "1.0.0";

/// The second version that each module was built as.
pub const V2: &str = "1.1.0";

/// All versions that the fixture `hooks` was built as.
pub const SIX: [&str; 6] = [V1, V2, "1.2.0", "1.3.0", "1.4.0", "1.5.0"];

/// The file of a module, as cargo built it.
///
/// # Panics
///
/// Where there is none: the name or the version is misspelt.
pub fn fixture(package: &str, version: &str) -> PathBuf {
    let file_name = format!("lib{}.so", package.replace('-', "_"));
    let path = PathBuf::from(env!("SEGUE_FIXTURES")).join(version).join(file_name);
    assert!(path.is_file(), "{} was not built", path.display());
    path
}
