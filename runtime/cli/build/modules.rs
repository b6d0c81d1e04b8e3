//! Builds modules with cargo, from within a build script.
//!
//! Three build scripts include this file: that of the command, which embeds modules, and those of the tests and of the
//! benchmarks, which load them. All build in one directory, `segue-modules` inside the target directory, so that nothing is built twice.

use std::{
    env,
    ffi::OsString,
    fmt,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{Command, ExitCode, ExitStatus},
};

/// What every module is made from, as folders of the workspace.
pub(crate) const SDK: &[&str] = &["runtime/sdk", "runtime/abi", "runtime/interface", "runtime/macros"];

/// Separates the flags in `CARGO_ENCODED_RUSTFLAGS`.
const FLAG_SEPARATOR: char = '\x1f';

/// What cargo tells the build script that runs now, by the beginnings of the names: what it is, what it may use, what it
/// is built for. Cargo sets each of them anew for the modules, but where a module has none of a name, it would see ours.
const OF_THIS_SCRIPT: &[&str] = &["CARGO_FEATURE_", "CARGO_CFG_", "CARGO_PKG_", "CARGO_MANIFEST_", "DEP_"];

/// What cargo, or a tool that runs it, sets for the build around us, and what would lead this one astray.
const OF_THE_BUILD_AROUND: &[&str] = &[
    // The file is looked for in a directory of our own.
    "CARGO_TARGET_DIR",
    "CARGO_BUILD_TARGET_DIR",
    // Clippy's: modules would be checked, and no file written.
    "RUSTC_WORKSPACE_WRAPPER",
    "CLIPPY_ARGS",
    // Settled already, in CARGO_ENCODED_RUSTFLAGS and in TARGET.
    "RUSTFLAGS",
    "CARGO_BUILD_TARGET",
];

/// Builds modules of one workspace.
pub(crate) struct ModuleBuilder {
    cargo: OsString,
    workspace: PathBuf,
    target_dir: PathBuf,
    target: String,
    rust_flags: String,
}

/// Which modules to build, and as what.
pub(crate) struct Batch<'a> {
    /// The packages.
    pub(crate) packages: &'a [&'a str],
    /// The version that they are stamped with; without one, that of each package's `Cargo.toml`.
    pub(crate) version: Option<&'a str>,
    /// The features, as `package/feature`.
    pub(crate) features: &'a [&'a str],
}

/// Why the modules were not built.
pub(crate) enum BuildError {
    /// Cargo could not be started.
    Start { command: String, source: io::Error },
    /// Cargo failed.
    Failed { command: String, status: ExitStatus, stderr: String },
    /// A file or a directory.
    Io { action: &'static str, path: PathBuf, source: io::Error },
}

/// The whole of a build script: does its work, with the workspace, which is so many folders above the package, and the
/// directory for what it makes.
pub(crate) fn script<E: fmt::Display>(depth: usize, work: fn(&Path, &Path) -> Result<(), E>) -> ExitCode {
    let (package, out_dir) = (of_cargo("CARGO_MANIFEST_DIR"), of_cargo("OUT_DIR"));
    let workspace = Path::new(&package).ancestors().nth(depth).expect("the package is in the workspace");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={}", workspace.join("runtime/cli/build").display());
    match work(workspace, Path::new(&out_dir)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

// === impl ModuleBuilder ===

impl ModuleBuilder {
    /// For a build script of a package in `workspace`, with the compiler, the target and the flags of its build.
    ///
    /// The flags (`RUSTFLAGS`, and those of the configuration) are kept, since a linker or a sanitizer may need them on
    /// both sides of the boundary. `--cfg loom` is not: it swaps the primitives of a library for those of a model, and a
    /// module is to run.
    pub(crate) fn for_build_script(workspace: &Path) -> Self {
        // The script has to run again only for what a module is made of; what it reads of the environment, cargo watches
        // itself, except for these.
        for variable in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"] {
            println!("cargo::rerun-if-env-changed={variable}");
        }
        ModuleBuilder {
            cargo: env::var_os("CARGO").unwrap_or_else(|| "cargo".into()),
            workspace: workspace.to_owned(),
            target_dir: shared_target_dir(&of_cargo("OUT_DIR")),
            target: of_cargo("TARGET"),
            rust_flags: without_loom(&env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default()),
        }
    }

    /// The file name that cargo gives to a module.
    pub(crate) fn file_name(&self, package: &str) -> String {
        let suffix = if self.target.contains("-apple-") { "dylib" } else { "so" };
        format!("lib{}.{suffix}", package.replace('-', "_"))
    }

    /// Builds the batch in release and copies its files into `directory`, which is made where it is missing.
    ///
    /// Cargo keeps one file a package, so whoever wants two versions builds one after the other, into two directories.
    pub(crate) fn build(&self, batch: &Batch<'_>, directory: &Path) -> Result<(), BuildError> {
        fs::create_dir_all(&self.target_dir).map_err(BuildError::io("creating", &self.target_dir))?;
        fs::create_dir_all(directory).map_err(BuildError::io("creating", directory))?;
        // Held until the files are copied: the other script may be about to build another version of the same package.
        let _turn = self.take_turn()?;
        self.run_cargo(batch)?;
        for package in batch.packages {
            let file_name = self.file_name(package);
            let built = self.target_dir.join(&self.target).join("release").join(&file_name);
            fs::copy(&built, directory.join(&file_name)).map_err(BuildError::io("copying", &built))?;
        }
        Ok(())
    }

    fn take_turn(&self) -> Result<File, BuildError> {
        let path = self.target_dir.join(".segue-turn");
        let file = File::create(&path).map_err(BuildError::io("creating", &path))?;
        file.lock().map_err(BuildError::io("locking", &path))?;
        Ok(file)
    }

    fn run_cargo(&self, batch: &Batch<'_>) -> Result<(), BuildError> {
        let mut cargo = Command::new(&self.cargo);
        // The lock file is the workspace's, so nothing is asked of the network that the workspace does not need. The
        // target is always named: then the place of the file does not depend on anybody's configuration.
        cargo.current_dir(&self.workspace).args(["build", "--release", "--locked", "--target", &self.target]);
        cargo.arg("--target-dir").arg(&self.target_dir);
        for package in batch.packages {
            cargo.args(["--package", package]);
        }
        if !batch.features.is_empty() {
            cargo.args(["--features", &batch.features.join(",")]);
        }
        for (name, _) in env::vars_os() {
            let of_this_script = |name: &str| OF_THIS_SCRIPT.iter().any(|prefix| name.starts_with(prefix));
            if name.to_str().is_some_and(|name| of_this_script(name) || OF_THE_BUILD_AROUND.contains(&name)) {
                cargo.env_remove(&name);
            }
        }
        cargo.env("CARGO_ENCODED_RUSTFLAGS", &self.rust_flags);
        match batch.version {
            Some(version) => cargo.env("SEGUE_MODULE_VERSION", version),
            None => cargo.env_remove("SEGUE_MODULE_VERSION"),
        };
        let output =
            cargo.output().map_err(|source| BuildError::Start { command: readable(&cargo), source })?;
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(BuildError::Failed { command: readable(&cargo), status: output.status, stderr });
        }
        Ok(())
    }
}

/// Has cargo run the script again when the sources of these packages (folders in the workspace) change, or what every module
/// is made from.
pub(crate) fn rerun_if_changed(workspace: &Path, packages: &[&str]) {
    for package in packages.iter().chain(SDK) {
        for part in ["Cargo.toml", "build.rs", "src"] {
            let path = workspace.join(package).join(part);
            // A path that is missing would count as changed each time.
            if path.exists() {
                println!("cargo::rerun-if-changed={}", path.display());
            }
        }
    }
    for file in ["Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", workspace.join(file).display());
    }
}

/// A directory for the modules that every build script under the same target directory finds.
fn shared_target_dir(out_dir: &str) -> PathBuf {
    let out_dir = Path::new(out_dir);
    // Cargo marks its target directory with this file, for the sake of backup programs.
    let marked = out_dir.ancestors().find(|directory| directory.join("CACHEDIR.TAG").is_file());
    marked.unwrap_or(out_dir).join("segue-modules")
}

/// The command as one would type it, without the environment, of which a hundred names are taken away.
fn readable(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn without_loom(encoded: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for flag in encoded.split(FLAG_SEPARATOR) {
        match (kept.last(), flag) {
            (_, "--cfg=loom") => {}
            (Some(&"--cfg"), "loom") => {
                kept.pop();
            }
            _ => kept.push(flag),
        }
    }
    kept.join(&FLAG_SEPARATOR.to_string())
}

fn of_cargo(variable: &str) -> String {
    env::var(variable).unwrap_or_else(|_| panic!("cargo sets {variable} for a build script"))
}

// === impl BuildError ===

impl BuildError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BuildError {
        let path = path.to_owned();
        move |source| BuildError::Io { action, path, source }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuildError::Start { command, source } => {
                write!(f, "cargo could not be started: {source}\n{command}")
            }
            BuildError::Failed { command, status, stderr } => {
                write!(f, "cargo could not build the modules ({status})\n{command}\n{stderr}")
            }
            BuildError::Io { action, path, source } => write!(f, "{action} {}: {source}", path.display()),
        }
    }
}
