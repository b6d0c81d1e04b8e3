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

/// Imports that run upward all the same, each with its reason: `(file, path)`.
pub const HOST_EXCEPTIONS: &[(&str, &str)] = &[
    // A cleanup task names the version whose thread-locals it destroys. The file imports nothing else of the room.
    ("threads/registered.rs", "module::version"),
];

/// The rooms of `runtime/loader/src`.
///
/// A test calls `upward(&imports_of("runtime/loader/src")?, LOADER, &[])`. There are no exceptions.
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

/// A file, by its path below `src` without `.rs` and `/mod`.
type Name = String;

/// The imports of each file of a crate, as files.
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
        files.insert(name, imports::of_crate(&fs::read_to_string(&path)?));
    }
    let names: BTreeSet<Name> = files.keys().cloned().collect();
    let resolve = |path: &Vec<String>| {
        // The longest prefix that is a file has the thing.
        let candidates = (1..=path.len()).rev().map(|length| path[..length].join("/"));
        candidates.into_iter().find(|name| names.contains(name))
    };
    Ok(files.iter().map(|(name, paths)| (name.clone(), paths.iter().filter_map(resolve).collect())).collect())
}

/// The room of a file.
fn room(name: &str) -> &str {
    name.split('/').next().unwrap_or(name)
}

/// Imports that run upward by this table of rooms, and files that are in no room of it, in words.
pub fn upward(
    files: &BTreeMap<Name, BTreeSet<Name>>,
    rooms: &[&str],
    exceptions: &[(&str, &str)],
) -> Vec<String> {
    let level = |name: &str| rooms.iter().position(|of| *of == room(name));
    let mut wrong = Vec::new();
    for (name, imports) in files.iter().filter(|(name, _)| !matches!(name.as_str(), "lib" | "main" | "guide"))
    {
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

/// Groups of files that import each other in a circle.
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
    fn an_import_that_runs_upward_is_found() {
        let files = graph(&[("a/x", &["b"]), ("b", &["a/x"]), ("c", &[])]);
        assert_eq!(
            upward(&files, &["a", "b", "c"], &[]),
            ["b.rs imports a/x, which is in a room above its own"]
        );
        assert_eq!(upward(&files, &["a", "b", "c"], &[("b.rs", "a::x")]), [""; 0]);
        assert_eq!(upward(&files, &["b", "a"], &[]).len(), 2, "a's import, and c, which is in no room");
    }

    #[test]
    fn a_circle_is_found_and_a_tree_is_not() {
        let tree = graph(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &["c"])]);
        assert_eq!(cycles(&tree), [[""; 0]; 0]);
        let circle = graph(&[("a", &["b"]), ("b", &["c"]), ("c", &["a"]), ("d", &["a"])]);
        assert_eq!(cycles(&circle), [["a", "b", "c"]]);
    }
}
