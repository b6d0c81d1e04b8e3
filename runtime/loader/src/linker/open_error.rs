//! Turns the messages of the dynamic linker into typed errors.
//!
//! The messages are those of glibc, untranslated. An unknown message is passed on unchanged.

use std::{
    error::Error,
    ffi::CString,
    mem::MaybeUninit,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use crate::{error::MapError, file::candidate::Staged};

/// The end of glibc's message for a missing file. The name of the file precedes it.
const NOT_FOUND: &str = ": cannot open shared object file: No such file or directory";
/// Part of glibc's message for a library that needs an executable stack.
const EXECUTABLE_STACK: &str = "cannot enable executable stack";

// === impl MapError ===

impl MapError {
    /// Why the dynamic linker did not map the private copy.
    pub(crate) fn from_linker(source: &libloading::Error, staged: &Staged) -> Self {
        let message = linker_message(source);
        let private = staged.path.display().to_string();
        match parse(&message, &private) {
            Some(error) => error.with_message(staged.with_user_path(&message)),
            None => {
                let directory = directory_of(&message, &staged.path);
                let linker_message = staged.with_user_path(&message);
                match is_noexec(&directory) {
                    true => MapError::Noexec { directory, linker_message },
                    false => MapError::Open { linker_message },
                }
            }
        }
    }

    fn with_message(mut self, message: String) -> Self {
        match &mut self {
            MapError::MissingSymbol { linker_message, .. }
            | MapError::MissingVersion { linker_message, .. }
            | MapError::MissingLibrary { linker_message, .. }
            | MapError::ExecutableStack { linker_message, .. } => *linker_message = message,
            _ => {}
        }
        self
    }
}

// === impl Staged ===

impl Staged {
    /// Replaces the path of the private copy in a message by the path of the file that the user knows.
    pub(crate) fn with_user_path(&self, message: &str) -> String {
        let private = self.path.display().to_string();
        // The error names the file already.
        let message = message.strip_prefix(&format!("{private}: ")).unwrap_or(message);
        let file = self.file.as_ref().map_or("the module".to_owned(), |file| file.display().to_string());
        message.replace(&private, &file)
    }
}

/// The message of the dynamic linker.
pub(crate) fn linker_message(source: &libloading::Error) -> String {
    source.source().map_or_else(|| source.to_string(), |message| message.to_string())
}

/// The error that a message describes, with an empty `linker_message`; `None` if the message is unknown.
/// `private` is the path of the private copy.
fn parse(message: &str, private: &str) -> Option<MapError> {
    let linker_message = String::new();
    if let Some((_, symbol)) = message.split_once(": undefined symbol: ") {
        let symbol = symbol.split(", version ").next().unwrap_or(symbol).to_owned();
        return Some(MapError::MissingSymbol { symbol, linker_message });
    }
    if message.contains(" not defined in file ") && message.ends_with(" with link time reference") {
        let symbol = message.split_once("symbol ")?.1.split([' ', ',']).next()?.to_owned();
        return Some(MapError::MissingSymbol { symbol, linker_message });
    }
    if let Some((library, rest)) = message.split_once(": version `") {
        let version = rest.split_once("' not found")?.0.to_owned();
        let library = library.rsplit('/').next().unwrap_or(library).to_owned();
        return Some(MapError::MissingVersion { version, library, linker_message });
    }
    if let Some(name) = message.strip_suffix(NOT_FOUND) {
        // Not the private copy: then it was removed, and no library is missing.
        return (name != private).then(|| MapError::MissingLibrary { name: name.to_owned(), linker_message });
    }
    if message.contains(EXECUTABLE_STACK) {
        let file = message.split(": ").next().filter(|file| *file != private).map(str::to_owned);
        return Some(MapError::ExecutableStack { file, linker_message });
    }
    None
}

/// The directory of the file that the message starts with, or of the private copy if it names none.
fn directory_of(message: &str, private: &Path) -> PathBuf {
    let named = message.split(": ").next().map(Path::new).filter(|named| named.is_absolute());
    named.unwrap_or(private).parent().unwrap_or(Path::new("/")).to_owned()
}

/// Whether the file system of this directory is mounted `noexec`. False if that is unknown.
fn is_noexec(directory: &Path) -> bool {
    let Ok(path) = CString::new(directory.as_os_str().as_bytes()) else { return false };
    let mut info = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the path is a C string, and `info` has room for the result.
    if unsafe { libc::statvfs(path.as_ptr(), info.as_mut_ptr()) } != 0 {
        return false;
    }
    // SAFETY: the call succeeded, so it has initialized `info`.
    unsafe { info.assume_init() }.f_flag & libc::ST_NOEXEC != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRIVATE: &str = "/var/lib/segue/stage/shop-g2-0.so";

    fn parse(message: &str) -> MapError {
        super::parse(message, PRIVATE).unwrap_or_else(|| panic!("{message}"))
    }

    #[test]
    fn each_known_message_becomes_a_typed_error() {
        for message in [
            "/var/lib/segue/stage/shop-g2-0.so: undefined symbol: shop_open",
            "/opt/libx.so: undefined symbol: shop_open, version SHOP_1",
            "/opt/libx.so: symbol shop_open version SHOP_1 not defined in file libc.so.6 with link time reference",
            "/opt/libx.so: symbol shop_open, version SHOP_1 not defined in file libc.so.6 with link time reference",
        ] {
            assert!(
                matches!(parse(message), MapError::MissingSymbol { symbol, .. } if symbol == "shop_open")
            );
        }
        let message = format!("/lib/libc.so.6: version `GLIBC_2.99' not found (required by {PRIVATE})");
        let MapError::MissingVersion { version, library, .. } = parse(&message) else { panic!() };
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
    fn an_unknown_message_is_not_interpreted() {
        let mapping = format!("{PRIVATE}: failed to map segment from shared object: Operation not permitted");
        for message in [
            &*mapping,
            &format!("{PRIVATE}{NOT_FOUND}"),
            "libx.so: cannot open shared object file: Permission denied",
            "",
        ] {
            assert!(super::parse(message, PRIVATE).is_none(), "{message}");
        }
        assert_eq!(directory_of(&mapping, Path::new("/a/b")), Path::new("/var/lib/segue/stage"));
        assert_eq!(directory_of("", Path::new("/a/b")), Path::new("/a"));
    }

    #[test]
    fn a_noexec_mount_is_detected() {
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
        let noexec = mounts.lines().find(|mount| mount.contains("noexec") && !mount.contains("\\0"));
        match noexec.and_then(|mount| mount.split(' ').nth(1)) {
            Some(directory) => assert!(is_noexec(Path::new(directory)), "{directory}"),
            None => println!("no file system is mounted noexec here; segue-tests mounts one"),
        }
        assert!(!is_noexec(Path::new("/lib")) && !is_noexec(Path::new("/nowhere/at/all")));
    }
}
