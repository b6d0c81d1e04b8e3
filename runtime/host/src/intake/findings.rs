//! What a file shows of itself that matters when it leaves memory, or before it can be loaded: one finding each, with what it means
//! and what to set. Everything comes from the file and from the system's libraries; nothing is executed.

use std::path::Path;

use segue_loader::{Imports, Missing, Unload, is_system_library};
use serde::{Deserialize, Serialize};

use crate::api::NO_EXECUTABLE_STACK;

/// Something that a file shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What kind of thing.
    pub kind: FindingKind,
    /// Which one: a library, a symbol, a version.
    pub subject: String,
    /// What it means, in one sentence.
    pub meaning: String,
    /// What to set or to change.
    pub advice: String,
}

/// What kind of thing a file shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FindingKind {
    /// It links a library that is not the system's own.
    ExternalLibrary,
    /// It binds the C++ runtime dynamically.
    CppRuntime,
    /// It imports a function that handles signals.
    Signal,
    /// It imports `thrd_create`.
    Thread,
    /// It imports `timer_create`.
    Timer,
    /// It imports a function that registers code for the end of the process or for a fork.
    ExitHandler,
    /// It imports `dlopen`.
    Dlopen,
    /// A library that it links asks for an executable stack. A file that asks for one itself is refused.
    ExecutableStack,
    /// It links a library that this system lacks.
    MissingLibrary,
    /// It needs a version that a library of this system lacks.
    MissingVersion,
    /// It needs a symbol that this system lacks.
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
/// `atexit` is not here: it is a part of the file itself, and the runtime runs its handlers.
const EXIT_HANDLERS: [&str; 6] =
    ["on_exit", "at_quick_exit", "__cxa_at_quick_exit", "pthread_atfork", "__register_atfork", "quick_exit"];
/// How many symbols a finding names.
const NAMED_MAX: usize = 3;

/// What the file shows. `path` is where it is.
pub(crate) fn of(imports: &Imports, path: &Path, unload: Option<Unload>) -> Vec<Finding> {
    let libraries = imports.libraries.iter().filter_map(|library| of_library(library, unload));
    let symbols = imports.symbols.iter().filter_map(|symbol| of_symbol(&symbol.name));
    libraries.chain(symbols).chain(imports.missing(path).into_iter().map(of_missing)).collect()
}

fn finding(kind: FindingKind, subject: &str, meaning: &str, advice: &str) -> Finding {
    Finding { kind, subject: subject.to_owned(), meaning: meaning.to_owned(), advice: advice.to_owned() }
}

/// Whether a library's name is one of these, whatever its version.
fn is_one_of(library: &str, names: &[&str]) -> bool {
    let name = library.rsplit('/').next().unwrap_or(library);
    names
        .iter()
        .any(|one| name.strip_prefix(one).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

fn of_library(library: &str, unload: Option<Unload>) -> Option<Finding> {
    if is_system_library(library) {
        return None;
    }
    if unload.is_some() {
        return Some(finding(
            FindingKind::ExternalLibrary,
            library,
            "the author promises that it keeps nothing of the module: the version is unmapped, the library stays for all versions",
            "nothing, if the promise is true; otherwise remove `unload` from `[package.metadata.segue]` in Cargo.toml",
        ));
    }
    let found = if is_one_of(library, &CPP_RUNTIMES) {
        finding(
            FindingKind::CppRuntime,
            library,
            "its C++ runtime is outside the module and may run its code: the version stays in memory when it leaves",
            "set `cpp_link_stdlib_static(true)` on `cc::Build` in build.rs",
        )
    } else {
        finding(
            FindingKind::ExternalLibrary,
            library,
            "it may keep callbacks and threads of the module: the version stays in memory when it leaves",
            "use a Rust crate (rustls) or a bundled static build (the feature `vendored`, `bundled` or `static`)",
        )
    };
    Some(found)
}

fn of_symbol(name: &str) -> Option<Finding> {
    let found = match name {
        _ if SIGNALS.contains(&name) => finding(
            FindingKind::Signal,
            name,
            "it can install a signal handler, which is code of the module that the process calls at any time",
            "restore the signal in the module's `Drop`, or handle signals in the host",
        ),
        "thrd_create" => finding(
            FindingKind::Thread,
            name,
            "libc starts the thread itself, past the SDK, which defines this symbol in a module that it is linked into",
            "use `pthread_create`, or `std::thread` of Rust, and join the thread in the module's `Drop`",
        ),
        "timer_create" => finding(
            FindingKind::Timer,
            name,
            "a timer can run a function of the module on a thread of libc, or send a signal",
            "call `timer_delete` in the module's `Drop`, or use a thread of the module that sleeps",
        ),
        _ if EXIT_HANDLERS.contains(&name) => finding(
            FindingKind::ExitHandler,
            name,
            "libc calls what it registers at the end of the process or at a fork, and the runtime cannot take it back",
            "use `atexit`, which the runtime runs when the module leaves, or the module's `Drop`",
        ),
        "dlopen" | "dlmopen" => finding(
            FindingKind::Dlopen,
            name,
            "it can open libraries that this check does not see, and they may stay after the module has left",
            "link the library statically, or call `dlclose` in the module's `Drop`",
        ),
        _ => return None,
    };
    Some(found)
}

fn of_missing(missing: Missing) -> Finding {
    match missing {
        Missing::Library { name } => finding(
            FindingKind::MissingLibrary,
            &name,
            "this system has no such library where the dynamic linker looks, so a load is refused",
            "install the package that has it, or link it statically",
        ),
        Missing::Version { library, version, symbols } => {
            let more = if symbols.len() > NAMED_MAX { ", …" } else { "" };
            let named = symbols.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
            let meaning =
                format!("{library} of this system is older, and lacks {named}{more}, so a load is refused");
            let advice = "build the module on the oldest system that serves it, or update this one";
            finding(FindingKind::MissingVersion, &version, &meaning, advice)
        }
        Missing::Symbol { name } => finding(
            FindingKind::MissingSymbol,
            &name,
            "no library that the file names has it, so a load is refused",
            "link the library that defines it: `cargo::rustc-link-lib` in build.rs",
        ),
        Missing::ExecutableStack { library } => finding(
            FindingKind::ExecutableStack,
            &library,
            "it asks for an executable stack, which would make all stacks of the process executable, so a load is refused",
            NO_EXECUTABLE_STACK,
        ),
    }
}

#[cfg(test)]
mod tests {
    use segue_loader::ImportedSymbol;

    use super::*;

    #[test]
    fn the_systems_own_libraries_and_the_usual_symbols_are_no_findings() {
        let symbols = ["malloc", "pthread_create", "atexit", "__cxa_atexit", "sigaltstack", "sigaddset"];
        let symbol = |name: &str| ImportedSymbol { name: name.to_owned(), version: None, is_weak: true };
        let imports = Imports {
            libraries: ["libc.so.6", "libm.so.6", "libgcc_s.so.1", "ld-linux-x86-64.so.2"]
                .map(str::to_owned)
                .into(),
            symbols: symbols.map(symbol).into(),
            ..Imports::default()
        };
        assert_eq!(of(&imports, Path::new("/x.so"), None), []);
    }

    #[test]
    fn a_library_is_known_by_its_name_and_not_by_what_it_begins_with() {
        let kind = |library: &str| of_library(library, None).map(|found| found.kind);
        assert_eq!(kind("libssl.so.3"), Some(FindingKind::ExternalLibrary));
        assert_eq!(kind("libcurl.so.4"), Some(FindingKind::ExternalLibrary));
        assert_eq!(kind("libstdc++.so.6"), Some(FindingKind::CppRuntime));
        assert_eq!(kind("libc.so.6"), None);
        assert_eq!(kind("/opt/libmine.so"), Some(FindingKind::ExternalLibrary));
    }
}
