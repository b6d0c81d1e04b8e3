//! Finds and reads the libraries that the dynamic linker would map. Nothing is mapped or executed.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    fs,
    path::{Path, PathBuf},
};

use object::{
    LittleEndian as LE,
    elf::{self, FileHeader64},
    read::elf::{FileHeader, Sym, VersionTable},
};

use crate::file::{
    elf::header,
    imports::Imports,
    origin::expand,
    search::{Paths, system_directories},
};

/// Libraries that every program with a runtime has mapped, so a file may use them without listing them.
const PROGRAM_LIBRARIES: [&str; 3] = ["libc.so.6", "libm.so.6", "libgcc_s.so.1"];
/// The most libraries that are read for one file.
const LIBRARIES_MAX: usize = 512;

/// The definitions of a library.
#[derive(Debug, Default)]
pub(crate) struct Library {
    /// The versions of its symbols; empty for a library without versions.
    pub(crate) versions: HashSet<String>,
    /// Names with their versions.
    symbols: HashSet<(String, Option<String>)>,
    names: HashSet<String>,
}

/// The libraries of a file.
#[derive(Debug, Default)]
pub(crate) struct Libraries {
    /// By the name that the file, or one of its libraries, uses.
    pub(crate) libraries: BTreeMap<String, Library>,
    /// The libraries that the linker would not find.
    pub(crate) missing: Vec<String>,
    /// The libraries that request an executable stack.
    pub(crate) executable_stack: Vec<String>,
}

/// The libraries that the linker would map with a file.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// The path of each library, by name.
    pub(crate) paths: HashMap<String, PathBuf>,
    /// The first library that requests an executable stack, directly or indirectly needed.
    pub(crate) executable_stack: Option<String>,
}

/// A needed library, found or not.
struct Needed<'a> {
    name: &'a str,
    path: Option<&'a Path>,
    bytes: Option<&'a [u8]>,
    imports: &'a Imports,
}

// === impl Library ===

impl Library {
    /// Whether it defines the symbol, in this version if one is given. A library without versions matches
    /// every version.
    pub(crate) fn exports(&self, name: &str, version: Option<&String>) -> bool {
        match version {
            Some(version) if !self.versions.is_empty() => {
                self.symbols.contains(&(name.to_owned(), Some(version.clone())))
            }
            _ => self.names.contains(name),
        }
    }

    fn read(bytes: &[u8]) -> object::read::Result<Self> {
        let header = FileHeader64::<LE>::parse(bytes)?;
        let sections = header.sections(LE, bytes)?;
        let symbols = sections.symbols(LE, bytes, elf::SHT_DYNSYM)?;
        let versions: Option<VersionTable<'_, FileHeader64<LE>>> = sections.versions(LE, bytes)?;
        let mut library = Library::default();
        if let Some((mut definitions, link)) = sections.gnu_verdef(LE, bytes)? {
            let strings = sections.strings(LE, bytes, link)?;
            while let Some((_, mut names)) = definitions.next()? {
                if let Some(name) = names.next()? {
                    library.versions.insert(text(name.name(LE, strings)?));
                }
            }
        }
        for (index, symbol) in symbols.enumerate() {
            if symbol.is_undefined(LE) {
                continue;
            }
            let name = text(symbols.symbol_name(LE, symbol)?);
            let version = match &versions {
                Some(table) => {
                    table.version(table.version_index(LE, index).index())?.map(|of| text(of.name()))
                }
                None => None,
            };
            library.names.insert(name.clone());
            library.symbols.insert((name, version));
        }
        Ok(library)
    }
}

// === Finding ===

/// Reads the libraries of a file in the directory `origin`, their libraries, and those of every program.
pub(crate) fn read_all(imports: &Imports, origin: &str) -> Libraries {
    let mut found = Libraries::default();
    walk(imports, origin, &mut |Needed { name, bytes, imports, .. }| match bytes {
        Some(bytes) => {
            if imports.executable_stack {
                found.executable_stack.push(name.to_owned());
            }
            found.libraries.insert(name.to_owned(), Library::read(bytes).unwrap_or_default());
        }
        None => found.missing.push(name.to_owned()),
    });
    found
}

/// The libraries that the linker would map with a file in the directory `origin`.
pub(crate) fn survey(imports: &Imports, origin: &str) -> Survey {
    let mut survey = Survey::default();
    walk(imports, origin, &mut |Needed { name, path, imports, .. }| {
        survey.paths.extend(path.map(|path| (name.to_owned(), path.to_owned())));
        if imports.executable_stack {
            survey.executable_stack.get_or_insert_with(|| name.to_owned());
        }
    });
    survey
}

/// Visits each library once, in the order in which the linker maps them.
fn walk(imports: &Imports, origin: &str, visit: &mut dyn FnMut(Needed<'_>)) {
    let system = system_directories();
    let paths = Paths::new(imports, origin, None, &system);
    let own = imports.libraries.iter().map(|name| (expand(name, origin), paths.clone()));
    let mut next: VecDeque<(String, Paths)> = own.collect();
    // A program library that no file needs may be missing.
    let mut named: HashSet<String> = next.iter().map(|(name, _)| name.clone()).collect();
    next.extend(PROGRAM_LIBRARIES.map(|name| (name.to_owned(), paths.clone())));
    let mut seen = HashSet::new();
    while let Some((name, paths)) = next.pop_front() {
        if seen.len() >= LIBRARIES_MAX || !seen.insert(name.clone()) {
            continue;
        }
        let Some((path, bytes)) = find(&name, &paths.all) else {
            if named.contains(&name) {
                visit(Needed { name: &name, path: None, bytes: None, imports: &Imports::default() });
            }
            continue;
        };
        // If the library is damaged, the linker will refuse it. Its imports are unknown.
        let imports = Imports::without_symbols(&bytes).unwrap_or_default();
        let origin = path.parent().unwrap_or(Path::new("/")).to_string_lossy().into_owned();
        let paths = Paths::new(&imports, &origin, Some(&paths), &system);
        for name in &imports.libraries {
            let name = expand(name, &origin);
            named.insert(name.clone());
            next.push_back((name, paths.clone()));
        }
        visit(Needed { name: &name, path: Some(&path), bytes: Some(&bytes), imports: &imports });
    }
}

/// The first library with this name that is for this machine, with its bytes.
fn find(name: &str, directories: &[PathBuf]) -> Option<(PathBuf, Vec<u8>)> {
    // A name with a slash is a path.
    let candidates: Vec<PathBuf> = match name.contains('/') {
        true => vec![PathBuf::from(name)],
        false => directories.iter().map(|directory| directory.join(name)).collect(),
    };
    let this_machine = if cfg!(target_arch = "aarch64") { elf::EM_AARCH64 } else { elf::EM_X86_64 };
    candidates.into_iter().find_map(|candidate| {
        let bytes = fs::read(&candidate).ok()?;
        let is_for_this = header(&bytes).is_ok_and(|header| header.e_machine.get(LE) == this_machine);
        is_for_this.then_some((candidate, bytes))
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libc_is_found_with_its_versions() {
        let imports = Imports { libraries: vec!["libc.so.6".to_owned()], ..Imports::default() };
        let found = read_all(&imports, "/nowhere");
        let libc = &found.libraries["libc.so.6"];
        let version = "GLIBC_2.34".to_owned();
        assert!(libc.exports("pthread_create", None) && libc.versions.contains(&version));
        assert!(libc.exports("dlopen", Some(&version)), "the version is compared, not only the name");
        assert!(!libc.exports("dlopen", Some(&"GLIBC_9.99".to_owned())));
        assert!(!libc.exports("no_such_function", None));
        assert!(found.missing.is_empty());
    }
}
