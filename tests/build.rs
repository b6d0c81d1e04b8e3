//! Builds the modules that the tests load: the fixtures and the samples, each in two versions.

use std::{fs, io, path::Path, process::ExitCode};

#[path = "../runtime/demo/build/modules.rs"]
mod modules;

/// The versions of each module, with the features that change some of them.
const VERSIONS: [(&str, &[&str]); 2] = [("1.0.0", &[]), ("1.1.0", &["textkit/tables", "shop/discounts"])];

/// More versions of the fixture `hooks`, for tests in which six follow each other.
const MORE_HOOKS: [&str; 4] = ["1.2.0", "1.3.0", "1.4.0", "1.5.0"];

/// The sample modules that the tests load too.
const SAMPLES: [&str; 3] = ["greeter", "shop", "textkit"];

/// The features of the fixture `till` that change its interface. Each is built as version 2.0.0, into a
/// directory named after the feature.
const TILL_FORMS: [&str; 8] = [
    "changed_answer",
    "changed_argument",
    "changed_data",
    "fewer_arguments",
    "lies",
    "moved",
    "removed",
    "not_exported",
];

fn main() -> ExitCode {
    modules::script(1, run)
}

fn run(workspace: &Path, out_dir: &Path) -> Result<(), String> {
    let fixtures =
        folders(&workspace.join("tests/fixtures")).map_err(|error| format!("reading fixtures: {error}"))?;
    let names: Vec<&str> = fixtures.iter().map(String::as_str).chain(SAMPLES).collect();
    let fixture_paths = fixtures.iter().map(|name| format!("tests/fixtures/{name}"));
    let sample_paths = SAMPLES.iter().map(|name| format!("modules/{name}"));
    let sources: Vec<String> = fixture_paths.chain(sample_paths).collect();
    let mut watched: Vec<&str> = sources.iter().map(String::as_str).collect();
    watched.push("modules/shop/interface");
    modules::rerun_if_changed(workspace, &watched);
    println!("cargo::rerun-if-changed=src/till.rs");

    let builder = modules::ModuleBuilder::for_build_script(workspace);
    for (version, features) in VERSIONS {
        let batch = modules::Batch { packages: &names, version: Some(version), features };
        builder.build(&batch, &out_dir.join(version)).map_err(|error| error.to_string())?;
    }
    for version in MORE_HOOKS {
        let batch = modules::Batch { packages: &["hooks"], version: Some(version), features: &[] };
        builder.build(&batch, &out_dir.join(version)).map_err(|error| error.to_string())?;
    }
    // On its own, because the feature changes how `tracing` is built.
    let twice =
        modules::Batch { packages: &["loggers"], version: Some("2.0.0"), features: &["loggers/twice"] };
    builder.build(&twice, &out_dir.join("twice")).map_err(|error| error.to_string())?;
    for form in TILL_FORMS {
        let feature = format!("till/{form}");
        let batch = modules::Batch { packages: &["till"], version: Some("2.0.0"), features: &[&feature] };
        builder.build(&batch, &out_dir.join(form)).map_err(|error| error.to_string())?;
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
