//! The errors of reading, checking and mapping a file, and of calling its code.

use std::{io, path::PathBuf};

use segue_abi::metadata::REVISION;

/// The file could not be read, or its private copy could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StageError {
    /// The file does not exist.
    #[error("{}: file not found", path.display())]
    NotFound {
        /// The file.
        path: PathBuf,
    },
    /// It is not a regular file, but a directory, a device or a socket.
    #[error("{}: not a regular file", path.display())]
    NotAFile {
        /// Its path.
        path: PathBuf,
    },
    /// The file is larger than [`FILE_BYTES_MAX`](crate::FILE_BYTES_MAX).
    #[error("{}: the file has {size_bytes} bytes; the limit for a module is {max_bytes}", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size, in bytes.
        size_bytes: u64,
        /// The limit, in bytes.
        max_bytes: u64,
    },
    /// The file was written to while it was being read.
    #[error("{}: the file changed while it was being read", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The heap of the module could not be created.
    #[error("not enough memory for the module's heap")]
    NoHeap,
    /// The private copy could not be written.
    #[error("cannot write the private copy {}: {source}", path.display())]
    Write {
        /// The private copy.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// The file is not a module that this runtime can load.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// It does not start like an ELF file.
    #[error("not an ELF file")]
    NotElf,
    /// It is truncated, or its tables point outside the file.
    #[error("damaged ELF file: {what}")]
    Damaged {
        /// What is wrong.
        what: String,
    },
    /// It is an ELF file, but not a shared object.
    #[error("not a shared object: its ELF type is {found}")]
    NotShared {
        /// The ELF type in the file.
        found: u16,
    },
    /// It was built for another machine architecture.
    #[error("built for another machine: the file is for {found}, and this machine is {expected}")]
    WrongMachine {
        /// The architecture in the file.
        found: String,
        /// The architecture of this machine.
        expected: &'static str,
    },
    /// It uses static thread-local storage, which libc does not free when the file is unloaded.
    #[error(
        "the file uses static thread-local storage (DF_STATIC_TLS): a process has little, and unloading does not free it"
    )]
    StaticTls,
    /// It requests an executable stack, or has no header that says it needs none.
    #[error(
        "the file asks for an executable stack (PT_GNU_STACK), which would make all stacks of the process executable"
    )]
    ExecutableStack,
    /// It has no metadata of a module.
    #[error("no segue metadata: the file has no section {:?}", segue_abi::metadata::SECTION)]
    NoMetadata,
    /// Its metadata is invalid.
    #[error("invalid segue metadata: {reason}")]
    BadMetadata {
        /// What is wrong.
        reason: String,
    },
    /// It was built for another revision of the types that cross the boundary.
    #[error("built with revision {found} of the module interface; this runtime needs revision {REVISION}")]
    Revision {
        /// The revision of the file.
        found: u32,
    },
}

/// The file could not be mapped, or its exports do not match.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MapError {
    /// Too few pthread keys are left. A module needs at least one, and `std` aborts the process when it gets
    /// none.
    #[error("{taken} of this process's {limit} pthread keys are in use, which leaves too few for a module")]
    KeysScarce {
        /// The keys that are in use.
        taken: usize,
        /// The keys that a process can have.
        limit: usize,
    },
    /// Too few file descriptors are left for the module and the service.
    #[error("{open} of this process's {limit} file descriptors are open, which leaves too few for a module")]
    DescriptorsScarce {
        /// The descriptors that are open.
        open: u64,
        /// The descriptors that a process can have open.
        limit: u64,
    },
    /// The file, or a library that it needs, uses a symbol that no library defines.
    #[error("undefined symbol {symbol} (dynamic linker: {linker_message})")]
    MissingSymbol {
        /// The symbol.
        symbol: String,
        /// The message of the dynamic linker.
        linker_message: String,
    },
    /// The file, or a library that it needs, was linked to a newer version of a library.
    #[error("{library} on this system does not have version {version} (dynamic linker: {linker_message})")]
    MissingVersion {
        /// The version: `GLIBC_2.99`.
        version: String,
        /// The library that must have it.
        library: String,
        /// The message of the dynamic linker.
        linker_message: String,
    },
    /// The dynamic linker does not find a library that the file, or one of its libraries, needs.
    #[error("library {name} not found (dynamic linker: {linker_message})")]
    MissingLibrary {
        /// The name of the library in the file.
        name: String,
        /// The message of the dynamic linker.
        linker_message: String,
    },
    /// The file system of the private copy, or of a library, is mounted `noexec`.
    #[error("{} is on a file system mounted noexec (dynamic linker: {linker_message})", directory.display())]
    Noexec {
        /// The directory of the file that could not be mapped.
        directory: PathBuf,
        /// The message of the dynamic linker.
        linker_message: String,
    },
    /// A library that the file needs requests an executable stack.
    #[error("{} asks for an executable stack ({linker_message})", file.as_deref().unwrap_or("the file"))]
    ExecutableStack {
        /// The library.
        file: Option<String>,
        /// The message of the dynamic linker, or the consequence.
        linker_message: String,
    },
    /// The file of a library that is in memory was overwritten. The pages in memory may be broken, and the
    /// dynamic linker would read them.
    #[error("{}: the library is in memory, and its file was overwritten", path.display())]
    LibraryOverwritten {
        /// The library.
        path: PathBuf,
    },
    /// The dynamic linker refused the file for another reason.
    #[error("the dynamic linker refused the file: {linker_message}")]
    Open {
        /// The message of the dynamic linker.
        linker_message: String,
    },
    /// The dynamic linker already has an image at the path of the private copy.
    #[error("the dynamic linker already has an image at the path of the private copy")]
    NotNew,
    /// The file exports no root module.
    #[error("the file exports no root module (dynamic linker: {linker_message})")]
    NoRoot {
        /// The message of the dynamic linker.
        linker_message: String,
    },
    /// The root module was built with another `abi_stable`, or has another layout.
    #[error("the layout of the exported types differs from what this runtime expects: {reason}")]
    Layout {
        /// The first differences that the layout check reports.
        reason: String,
    },
}

/// A call, or the module's `on_load` or `Drop`, failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallFault {
    /// The module returned an error.
    #[error("{text}")]
    Fault {
        /// The text of the error.
        text: String,
    },
    /// The module panicked.
    #[error("panicked at {file}:{line}: {message}")]
    Panicked {
        /// The panic's message.
        message: String,
        /// The source file, as the compiler names it.
        file: String,
        /// The line in the file.
        line: u32,
    },
}
