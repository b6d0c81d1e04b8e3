//! What the dynamic linker says when it refuses a file, as an error of its own kind.
//!
//! The texts are those of glibc without a translation. A text that is not known is passed on as it is.

use std::{
    error::Error,
    ffi::CString,
    mem::MaybeUninit,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use crate::{error::MapError, file::candidate::Staged};

/// How glibc says that a file is not there, after the file's name.
const NOT_FOUND: &str = ": cannot open shared object file: No such file or directory";
/// How it says that a library would make all stacks executable and that it may not.
const STACK: &str = "cannot enable executable stack";

// === impl MapError ===

impl MapError {
    /// Why the dynamic linker did not map the private copy.
    pub(crate) fn from_linker(source: &libloading::Error, staged: &Staged) -> Self {
        let words = linker_message(source);
        let private = staged.path.display().to_string();
        match parse(&words, &private) {
            Some(parse) => parse.with_message(staged.in_users_words(&words)),
            None => {
                let directory = directory_of(&words, &staged.path);
                let words = staged.in_users_words(&words);
                match is_noexec(&directory) {
                    true => MapError::Noexec { directory, words },
                    false => MapError::Open { words },
                }
            }
        }
    }

    fn with_message(mut self, said: String) -> Self {
        match &mut self {
            MapError::MissingSymbol { words, .. }
            | MapError::MissingVersion { words, .. }
            | MapError::MissingLibrary { words, .. }
            | MapError::ExecutableStack { words, .. } => *words = said,
            _ => {}
        }
        self
    }
}

// === impl Staged ===

impl Staged {
    /// What somebody said of the private copy, with the file in its place that the user knows.
    pub(crate) fn in_users_words(&self, words: &str) -> String {
        let private = self.path.display().to_string();
        // Whoever reads it has been told the file.
        let words = words.strip_prefix(&format!("{private}: ")).unwrap_or(words);
        let file = self.file.as_ref().map_or("the module".to_owned(), |file| file.display().to_string());
        words.replace(&private, &file)
    }
}

/// The dynamic linker's own words.
pub(crate) fn linker_message(source: &libloading::Error) -> String {
    source.source().map_or_else(|| source.to_string(), |words| words.to_string())
}

/// What the words say, without them; none where they are not known. `private` is the private copy.
fn parse(words: &str, private: &str) -> Option<MapError> {
    let later = String::new;
    if let Some((_, symbol)) = words.split_once(": undefined symbol: ") {
        let symbol = symbol.split(", version ").next().unwrap_or(symbol).to_owned();
        return Some(MapError::MissingSymbol { symbol, words: later() });
    }
    if words.contains(" not defined in file ") && words.ends_with(" with link time reference") {
        let symbol = words.split_once("symbol ")?.1.split([' ', ',']).next()?.to_owned();
        return Some(MapError::MissingSymbol { symbol, words: later() });
    }
    if let Some((library, rest)) = words.split_once(": version `") {
        let version = rest.split_once("' not found")?.0.to_owned();
        let library = library.rsplit('/').next().unwrap_or(library).to_owned();
        return Some(MapError::MissingVersion { version, library, words: later() });
    }
    if let Some(name) = words.strip_suffix(NOT_FOUND) {
        // The private copy is no library: somebody has removed it.
        return (name != private).then(|| MapError::MissingLibrary { name: name.to_owned(), words: later() });
    }
    if words.contains(STACK) {
        let file = words.split(": ").next().filter(|file| *file != private).map(str::to_owned);
        return Some(MapError::ExecutableStack { file, words: later() });
    }
    None
}

/// The directory of the file that the words begin with; of the private copy where they name none.
fn directory_of(words: &str, private: &Path) -> PathBuf {
    let named = words.split(": ").next().map(Path::new).filter(|named| named.is_absolute());
    named.unwrap_or(private).parent().unwrap_or(Path::new("/")).to_owned()
}

/// Whether nothing on the file system of this directory may be run. False where that is not known.
fn is_noexec(directory: &Path) -> bool {
    let Ok(path) = CString::new(directory.as_os_str().as_bytes()) else { return false };
    let mut about = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the path is a C string, and there is room for the answer.
    if unsafe { libc::statvfs(path.as_ptr(), about.as_mut_ptr()) } != 0 {
        return false;
    }
    // SAFETY: it was filled in, as the call succeeded.
    unsafe { about.assume_init() }.f_flag & libc::ST_NOEXEC != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRIVATE: &str = "/var/lib/segue/stage/shop-g2-0.so";

    fn parse(words: &str) -> MapError {
        super::parse(words, PRIVATE).unwrap_or_else(|| panic!("{words}"))
    }

    #[test]
    fn each_text_of_glibc_is_its_own_error() {
        for words in [
            "/var/lib/segue/stage/shop-g2-0.so: undefined symbol: shop_open",
            "/opt/libx.so: undefined symbol: shop_open, version SHOP_1",
            "/opt/libx.so: symbol shop_open version SHOP_1 not defined in file libc.so.6 with link time reference",
            "/opt/libx.so: symbol shop_open, version SHOP_1 not defined in file libc.so.6 with link time reference",
        ] {
            assert!(matches!(parse(words), MapError::MissingSymbol { symbol, .. } if symbol == "shop_open"));
        }
        let words = format!("/lib/libc.so.6: version `GLIBC_2.99' not found (required by {PRIVATE})");
        let MapError::MissingVersion { version, library, .. } = parse(&words) else { panic!() };
        assert_eq!((&*version, &*library), ("GLIBC_2.99", "libc.so.6"));
        let missing = parse(&format!("libx.so.1{NOT_FOUND}"));
        assert!(matches!(missing, MapError::MissingLibrary { name, .. } if name == "libx.so.1"));
        let stack =
            parse("/opt/libx.so: cannot enable executable stack as shared object requires: Invalid argument");
        assert!(
            matches!(stack, MapError::ExecutableStack { file: Some(file), .. } if file == "/opt/libx.so")
        );
    }

    #[test]
    fn what_is_not_known_is_not_guessed() {
        let mapping = format!("{PRIVATE}: failed to map segment from shared object: Operation not permitted");
        for words in [
            &*mapping,
            &format!("{PRIVATE}{NOT_FOUND}"),
            "libx.so: cannot open shared object file: Permission denied",
            "",
        ] {
            assert!(super::parse(words, PRIVATE).is_none(), "{words}");
        }
        assert_eq!(directory_of(&mapping, Path::new("/a/b")), Path::new("/var/lib/segue/stage"));
        assert_eq!(directory_of("", Path::new("/a/b")), Path::new("/a"));
    }

    #[test]
    fn the_system_says_what_is_mounted_noexec() {
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
        let noexec = mounts.lines().find(|mount| mount.contains("noexec") && !mount.contains("\\0"));
        match noexec.and_then(|mount| mount.split(' ').nth(1)) {
            Some(directory) => assert!(is_noexec(Path::new(directory)), "{directory}"),
            None => println!("nothing is mounted noexec here; segue-tests mounts something"),
        }
        assert!(!is_noexec(Path::new("/lib")) && !is_noexec(Path::new("/nowhere/at/all")));
    }
}
