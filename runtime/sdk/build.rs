//! Records the compiler version for the module's metadata. The same compiler builds the SDK and the module.

use std::{env, process::Command};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc)
        .arg("--version")
        .output()
        .ok()
        .filter(|output| output.status.success())
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .unwrap_or_else(|| "unknown".to_owned());
    // The text goes into a JSON string without escaping.
    let plain: String =
        version.trim().chars().filter(|c| !c.is_control() && *c != '"' && *c != '\\').collect();
    println!("cargo::rustc-env=SEGUE_COMPILER={plain}");
}
