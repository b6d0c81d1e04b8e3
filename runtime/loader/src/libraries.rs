//! The libraries that the dynamic linker would find, read as files. Nothing is mapped or executed.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    env, fs,
    path::{Path, PathBuf},
};

use object::{
    LittleEndian as LE,
    elf::{self, FileHeader64},
    read::elf::{FileHeader, Sym, VersionTable},
};

use crate::{elf::header, imports::Imports};

/// Where the linker looks last.
const DEFAULTS: [&str; 8] = [
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/lib/aarch64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
];
/// The linker's configuration.
const CONFIGURATION: &str = "/etc/ld.so.conf";
/// How deep its files may include each other.
const INCLUDES_MAX: usize = 8;
/// Libraries that every program with a runtime has, so a file may use them without naming them.
const OF_THE_PROGRAM: [&str; 3] = ["libc.so.6", "libm.so.6", "libgcc_s.so.1"];
/// How many libraries are read for one file.
const LIBRARIES_MAX: usize = 512;

/// What a library defines.
#[derive(Debug, Default)]
pub(crate) struct Library {
    /// The versions of its symbols; none for a library without versions.
    pub(crate) versions: HashSet<String>,
    /// Names with their version.
    symbols: HashSet<(String, Option<String>)>,
    names: HashSet<String>,
}

/// The libraries of a file.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// By the name that the file, or one of them, uses.
    pub(crate) libraries: BTreeMap<String, Library>,
    /// Those that the file names and the linker would not find.
    pub(crate) missing: Vec<String>,
}

// === impl Library ===

impl Library {
    /// Whether it defines the symbol, in this version if one is asked for. A library without versions has all of them.
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

/// The directories in which the linker looks for the libraries of this file, in order.
pub(crate) fn search_path(of_file: &[String], file: &Path) -> Vec<PathBuf> {
    let origin = file.canonicalize().ok().and_then(|file| file.parent().map(Path::to_owned));
    let origin = origin.unwrap_or_default().to_string_lossy().into_owned();
    let expand = |path: &String| path.replace("${ORIGIN}", &origin).replace("$ORIGIN", &origin);
    let mut path: Vec<PathBuf> = of_file.iter().map(|entry| PathBuf::from(expand(entry))).collect();
    if let Some(variable) = env::var_os("LD_LIBRARY_PATH") {
        path.extend(env::split_paths(&variable).filter(|entry| !entry.as_os_str().is_empty()));
    }
    configured(Path::new(CONFIGURATION), INCLUDES_MAX, &mut path);
    path.extend(DEFAULTS.iter().map(PathBuf::from));
    path
}

/// The directories that a file of the linker's configuration names, with those of the files that it includes.
fn configured(file: &Path, includes_left: usize, path: &mut Vec<PathBuf>) {
    let Ok(text) = fs::read_to_string(file) else { return };
    for line in text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()) {
        match line.strip_prefix("include ") {
            None if line.starts_with('/') => path.push(PathBuf::from(line)),
            Some(pattern) if includes_left > 0 => {
                for included in matching(pattern.trim(), file) {
                    configured(&included, includes_left - 1, path);
                }
            }
            _ => {}
        }
    }
}

/// The files that a pattern with at most one `*`, in its last part, stands for.
fn matching(pattern: &str, relative_to: &Path) -> Vec<PathBuf> {
    let pattern = relative_to.parent().unwrap_or(Path::new("/")).join(pattern);
    let name = pattern.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let Some((start, end)) = name.split_once('*') else { return vec![pattern] };
    let entries = pattern.parent().and_then(|directory| fs::read_dir(directory).ok()).into_iter().flatten();
    let fits = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        name.starts_with(start) && name.ends_with(end)
    };
    let mut files: Vec<PathBuf> =
        entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).filter(fits).collect();
    files.sort();
    files
}

/// Reads these libraries, those that they need, and those of every program.
pub(crate) fn load(names: &[String], path: &[PathBuf]) -> Found {
    let mut found = Found::default();
    let mut next: VecDeque<String> = names.iter().cloned().collect();
    next.extend(OF_THE_PROGRAM.map(str::to_owned));
    while let Some(name) = next.pop_front() {
        if found.libraries.contains_key(&name) || found.libraries.len() >= LIBRARIES_MAX {
            continue;
        }
        match find(&name, path) {
            Some(bytes) => {
                if let Ok(imports) = Imports::read(&bytes) {
                    next.extend(imports.libraries);
                }
                found.libraries.insert(name, Library::read(&bytes).unwrap_or_default());
            }
            None if names.contains(&name) && !found.missing.contains(&name) => found.missing.push(name),
            None => {}
        }
    }
    found
}

/// The bytes of the first library of this name that is for this machine.
fn find(name: &str, path: &[PathBuf]) -> Option<Vec<u8>> {
    // A name with a slash is a path.
    let candidates: Vec<PathBuf> = match name.contains('/') {
        true => vec![PathBuf::from(name)],
        false => path.iter().map(|directory| directory.join(name)).collect(),
    };
    let this_machine = if cfg!(target_arch = "aarch64") { elf::EM_AARCH64 } else { elf::EM_X86_64 };
    candidates.iter().find_map(|candidate| {
        let bytes = fs::read(candidate).ok()?;
        header(&bytes).is_ok_and(|header| header.e_machine.get(LE) == this_machine).then_some(bytes)
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
        let found = load(&["libc.so.6".to_owned()], &search_path(&[], Path::new("/nowhere/x.so")));
        let libc = &found.libraries["libc.so.6"];
        let version = "GLIBC_2.34".to_owned();
        assert!(libc.exports("pthread_create", None) && libc.versions.contains(&version));
        assert!(libc.exports("dlopen", Some(&version)), "and not only its name is compared:");
        assert!(!libc.exports("dlopen", Some(&"GLIBC_9.99".to_owned())));
        assert!(!libc.exports("no_such_function", None));
        assert!(found.missing.is_empty());
    }

    #[test]
    fn the_configuration_includes_files_by_pattern() {
        let directory = env::temp_dir().join(format!("segue-libraries-{}", std::process::id()));
        fs::create_dir_all(directory.join("more.d")).unwrap();
        fs::write(directory.join("conf"), "# first\ninclude more.d/*.conf\n/last\n").unwrap();
        fs::write(directory.join("more.d/a.conf"), "/one # here\n").unwrap();
        fs::write(directory.join("more.d/b.other"), "/two\n").unwrap();
        let mut path = Vec::new();
        configured(&directory.join("conf"), INCLUDES_MAX, &mut path);
        assert_eq!(path, [PathBuf::from("/one"), PathBuf::from("/last")]);
        let own = search_path(&["$ORIGIN/../x".to_owned()], &directory.join("conf"));
        assert_eq!(own[0], directory.canonicalize().unwrap().join("../x"));
        fs::remove_dir_all(directory).unwrap();
    }
}
