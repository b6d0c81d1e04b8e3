//! Findings about a file: imports and properties that can prevent a load, or cause problems when the module
//! is unloaded. They come from the file and from the system's libraries. Nothing is executed.

use std::path::Path;

use segue_loader::{Imports, Missing, Unload, is_system_library};
use serde::{Deserialize, Serialize};

use crate::api::NO_EXECUTABLE_STACK;

/// Something about a file that its author should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The kind.
    pub kind: FindingKind,
    /// The library, symbol or version that it concerns.
    pub subject: String,
    /// What it means for the module, in one sentence.
    pub meaning: String,
    /// What to change.
    pub advice: String,
}

/// The kind of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FindingKind {
    /// The file links a library that is not part of the system.
    ExternalLibrary,
    /// The file links the C++ runtime dynamically.
    CppRuntime,
    /// The file imports a function that installs signal handlers.
    Signal,
    /// The file imports `thrd_create`.
    Thread,
    /// The file imports `timer_create`.
    Timer,
    /// The file imports a function that registers code to run when the process exits or forks.
    ExitHandler,
    /// The file imports `dlopen`.
    Dlopen,
    /// A linked library requests an executable stack. A module that requests one itself is refused.
    ExecutableStack,
    /// The file links a library that this system does not have.
    MissingLibrary,
    /// The file needs a symbol version that a library of this system does not have.
    MissingVersion,
    /// The file needs a symbol that this system does not have.
    MissingSymbol,
}

const CPP_RUNTIMES: [&str; 3] = ["libstdc++.so", "libc++.so", "libc++abi.so"];
const SIGNALS: [&str; 9] = [
    "sigaction",
    "__sigaction",
    "signal",
    "bsd_signal",
    "sysv_signal",
    "__sysv_signal",
    "sigset",
    "sigvec",
    "ssignal",
];
/// Without `atexit`: it is linked into the file itself, and the runtime runs its handlers.
const EXIT_HANDLERS: [&str; 6] =
    ["on_exit", "at_quick_exit", "__cxa_at_quick_exit", "pthread_atfork", "__register_atfork", "quick_exit"];
/// The most symbols that a finding names.
const MAX_NAMED: usize = 3;

/// All findings about the file at `path`. `unload` is the promise in its metadata.
pub(crate) fn list(imports: &Imports, path: &Path, unload: Option<Unload>) -> Vec<Finding> {
    let libraries = imports.libraries.iter().filter_map(|library| library_finding(library, unload));
    let symbols = imports.symbols.iter().filter_map(|symbol| symbol_finding(&symbol.name));
    libraries.chain(symbols).chain(imports.missing(path).into_iter().map(missing_finding)).collect()
}

fn finding(kind: FindingKind, subject: &str, meaning: &str, advice: &str) -> Finding {
    Finding { kind, subject: subject.to_owned(), meaning: meaning.to_owned(), advice: advice.to_owned() }
}

/// Whether a library has one of these names, in any version.
fn is_one_of(library: &str, names: &[&str]) -> bool {
    let name = library.rsplit('/').next().unwrap_or(library);
    names
        .iter()
        .any(|one| name.strip_prefix(one).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

fn library_finding(library: &str, unload: Option<Unload>) -> Option<Finding> {
    if is_system_library(library) {
        return None;
    }
    if unload.is_some() {
        return Some(finding(
            FindingKind::ExternalLibrary,
            library,
            "the module promises that the library keeps no reference to it: versions are unmapped, and the library stays loaded",
            "if the promise is true, nothing; otherwise remove `unload` from `[package.metadata.segue]` in Cargo.toml",
        ));
    }
    let found = if is_one_of(library, &CPP_RUNTIMES) {
        finding(
            FindingKind::CppRuntime,
            library,
            "the C++ runtime is outside the module and may call it, so its versions stay in memory until the process ends",
            "set `cpp_link_stdlib_static(true)` on `cc::Build` in build.rs",
        )
    } else {
        finding(
            FindingKind::ExternalLibrary,
            library,
            "it may keep callbacks and threads of the module, so its versions stay in memory until the process ends",
            "use a Rust crate (such as rustls) or a static build (a feature named `vendored`, `bundled` or `static`)",
        )
    };
    Some(found)
}

fn symbol_finding(name: &str) -> Option<Finding> {
    let found = match name {
        _ if SIGNALS.contains(&name) => finding(
            FindingKind::Signal,
            name,
            "it can install a signal handler: code of the module that may run at any time",
            "restore the previous handler in the module's `Drop`, or handle signals in the host",
        ),
        "thrd_create" => finding(
            FindingKind::Thread,
            name,
            "libc starts the thread without the SDK, so the runtime does not track it; the SDK usually defines this symbol",
            "use `std::thread` or `pthread_create`, and join the thread in the module's `Drop`",
        ),
        "timer_create" => finding(
            FindingKind::Timer,
            name,
            "a timer can run a function of the module on a thread of libc, or send a signal",
            "call `timer_delete` in the module's `Drop`, or use a module thread that sleeps",
        ),
        _ if EXIT_HANDLERS.contains(&name) => finding(
            FindingKind::ExitHandler,
            name,
            "libc runs the registered code when the process exits or forks, and the runtime cannot unregister it",
            "use the module's `Drop`, or `atexit`, whose handlers run when the module is unloaded",
        ),
        "dlopen" | "dlmopen" => finding(
            FindingKind::Dlopen,
            name,
            "it can open libraries that this check does not see, and they may outlive the module",
            "link the library statically, or call `dlclose` in the module's `Drop`",
        ),
        _ => return None,
    };
    Some(found)
}

fn missing_finding(missing: Missing) -> Finding {
    match missing {
        Missing::Library { name } => finding(
            FindingKind::MissingLibrary,
            &name,
            "the dynamic linker does not find this library on this system, so a load is refused",
            "install the package that contains it, or link it statically",
        ),
        Missing::Version { library, version, symbols } => {
            let more = if symbols.len() > MAX_NAMED { ", …" } else { "" };
            let named = symbols.iter().take(MAX_NAMED).cloned().collect::<Vec<_>>().join(", ");
            let meaning = format!(
                "{library} on this system is too old: it does not have {named}{more}, so a load is refused"
            );
            let advice = "build the module on the oldest system that will run it, or update this system";
            finding(FindingKind::MissingVersion, &version, &meaning, advice)
        }
        Missing::Symbol { name } => finding(
            FindingKind::MissingSymbol,
            &name,
            "no library that the file links defines it, so a load is refused",
            "link the library that defines it: `cargo::rustc-link-lib` in build.rs",
        ),
        Missing::ExecutableStack { library } => finding(
            FindingKind::ExecutableStack,
            &library,
            "it requests an executable stack, which would make every stack of the process executable, so a load is refused",
            NO_EXECUTABLE_STACK,
        ),
    }
}

#[cfg(test)]
mod tests {
    use segue_loader::ImportedSymbol;

    use super::*;

    #[test]
    fn system_libraries_and_common_symbols_are_not_findings() {
        let symbols = ["malloc", "pthread_create", "atexit", "__cxa_atexit", "sigaltstack", "sigaddset"];
        let symbol = |name: &str| ImportedSymbol { name: name.to_owned(), version: None, is_weak: true };
        let imports = Imports {
            libraries: ["libc.so.6", "libm.so.6", "libgcc_s.so.1", "ld-linux-x86-64.so.2"]
                .map(str::to_owned)
                .into(),
            symbols: symbols.map(symbol).into(),
            ..Imports::default()
        };
        assert_eq!(list(&imports, Path::new("/x.so"), None), []);
    }

    #[test]
    fn a_library_is_recognized_by_its_whole_name() {
        let kind = |library: &str| library_finding(library, None).map(|found| found.kind);
        assert_eq!(kind("libssl.so.3"), Some(FindingKind::ExternalLibrary));
        assert_eq!(kind("libcurl.so.4"), Some(FindingKind::ExternalLibrary));
        assert_eq!(kind("libstdc++.so.6"), Some(FindingKind::CppRuntime));
        assert_eq!(kind("libc.so.6"), None);
        assert_eq!(kind("/opt/libmine.so"), Some(FindingKind::ExternalLibrary));
    }
}
