//! The directories that the dynamic linker searches for libraries.

use std::{
    env, fs,
    path::{Path, PathBuf},
    rc::Rc,
};

use crate::file::{imports::Imports, origin::expand};

/// The directories that the linker searches last.
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
/// The configuration file of the linker.
const CONFIGURATION: &str = "/etc/ld.so.conf";
/// How deep configuration files may include each other.
const INCLUDES_MAX: usize = 8;

/// The directories in which the linker searches for the libraries of one file.
#[derive(Clone)]
pub(crate) struct Paths {
    pub(crate) all: Rc<[PathBuf]>,
    /// The directories that also apply to the libraries of its libraries.
    inherited: Rc<[PathBuf]>,
}

// === impl Paths ===

impl Paths {
    /// For a file in the directory `origin`, which the file with the paths `loader` needs. `system` is
    /// searched last.
    pub(crate) fn new(imports: &Imports, origin: &str, loader: Option<&Paths>, system: &[PathBuf]) -> Self {
        let own = imports.search.iter().map(|entry| PathBuf::from(expand(entry, origin)));
        let variable = env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
        let variable: Vec<PathBuf> =
            env::split_paths(&variable).filter(|entry| !entry.as_os_str().is_empty()).collect();
        let has_runpath = !imports.search.is_empty() && !imports.search_is_inherited;
        if has_runpath {
            let all = variable.into_iter().chain(own).chain(system.iter().cloned()).collect();
            return Paths { all, inherited: Rc::new([]) };
        }
        let of_loader = loader.iter().flat_map(|loader| loader.inherited.iter().cloned());
        let inherited: Rc<[PathBuf]> = own.chain(of_loader).collect();
        let all = inherited.iter().cloned().chain(variable).chain(system.iter().cloned()).collect();
        Paths { all, inherited }
    }
}

/// The directories that the linker searches for every file, in order.
pub(crate) fn system_directories() -> Vec<PathBuf> {
    let mut path = Vec::new();
    read_configuration(Path::new(CONFIGURATION), INCLUDES_MAX, &mut path);
    path.extend(DEFAULTS.iter().map(PathBuf::from));
    path
}

/// Adds the directories of a configuration file and of the files that it includes.
fn read_configuration(file: &Path, includes_left: usize, path: &mut Vec<PathBuf>) {
    let Ok(text) = fs::read_to_string(file) else { return };
    for line in text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()) {
        match line.strip_prefix("include ") {
            None if line.starts_with('/') => path.push(PathBuf::from(line)),
            Some(pattern) if includes_left > 0 => {
                for included in matching_files(pattern.trim(), file) {
                    read_configuration(&included, includes_left - 1, path);
                }
            }
            _ => {}
        }
    }
}

/// The files that match a pattern with at most one `*`, in the file name.
fn matching_files(pattern: &str, relative_to: &Path) -> Vec<PathBuf> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_includes_files_by_pattern() {
        let directory = env::temp_dir().join(format!("segue-libraries-{}", std::process::id()));
        fs::create_dir_all(directory.join("more.d")).unwrap();
        fs::write(directory.join("conf"), "# first\ninclude more.d/*.conf\n/last\n").unwrap();
        fs::write(directory.join("more.d/a.conf"), "/one # here\n").unwrap();
        fs::write(directory.join("more.d/b.other"), "/two\n").unwrap();
        let mut path = Vec::new();
        read_configuration(&directory.join("conf"), INCLUDES_MAX, &mut path);
        assert_eq!(path, [PathBuf::from("/one"), PathBuf::from("/last")]);
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn an_inherited_path_is_searched_first_and_a_runpath_after_the_variable() {
        let imports = |search: &[&str], search_is_inherited| Imports {
            search: search.iter().map(|entry| (*entry).to_owned()).collect(),
            search_is_inherited,
            ..Imports::default()
        };
        let system = [PathBuf::from("/usr/lib")];
        let rpath = Paths::new(&imports(&["$ORIGIN/../lib"], true), "/opt/app", None, &system);
        assert_eq!(rpath.all[0], Path::new("/opt/app/../lib"));
        let of_library = Paths::new(&imports(&[], false), "/x", Some(&rpath), &system);
        assert_eq!(of_library.all[0], Path::new("/opt/app/../lib"));
        let runpath = Paths::new(&imports(&["$ORIGIN/lib"], false), "/x", Some(&rpath), &system);
        assert!(!runpath.all.contains(&PathBuf::from("/opt/app/../lib")), "it has its own");
        assert_eq!(runpath.all[runpath.all.len() - 2..], [Path::new("/x/lib"), Path::new("/usr/lib")]);
    }
}
