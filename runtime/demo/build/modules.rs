//! Builds modules with cargo, inside a build script.
//!
//! Three build scripts include this file: the demo's, which embeds modules, and those of the tests and the
//! benchmarks, which load them. All three build in one directory, `segue-modules` in the target directory, so
//! nothing is built twice.

use std::{
    env,
    ffi::OsString,
    fmt,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{Command, ExitCode, ExitStatus},
};

/// The packages that every module is built from, as folders of the workspace.
pub(crate) const SDK: &[&str] = &["runtime/sdk", "runtime/abi", "runtime/interface", "runtime/macros"];

/// The separator of the flags in `CARGO_ENCODED_RUSTFLAGS`.
const FLAG_SEPARATOR: char = '\x1f';

/// Prefixes of the variables that cargo sets for the running build script: its package, its features, its
/// target. Cargo sets them for the modules too, but a variable that cargo does not set for a module would
/// keep this script's value.
const SCRIPT_VARIABLES: &[&str] = &["CARGO_FEATURE_", "CARGO_CFG_", "CARGO_PKG_", "CARGO_MANIFEST_", "DEP_"];

/// Variables that belong to the outer build and would misdirect the inner one.
const OUTER_BUILD_VARIABLES: &[&str] = &[
    // The modules have a target directory of their own.
    "CARGO_TARGET_DIR",
    "CARGO_BUILD_TARGET_DIR",
    // Set by clippy: modules would be checked, and no file written.
    "RUSTC_WORKSPACE_WRAPPER",
    "CLIPPY_ARGS",
    // Already in CARGO_ENCODED_RUSTFLAGS and in TARGET.
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

/// Which modules to build, and with which version and features.
pub(crate) struct Batch<'a> {
    /// The packages.
    pub(crate) packages: &'a [&'a str],
    /// The version in their metadata; `None`: the version in each package's `Cargo.toml`.
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
    /// A file or a directory could not be read or written.
    Io { action: &'static str, path: PathBuf, source: io::Error },
}

/// The body of a build script: calls `work` with the workspace, which is `depth` folders above the package,
/// and the output directory.
pub(crate) fn script<E: fmt::Display>(depth: usize, work: fn(&Path, &Path) -> Result<(), E>) -> ExitCode {
    let (package, out_dir) = (cargo_variable("CARGO_MANIFEST_DIR"), cargo_variable("OUT_DIR"));
    let workspace = Path::new(&package).ancestors().nth(depth).expect("the package is in the workspace");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={}", workspace.join("runtime/demo/build").display());
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
    /// For the build script of a package in `workspace`: uses the compiler, the target and the flags of its
    /// build.
    ///
    /// It keeps `RUSTFLAGS` and the flags of cargo's configuration, since a linker or a sanitizer may be
    /// needed on both sides of the boundary. It drops `--cfg loom`, which replaces the atomics and
    /// locks of a library by a model that runs only inside a loom test.
    pub(crate) fn for_build_script(workspace: &Path) -> Self {
        // The sources are watched by `rerun_if_changed`, and cargo watches the other variables.
        for variable in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"] {
            println!("cargo::rerun-if-env-changed={variable}");
        }
        ModuleBuilder {
            cargo: env::var_os("CARGO").unwrap_or_else(|| "cargo".into()),
            workspace: workspace.to_owned(),
            target_dir: shared_target_dir(&cargo_variable("OUT_DIR")),
            target: cargo_variable("TARGET"),
            rust_flags: without_loom(&env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default()),
        }
    }

    /// The file name that cargo gives to a module.
    pub(crate) fn file_name(&self, package: &str) -> String {
        let suffix = if self.target.contains("-apple-") { "dylib" } else { "so" };
        format!("lib{}.{suffix}", package.replace('-', "_"))
    }

    /// Builds the batch in release mode and copies its files into `directory`, which it creates if needed.
    ///
    /// Cargo keeps one file per package. For two versions, build one after the other, into two directories.
    pub(crate) fn build(&self, batch: &Batch<'_>, directory: &Path) -> Result<(), BuildError> {
        fs::create_dir_all(&self.target_dir).map_err(BuildError::io("creating", &self.target_dir))?;
        fs::create_dir_all(directory).map_err(BuildError::io("creating", directory))?;
        // Held until the files are copied: another script may be about to build another version of the same
        // package.
        let _lock = self.lock()?;
        self.run_cargo(batch)?;
        for package in batch.packages {
            let file_name = self.file_name(package);
            let built = self.target_dir.join(&self.target).join("release").join(&file_name);
            fs::copy(&built, directory.join(&file_name)).map_err(BuildError::io("copying", &built))?;
        }
        Ok(())
    }

    fn lock(&self) -> Result<File, BuildError> {
        let path = self.target_dir.join(".segue-lock");
        let file = File::create(&path).map_err(BuildError::io("creating", &path))?;
        file.lock().map_err(BuildError::io("locking", &path))?;
        Ok(file)
    }

    fn run_cargo(&self, batch: &Batch<'_>) -> Result<(), BuildError> {
        let mut cargo = Command::new(&self.cargo);
        // `--locked` uses the workspace's lock file, so the build downloads nothing that the workspace does
        // not need. `--target` fixes where the file is written, whatever cargo's configuration says.
        cargo.current_dir(&self.workspace).args(["build", "--release", "--locked", "--target", &self.target]);
        cargo.arg("--target-dir").arg(&self.target_dir);
        for package in batch.packages {
            cargo.args(["--package", package]);
        }
        if !batch.features.is_empty() {
            cargo.args(["--features", &batch.features.join(",")]);
        }
        for (name, _) in env::vars_os() {
            let is_removed = |name: &str| {
                SCRIPT_VARIABLES.iter().any(|prefix| name.starts_with(prefix))
                    || OUTER_BUILD_VARIABLES.contains(&name)
            };
            if name.to_str().is_some_and(is_removed) {
                cargo.env_remove(&name);
            }
        }
        cargo.env("CARGO_ENCODED_RUSTFLAGS", &self.rust_flags);
        match batch.version {
            Some(version) => cargo.env("SEGUE_MODULE_VERSION", version),
            None => cargo.env_remove("SEGUE_MODULE_VERSION"),
        };
        let output =
            cargo.output().map_err(|source| BuildError::Start { command: command_line(&cargo), source })?;
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(BuildError::Failed { command: command_line(&cargo), status: output.status, stderr });
        }
        Ok(())
    }
}

/// Makes cargo run the script again when the sources of these packages (folders of the workspace) or of the
/// SDK change.
pub(crate) fn rerun_if_changed(workspace: &Path, packages: &[&str]) {
    for package in packages.iter().chain(SDK) {
        for part in ["Cargo.toml", "build.rs", "src"] {
            let path = workspace.join(package).join(part);
            // Cargo counts a missing path as changed, each time.
            if path.exists() {
                println!("cargo::rerun-if-changed={}", path.display());
            }
        }
    }
    for file in ["Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", workspace.join(file).display());
    }
}

/// The directory that all build scripts of one target directory share for building modules.
fn shared_target_dir(out_dir: &str) -> PathBuf {
    let out_dir = Path::new(out_dir);
    // Cargo marks its target directory with this file, for backup programs.
    let marked = out_dir.ancestors().find(|directory| directory.join("CACHEDIR.TAG").is_file());
    marked.unwrap_or(out_dir).join("segue-modules")
}

/// The command as you would type it. `Debug` would also list the removed variables, about a hundred.
fn command_line(command: &Command) -> String {
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

fn cargo_variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name} for a build script"))
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
            BuildError::Start { command, source } => write!(f, "cannot start cargo: {source}\n{command}"),
            BuildError::Failed { command, status, stderr } => {
                write!(f, "cargo could not build the modules ({status})\n{command}\n{stderr}")
            }
            BuildError::Io { action, path, source } => write!(f, "{action} {}: {source}", path.display()),
        }
    }
}
