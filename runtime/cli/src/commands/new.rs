//! `segue new`: writes a module crate that is ready to build, with a test.
//!
//! The SDK is on no registry, so its sources are in this binary, and are written beside the module. What is written
//! builds on a machine that has cargo and never saw segue's own sources.

use std::{
    env::consts::{DLL_PREFIX, DLL_SUFFIX},
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
};

use clap::Args;
use segue::Code;
use serde::Serialize;

use crate::ExitCode;

/// Write a module crate that is ready to build, with a test
///
/// The crate is a directory of the module's name. The SDK that it is built with is on no registry, so a copy of it is
/// written into the directory too.
#[derive(Args, Debug)]
#[command(after_long_help = "Example:\n  segue new till && cd till && cargo test && cargo build --release")]
pub struct New {
    /// The module's name: letters, digits, - and _, beginning with a letter or _
    name: String,
    /// Depend on the SDK in this directory, which is runtime/sdk of a checkout, instead of on a copy
    #[arg(long, value_name = "DIR")]
    sdk: Option<PathBuf>,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Created {
    /// The new directory.
    pub path: PathBuf,
    /// The files in it, as paths below it, in order.
    pub files: Vec<PathBuf>,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NewError {
    /// The name cannot be a module's.
    #[error("{name:?} cannot be a module's name: {reason}")]
    Name {
        /// The name.
        name: String,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// The directory exists.
    #[error("{}: it exists already", path.display())]
    Exists {
        /// The directory.
        path: PathBuf,
    },
    /// There is no SDK where one was said to be.
    #[error("{}: there is no segue-sdk in this directory", path.display())]
    NoSdk {
        /// The directory.
        path: PathBuf,
    },
    /// The path of the SDK cannot be written into a manifest.
    #[error("{}: the path is not UTF-8, and Cargo.toml is", path.display())]
    SdkPath {
        /// The directory.
        path: PathBuf,
    },
    /// A file or directory could not be written.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb: "writing".
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// The templates, and where they go. `{{name}}` and the like are filled in.
const TEMPLATES: &[(&str, &str)] = &[
    (".gitignore", include_str!("../../templates/module/gitignore")),
    ("Cargo.toml", include_str!("../../templates/module/Cargo.toml.in")),
    ("README.md", include_str!("../../templates/module/README.md.in")),
    ("src/lib.rs", include_str!("../../templates/module/lib.rs.in")),
];

/// The sources of the SDK, as paths below `vendor` and texts; the build script lists them.
const SDK_SOURCES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/sdk_sources.rs"));

/// Names that Rust, or the SDK, has taken: as a crate's name they would hide what is meant by them, or be hidden by it.
const TAKEN: &[&str] = &[
    "as",
    "async",
    "await",
    "break",
    "const",
    "continue",
    "crate",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "fn",
    "for",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "match",
    "mod",
    "move",
    "mut",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "struct",
    "super",
    "trait",
    "true",
    "type",
    "unsafe",
    "use",
    "where",
    "while",
    "abstract",
    "become",
    "box",
    "do",
    "final",
    "gen",
    "macro",
    "override",
    "priv",
    "try",
    "typeof",
    "unsized",
    "virtual",
    "yield",
    "_",
    "test",
    "core",
    "std",
    "alloc",
    "proc_macro",
    "segue_sdk",
    "segue_abi",
    "abi_stable",
    "tracing",
    "log",
    "libc",
];

/// The length of a module's name, at most; `segue_abi::metadata::NAME_LEN_MAX` is the same.
const NAME_LEN_MAX: usize = 64;

// === impl New ===

impl New {
    /// Writes the crate below `parent`, all of it or nothing.
    ///
    /// # Errors
    ///
    /// Where the name, the place or the SDK does not fit, or something cannot be written. Then nothing is left.
    pub fn run(&self, parent: &Path) -> Result<Created, NewError> {
        check_name(&self.name)?;
        let path = parent.join(&self.name);
        // `./till` is `till`, for whoever reads it.
        let path = path.strip_prefix(".").map(Path::to_owned).unwrap_or(path);
        if path.symlink_metadata().is_ok() {
            return Err(NewError::Exists { path });
        }
        let files = self.files()?;
        // Written beside it first, and then renamed: a failure leaves nothing half-done. The outer directory is removed
        // when it is dropped.
        let failed =
            |source| NewError::Io { action: "creating a directory in", path: parent.to_owned(), source };
        let beside = tempfile::Builder::new().prefix(".segue-new-").tempdir_in(parent).map_err(failed)?;
        let unfinished = beside.path().join(&self.name);
        for (file, text) in &files {
            write(&unfinished.join(file), text)?;
        }
        // Only an empty directory that came meanwhile would be replaced.
        fs::rename(&unfinished, &path).map_err(|source| NewError::Io {
            action: "creating",
            path: path.clone(),
            source,
        })?;
        Ok(Created { path, files: files.into_iter().map(|(file, _)| file).collect() })
    }

    /// The files, as paths below the new directory and texts, in order.
    fn files(&self) -> Result<Vec<(PathBuf, String)>, NewError> {
        let (dependency, workspace, vendored) = match &self.sdk {
            Some(sdk) => (checked_sdk(sdk)?, "", ""),
            None => (
                "segue-sdk = { path = \"vendor/segue-sdk\" }".to_owned(),
                "exclude = [\"vendor\"]",
                "\nThe SDK in `vendor` is a copy, for it is on no registry. Keep it with the module, as it is.",
            ),
        };
        let fill = |template: &str| {
            let text = template
                .replace("{{dependency}}", &dependency)
                .replace("{{workspace}}", workspace)
                .replace("{{vendored}}", vendored)
                .replace("{{file}}", &file_name(&self.name))
                .replace("{{name}}", &self.name);
            // An empty filling at the end of a file leaves a blank line.
            format!("{}\n", text.trim_end())
        };
        let mut files: Vec<(PathBuf, String)> =
            TEMPLATES.iter().map(|(file, template)| (PathBuf::from(file), fill(template))).collect();
        if self.sdk.is_none() {
            let vendor = Path::new("vendor");
            files.extend(SDK_SOURCES.iter().map(|(file, text)| (vendor.join(file), (*text).to_owned())));
        }
        Ok(files)
    }
}

/// Passes a name that cargo takes for a package, Rust for a crate, and the SDK for a module.
fn check_name(name: &str) -> Result<(), NewError> {
    let refuse = |reason| Err(NewError::Name { name: name.to_owned(), reason });
    if name.is_empty() || name.len() > NAME_LEN_MAX {
        return refuse("it has 1 to 64 characters");
    }
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_') {
        return refuse("it consists of letters, digits, '-' and '_'");
    }
    if !name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
        return refuse("it begins with a letter or '_'");
    }
    if TAKEN.contains(&name.replace('-', "_").as_str()) {
        return refuse("Rust, or the SDK, has something of this name");
    }
    Ok(())
}

/// The name that cargo gives to the file that it makes.
fn file_name(name: &str) -> String {
    format!("{DLL_PREFIX}{}{DLL_SUFFIX}", name.replace('-', "_"))
}

/// The dependency on an SDK that lies elsewhere.
fn checked_sdk(directory: &Path) -> Result<String, NewError> {
    let none = || NewError::NoSdk { path: directory.to_owned() };
    let directory = directory.canonicalize().map_err(|_| none())?;
    let manifest = fs::read_to_string(directory.join("Cargo.toml")).map_err(|_| none())?;
    if !manifest.lines().any(|line| line.trim() == "name = \"segue-sdk\"") {
        return Err(none());
    }
    let path = directory.to_str().ok_or_else(|| NewError::SdkPath { path: directory.clone() })?;
    // A string of JSON is one of TOML too.
    Ok(format!("segue-sdk = {{ path = {} }}", serde_json::Value::from(path)))
}

fn write(path: &Path, text: &str) -> Result<(), NewError> {
    let failed = |source| NewError::Io { action: "writing", path: path.to_owned(), source };
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(failed)?;
    }
    fs::write(path, text).map_err(failed)
}

// === impl Created ===

impl Created {
    /// What to do next, for a person.
    pub fn next_steps(&self) -> String {
        let name = self.path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        let directory = self.path.display();
        let file = format!("target/release/{}", file_name(name));
        format!(
            "created the module {name} in {directory}\n\n  \
             cd {directory}\n  \
             cargo test\n  \
             cargo build --release\n  \
             segue check {file}\n\n\
             To serve it, copy {file} into the modules directory of `segue serve`, or `segue load` it.\n"
        )
    }
}

// === impl NewError ===

impl NewError {
    /// What kind of refusal it is.
    pub fn code(&self) -> Code {
        match self {
            NewError::Name { .. } | NewError::SdkPath { .. } => Code::BadRequest,
            NewError::Exists { .. } => Code::Busy,
            NewError::NoSdk { .. } => Code::NotFound,
            NewError::Io { .. } => Code::Internal,
        }
    }

    /// What to try next, where something helps.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            NewError::Exists { .. } => Some("choose another name, or remove the directory"),
            NewError::NoSdk { .. } => Some("--sdk takes the directory runtime/sdk of a checkout"),
            _ => None,
        }
    }

    /// The command's exit code.
    pub fn exit_code(&self) -> ExitCode {
        self.code().into()
    }
}

#[cfg(test)]
mod tests;
