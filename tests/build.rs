//! Builds the modules that the tests load: the fixtures and the samples, each in two versions.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

#[path = "../runtime/cli/build/modules.rs"]
mod modules;

/// The versions that each module is built as. The second one of `textkit` also behaves differently.
const VERSIONS: [(&str, &[&str]); 2] = [("1.0.0", &[]), ("1.1.0", &["textkit/tables"])];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let cargo_sets = "cargo sets it for a build script";
    let package = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect(cargo_sets));
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").expect(cargo_sets));
    let workspace = package.parent().expect("the package is one folder below the workspace");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../runtime/cli/build/modules.rs");

    let fixtures =
        folders(&package.join("fixtures")).map_err(|error| format!("reading fixtures: {error}"))?;
    let names: Vec<&str> = fixtures.iter().map(String::as_str).chain(["greeter", "textkit"]).collect();
    let sources: Vec<String> = fixtures.iter().map(|name| format!("tests/fixtures/{name}")).collect();
    let mut watched: Vec<&str> = sources.iter().map(String::as_str).collect();
    watched.extend(["modules/greeter", "modules/textkit", "runtime/sdk", "runtime/abi"]);
    modules::rerun_if_changed(workspace, &watched);

    let builder = modules::ModuleBuilder::for_build_script(workspace);
    for (version, features) in VERSIONS {
        let batch = modules::Batch { packages: &names, version: Some(version), features };
        builder.build(&batch, &out_dir.join(version)).map_err(|error| error.to_string())?;
    }
    println!("cargo::rustc-env=SEGUE_FIXTURES={}", out_dir.display());
    Ok(())
}

fn folders(directory: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.path().join("Cargo.toml").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}
