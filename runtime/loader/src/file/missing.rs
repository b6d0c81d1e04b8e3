//! The imports of a file that this system does not have.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use crate::file::{
    imports::Imports,
    libraries::{self, Library},
    origin,
};

/// An import that this system does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// A library.
    Library {
        /// Its name.
        name: String,
    },
    /// A version of a library's symbols.
    Version {
        /// The name of the library in the file.
        library: String,
        /// The version: `GLIBC_2.99`.
        version: String,
        /// The symbols that need it.
        symbols: Vec<String>,
    },
    /// A symbol.
    Symbol {
        /// Its name.
        name: String,
    },
    /// A library requests an executable stack, which is refused.
    ExecutableStack {
        /// The name of the library.
        library: String,
    },
}

// === impl Imports ===

impl Imports {
    /// The imports that this system does not have. `file` is the path of the file, for `$ORIGIN`. Libraries
    /// are found as the dynamic linker of a new process finds them, and read.
    pub fn missing(&self, file: &Path) -> Vec<Missing> {
        let found = libraries::read_all(self, &origin::directory_of(file));
        let mut missing: Vec<Missing> =
            found.missing.iter().map(|name| Missing::Library { name: name.clone() }).collect();
        let stacks = found.executable_stack.iter().cloned();
        missing.extend(stacks.map(|library| Missing::ExecutableStack { library }));
        let mut versions: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
        let mut symbols = BTreeSet::new();
        for symbol in self.symbols.iter().filter(|symbol| !symbol.is_weak) {
            let name = &symbol.name;
            let is_in = |library: &Library, version| library.exports(name, version);
            match &symbol.version {
                Some((version, library)) => match found.libraries.get(library) {
                    // The library itself is reported as missing.
                    None => {}
                    Some(of) if !of.versions.is_empty() && !of.versions.contains(version) => {
                        versions.entry((library, version)).or_default().push(name.clone());
                    }
                    Some(_) if found.libraries.values().any(|of| is_in(of, Some(version))) => {}
                    Some(_) => drop(symbols.insert(name)),
                },
                // A missing library may define it.
                None if !found.missing.is_empty() => {}
                None if found.libraries.values().any(|of| is_in(of, None)) => {}
                None => drop(symbols.insert(name)),
            }
        }
        missing.extend(versions.into_iter().map(|((library, version), symbols)| Missing::Version {
            library: library.to_owned(),
            version: version.to_owned(),
            symbols,
        }));
        missing.extend(symbols.into_iter().map(|name| Missing::Symbol { name: name.clone() }));
        missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn this_test() -> Vec<u8> {
        std::fs::read(std::env::current_exe().unwrap()).unwrap()
    }

    /// The imports after replacing a string in the file by another of the same length.
    fn patched(from: &str, to: &str) -> Imports {
        assert_eq!(from.len(), to.len());
        let mut bytes = this_test();
        let (from, to) = (format!("\0{from}\0"), format!("\0{to}\0"));
        // The first match is in .dynstr, which is loaded and so precedes the debug sections.
        let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        Imports::read(&bytes).unwrap()
    }

    #[test]
    fn a_program_that_runs_has_no_missing_imports() {
        let file = std::env::current_exe().unwrap();
        let imports = Imports::read(&this_test()).unwrap();
        assert!(imports.libraries.iter().any(|library| library == "libc.so.6"), "{imports:?}");
        let malloc = imports.symbols.iter().find(|symbol| symbol.name == "malloc").unwrap();
        assert_eq!(malloc.version.as_ref().unwrap().1, "libc.so.6");
        assert!(!imports.executable_stack);
        assert_eq!(imports.missing(&file), []);
    }

    #[test]
    fn missing_imports_are_named() {
        let file = std::env::current_exe().unwrap();
        let library = patched("libgcc_s.so.1", "libgcc_x.so.1");
        let missing = library.missing(&file);
        assert!(missing.contains(&Missing::Library { name: "libgcc_x.so.1".to_owned() }), "{missing:?}");
        let version = patched("GLIBC_2.34", "GLIBC_9.99").missing(&file);
        let is_it = |of: &Missing| matches!(of, Missing::Version { version, .. } if version == "GLIBC_9.99");
        assert!(version.iter().any(is_it) && version.len() == 1, "{version:?}");
        let symbol = patched("pthread_setname_np", "pthread_setname_xx").missing(&file);
        assert_eq!(symbol, [Missing::Symbol { name: "pthread_setname_xx".to_owned() }]);
    }
}
