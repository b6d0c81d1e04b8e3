//! The rooms of each crate, from top to bottom. A file may import from its own room and from rooms below it.
//!
//! These tables are the source of truth; `ARCHITECTURE.md` copies that of the host.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::Path,
};

use crate::{imports, tree};

/// The rooms of `runtime/host/src`. A room is a folder, or a file at the top.
pub const HOST: &[&str] = &[
    "runtime", "watch", "recovery", "rollout", "load", "purge", "inspect", "guest", "intake", "shared",
    "call", "store", "module", "threads", "api", "clock",
];

/// Upward imports that are allowed, each with its reason: `(file, path)`.
pub const HOST_EXCEPTIONS: &[(&str, &str)] = &[
    // A cleanup task names the version whose thread-locals it destroys. The file imports nothing else of the
    // room.
    ("threads/registered.rs", "module::version"),
];

/// The rooms of `runtime/loader/src`. There are no exceptions.
pub const LOADER: &[&str] = &[
    "image",
    "boundary",
    "threads",
    "signals",
    "crash",
    "linker",
    "file",
    "heap",
    "resources",
    "signal_safe",
    "error",
];

/// The rooms of `runtime/sdk/src`. There are no exceptions.
pub const SDK: &[&str] = &["export", "testing", "api", "log", "interpose", "idle", "boundary", "sys"];

/// The rooms of `runtime/core/src`. Each file is a room of its own. There are no exceptions.
pub const CORE: &[&str] = &[
    "model",
    "cell_exit",
    "projection_guard",
    "projection",
    "guard",
    "entry",
    "reservation",
    "drain",
    "transition",
    "cell",
    "cell_state",
    "registry",
    "lane",
    "projection_slots",
    "view",
    "occupant",
    "api",
    "thread_exit",
    "thread",
    "stripe",
    "current",
    "fence",
    "mutation",
    "sync",
];

/// The rooms of `runtime/cli/src`. There are no exceptions.
pub const CLI: &[&str] = &[
    "cli",
    "commands",
    "probe",
    "progress",
    "event_text",
    "view",
    "context",
    "output",
    "error",
    "module_crate",
    "settings",
    "control_path",
    "exit_code",
    "duration",
    "table",
    "text",
    "test_data",
];

/// The rooms of `runtime/demo/src`. There are no exceptions.
pub const DEMO: &[&str] = &["releases", "observer", "server", "report", "client", "error", "embedded"];

/// The path of a file below `src`, without `.rs` and `/mod`.
type Name = String;

/// Returns the files that each file of a crate imports from. `lib.rs` and `main.rs` are not included.
///
/// # Errors
///
/// If a file cannot be read.
pub fn imports_of(source: &Path) -> io::Result<BTreeMap<Name, BTreeSet<Name>>> {
    let mut files = BTreeMap::new();
    for path in tree::files(source, "rs")? {
        let below = path.strip_prefix(source).unwrap_or(&path).with_extension("");
        let name = below.to_string_lossy().replace('\\', "/");
        let name = name.strip_suffix("/mod").unwrap_or(&name).to_owned();
        if !matches!(name.as_str(), "lib" | "main") {
            files.insert(name, imports::paths(&fs::read_to_string(&path)?));
        }
    }
    let names: BTreeSet<Name> = files.keys().cloned().collect();
    let files_of = |name: &Name, paths: &[Vec<String>]| {
        paths.iter().filter_map(|path| imported_file(name, path, &names)).collect()
    };
    Ok(files.iter().map(|(name, paths)| (name.clone(), files_of(name, paths))).collect())
}

/// Returns the file of this crate that has the item at `path`, for a `use` line in the file `name`. `None`
/// for an item of another crate.
fn imported_file(name: &str, path: &[String], names: &BTreeSet<Name>) -> Option<Name> {
    let own: Vec<&str> = name.split('/').collect();
    let mut rest: Vec<&str> = path.iter().map(String::as_str).collect();
    let child = format!("{name}/{}", rest.first()?);
    let mut module = match *rest.first()? {
        "crate" => Vec::new(),
        "self" | "super" => own,
        _ if names.contains(&child) => own,
        _ => return None,
    };
    while let Some("crate" | "self" | "super") = rest.first().copied() {
        if rest.remove(0) == "super" {
            module.pop();
        }
    }
    module.extend(rest);
    // The longest prefix that is a file has the item.
    let candidates = (1..=module.len()).rev().map(|length| module[..length].join("/"));
    candidates.into_iter().find(|candidate| names.contains(candidate))
}

/// The room of a file.
fn room(name: &str) -> &str {
    name.split('/').next().unwrap_or(name)
}

/// Describes the imports that run upward by this table of rooms, and the files that are in none of its rooms.
pub fn upward(
    files: &BTreeMap<Name, BTreeSet<Name>>,
    rooms: &[&str],
    exceptions: &[(&str, &str)],
) -> Vec<String> {
    let level = |name: &str| rooms.iter().position(|of| *of == room(name));
    let mut wrong = Vec::new();
    for (name, imports) in files.iter().filter(|(name, _)| *name != "guide") {
        let Some(own) = level(name) else {
            wrong.push(format!("{name}.rs is in no room"));
            continue;
        };
        for import in imports {
            let is_exception = exceptions.iter().any(|(file, path)| {
                file.trim_end_matches(".rs") == name && path.replace("::", "/") == *import
            });
            if !is_exception && level(import).is_some_and(|other| other < own) {
                wrong.push(format!("{name}.rs imports {import}, which is in a room above its own"));
            }
        }
    }
    wrong
}

/// Describes the imports between siblings in a room: those of a file, or a folder, from another one.
pub fn between_siblings(files: &BTreeMap<Name, BTreeSet<Name>>, room: &str) -> Vec<String> {
    let sibling =
        |name: &str| name.strip_prefix(room)?.strip_prefix('/')?.split('/').next().map(str::to_owned);
    let imports = files.iter().flat_map(|(name, imports)| imports.iter().map(move |import| (name, import)));
    let between = imports.filter(
        |(name, import)| matches!((sibling(name), sibling(import)), (Some(own), Some(other)) if own != other),
    );
    between.map(|(name, import)| format!("{name}.rs imports its sibling {import}")).collect()
}

/// Returns the groups of files that import each other in a cycle.
pub fn cycles(files: &BTreeMap<Name, BTreeSet<Name>>) -> Vec<Vec<Name>> {
    let reach = |from: &Name| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from.clone()]);
        while let Some(name) = next.pop() {
            for import in files.get(&name).into_iter().flatten().filter(|import| **import != name) {
                if seen.insert(import.clone()) {
                    next.push(import.clone());
                }
            }
        }
        seen
    };
    let reached: BTreeMap<&Name, BTreeSet<Name>> = files.keys().map(|name| (name, reach(name))).collect();
    let mut groups = BTreeSet::new();
    for (name, of) in &reached {
        if of.contains(*name) {
            let group = of.iter().filter(|other| reached.get(other).is_some_and(|back| back.contains(*name)));
            groups.insert(group.cloned().collect::<Vec<_>>());
        }
    }
    groups.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(&str, &[&str])]) -> BTreeMap<Name, BTreeSet<Name>> {
        edges
            .iter()
            .map(|(from, to)| ((*from).to_owned(), to.iter().map(|name| (*name).to_owned()).collect()))
            .collect()
    }

    #[test]
    fn an_import_from_a_sibling_is_found() {
        let files = graph(&[("a/x", &["a/y", "b"]), ("a/y/one", &["a/y/two", "a"]), ("a", &["a/x"])]);
        assert_eq!(between_siblings(&files, "a"), ["a/x.rs imports its sibling a/y"]);
    }

    #[test]
    fn an_upward_import_is_found() {
        let files = graph(&[("a/x", &["b"]), ("b", &["a/x"]), ("c", &[])]);
        assert_eq!(
            upward(&files, &["a", "b", "c"], &[]),
            ["b.rs imports a/x, which is in a room above its own"]
        );
        assert_eq!(upward(&files, &["a", "b", "c"], &[("b.rs", "a::x")]), [""; 0]);
        assert_eq!(upward(&files, &["b", "a"], &[]).len(), 2, "a's import, and c, which is in no room");
    }

    #[test]
    fn every_way_to_name_a_file_of_the_crate_is_resolved() {
        let names: BTreeSet<Name> = ["a", "a/x", "a/x/y", "b"].map(str::to_owned).into();
        let file = |name: &str, path: &str| {
            let path: Vec<String> = path.split("::").map(str::to_owned).collect();
            imported_file(name, &path, &names).unwrap_or_default()
        };
        assert_eq!(file("b", "crate::a::x::Item"), "a/x");
        assert_eq!(file("a/x", "super::Item"), "a");
        assert_eq!(file("a/x", "super::super::b::Item"), "b");
        assert_eq!(file("a/x", "self::y::Item"), "a/x/y");
        assert_eq!(file("a", "x::Item"), "a/x", "a child");
        assert_eq!(file("a", "std::fs"), "");
    }

    #[test]
    fn a_cycle_is_found_and_a_tree_is_not() {
        let tree = graph(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &["c"])]);
        assert_eq!(cycles(&tree), [[""; 0]; 0]);
        let cycle = graph(&[("a", &["b"]), ("b", &["c"]), ("c", &["a"]), ("d", &["a"])]);
        assert_eq!(cycles(&cycle), [["a", "b", "c"]]);
    }
}
