//! What kind of refusal an error is, and where it happened.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What kind of refusal an error is: the `code` of an error object. The list is a promise, and grows only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Code {
    /// No such module, or no such file.
    NotFound,
    /// The file could not be read.
    BadFile,
    /// The file is no ELF shared object, or a damaged one.
    BadElf,
    /// The file, or a library that it needs, asks for an executable stack.
    ExecutableStack,
    /// The file needs a symbol that nothing defines.
    MissingSymbol,
    /// The file needs a version of a library's symbols that this system lacks.
    MissingVersion,
    /// The file needs a library that is not found.
    MissingLibrary,
    /// The file system of the state directory, or of a library, is mounted `noexec`.
    Noexec,
    /// A library that the file needs was written over while it was in memory.
    LibraryOverwritten,
    /// The dynamic linker refused the file for another reason.
    LinkFailed,
    /// The file is for another machine.
    WrongMachine,
    /// The file does not say that it is a module.
    NoMetadata,
    /// The file is another module than was expected.
    NameMismatch,
    /// The file does not fit this runtime.
    AbiMismatch,
    /// An interface of the module does not fit those who use it.
    InterfaceMismatch,
    /// The file is not signed.
    Unsigned,
    /// The file's signature is not valid.
    BadSignature,
    /// The file was blocked.
    Blocked,
    /// The probe failed.
    ProbeFailed,
    /// The new version refused to be loaded.
    OnLoadFailed,
    /// The state could not be handed over.
    CodeChangeFailed,
    /// The old version is still in use.
    NotPurged,
    /// There is no old version to go back to.
    NothingToRollBack,
    /// The module does not want to be replaced.
    Sticky,
    /// Somebody else is at it.
    Busy,
    /// It took too long.
    Deadline,
    /// Not allowed.
    Denied,
    /// The runtime cannot be reached.
    Unreachable,
    /// The request makes no sense.
    BadRequest,
    /// The request is too large.
    TooLarge,
    /// The runtime itself failed.
    Internal,
}

/// Where on the journey of a version something failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Step {
    /// Copying the file into the state directory.
    Stage,
    /// Reading what the file is, without running it.
    Read,
    /// Mapping it, and checking what it exports.
    Map,
    /// The module's own start.
    OnLoad,
    /// Noting in the ledger what is about to be.
    Record,
    /// Making it current.
    Publish,
    /// Going back.
    Rollback,
    /// Taking an old version down.
    Purge,
}

/// As it is written in JSON: `not_found`.
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// As it is written in JSON: `on_load`.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}
