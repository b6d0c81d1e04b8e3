//! The kind of an error, and the step that failed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The kind of an error: the `code` of an error object. Codes are stable: new ones may be added, none is
/// removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Code {
    /// No such module, or no such file.
    NotFound,
    /// The file could not be read.
    BadFile,
    /// The file is not an ELF shared object, or is damaged.
    BadElf,
    /// The file or one of its libraries requires an executable stack.
    ExecutableStack,
    /// The file needs a symbol that no library defines.
    MissingSymbol,
    /// The file needs a symbol version that this system's libraries do not have.
    MissingVersion,
    /// The file needs a library that was not found.
    MissingLibrary,
    /// The file system of the state directory or of a library is mounted `noexec`.
    Noexec,
    /// A library that the file needs was overwritten in place while it was in memory.
    LibraryOverwritten,
    /// The dynamic linker refused the file for another reason.
    LinkFailed,
    /// The file was built for another machine.
    WrongMachine,
    /// The file has no module metadata.
    NoMetadata,
    /// The file contains another module than expected.
    NameMismatch,
    /// The file was built for another revision of the module interface.
    AbiMismatch,
    /// An interface of the module does not match what a caller was compiled with.
    InterfaceMismatch,
    /// The file is not signed.
    Unsigned,
    /// The file's signature is not valid.
    BadSignature,
    /// The file was blocked.
    Blocked,
    /// The probe failed.
    ProbeFailed,
    /// The module's `on_load` failed.
    OnLoadFailed,
    /// The state could not be handed over to the new version.
    CodeChangeFailed,
    /// The old version is still in use.
    NotPurged,
    /// There is no earlier version to roll back to.
    NothingToRollBack,
    /// The module is sticky.
    Sticky,
    /// Another command is running, or a limit is reached. Try again later.
    Busy,
    /// The deadline passed.
    Deadline,
    /// The caller is not allowed to do this.
    Denied,
    /// The runtime cannot be reached.
    Unreachable,
    /// The request is invalid.
    BadRequest,
    /// The request is too large.
    TooLarge,
    /// The runtime failed.
    Internal,
}

/// The step that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Step {
    /// Copying the file into the state directory.
    Stage,
    /// Reading and checking the file, without running it.
    Read,
    /// Mapping it, and checking what it exports.
    Map,
    /// Running the module's `on_load`.
    OnLoad,
    /// Writing the change to the ledger, before it happens.
    Record,
    /// Making it current.
    Publish,
    /// Rolling back to the previous version.
    Rollback,
    /// Removing an old version from memory.
    Purge,
}

/// The JSON name: `not_found`.
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// The JSON name: `on_load`.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}
