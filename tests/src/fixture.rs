//! The modules that `build.rs` built for the tests.

use std::path::PathBuf;

/// The first version of each module.
pub const V1: &str = "1.0.0";

/// The second version of each module.
pub const V2: &str = "1.1.0";

/// All versions of the fixture `hooks`.
pub const HOOKS_VERSIONS: [&str; 6] = [V1, V2, "1.2.0", "1.3.0", "1.4.0", "1.5.0"];

/// The first and the second version in turns, beginning with the first at round 0.
pub fn version_of_round(round: usize) -> &'static str {
    if round.is_multiple_of(2) { V1 } else { V2 }
}

/// The file of a module in this version. A form of `till` counts as a version.
///
/// # Panics
///
/// If there is no such file: the name or the version is misspelt.
pub fn fixture(package: &str, version: &str) -> PathBuf {
    let file_name = format!("lib{}.so", package.replace('-', "_"));
    let path = PathBuf::from(env!("SEGUE_FIXTURES")).join(version).join(file_name);
    assert!(path.is_file(), "{} was not built", path.display());
    path
}

/// The same as [`fixture`], as an argument of a command.
///
/// # Panics
///
/// If there is no such file, or its path is not UTF-8.
pub fn fixture_str(package: &str, version: &str) -> String {
    fixture(package, version).to_str().expect("the path is text").to_owned()
}
