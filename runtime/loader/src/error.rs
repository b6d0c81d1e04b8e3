//! What can go wrong on the way of a file, one variant a step.

use std::{io, path::PathBuf};

use segue_abi::metadata::REVISION;

/// The file could not be read, or its private copy not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StageError {
    /// There is no such file.
    #[error("{}: there is no such file", path.display())]
    NotFound {
        /// The file.
        path: PathBuf,
    },
    /// It is a directory, a device, a socket.
    #[error("{}: not a regular file", path.display())]
    NotAFile {
        /// What was to be a file.
        path: PathBuf,
    },
    /// It is larger than a module may be.
    #[error("{}: {size_bytes} bytes are more than the {max_bytes} that a module may have", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        size_bytes: u64,
        /// The limit.
        max_bytes: u64,
    },
    /// It was written to while it was read.
    #[error("{}: the file changed while it was read", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// It could not be read.
    #[error("reading {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// There is no memory for the module's heap.
    #[error("there is no memory for a module's heap")]
    NoHeap,
    /// The private copy could not be written.
    #[error("writing the private copy {}: {source}", path.display())]
    Write {
        /// The private copy.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// The file is no module that this runtime can take.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// It does not begin as an ELF file does.
    #[error("not an ELF file")]
    NotElf,
    /// It is cut off, or its tables point outside it.
    #[error("damaged ELF file: {what}")]
    Damaged {
        /// What does not fit.
        what: String,
    },
    /// It is an ELF file, but no shared object.
    #[error("not a shared object: its ELF type is {found}")]
    NotShared {
        /// The type in the file.
        found: u16,
    },
    /// It was built for another machine.
    #[error("built for another machine: the file is for {found}, this machine is {expected}")]
    WrongMachine {
        /// The file's machine.
        found: String,
        /// This machine.
        expected: &'static str,
    },
    /// It uses static thread-local storage, which is not given back when it is unloaded.
    #[error(
        "the file has static thread-local storage (DF_STATIC_TLS), of which a process has little, and gets none back"
    )]
    StaticTls,
    /// It asks for an executable stack, or does not say that it needs none.
    #[error(
        "the file asks for an executable stack (PT_GNU_STACK), which would make all stacks of the process executable"
    )]
    ExecutableStack,
    /// It does not say that it is a module.
    #[error("no segue metadata: the file has no section {:?}", segue_abi::metadata::SECTION)]
    NoMetadata,
    /// Its metadata cannot be understood.
    #[error("the segue metadata cannot be understood: {reason}")]
    BadMetadata {
        /// What does not fit.
        reason: String,
    },
    /// It was built for another revision of the boundary's types.
    #[error("built with revision {found} of the module interface, and this runtime has revision {REVISION}")]
    Revision {
        /// The file's revision.
        found: u32,
    },
}

/// The file could not be mapped, or what it exports does not fit.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MapError {
    /// Too few pthread keys are left: a module needs one or more, and a process that has none left is aborted.
    #[error("{taken} of this process's {limit} pthread keys are taken, which leaves too few for a module")]
    KeysScarce {
        /// The keys that are taken.
        taken: usize,
        /// The keys that a process can have.
        limit: usize,
    },
    /// Too few file descriptors are left: a module needs some, and so does the service.
    #[error("{open} of this process's {limit} file descriptors are open, which leaves too few for a module")]
    DescriptorsScarce {
        /// The descriptors that are open.
        open: u64,
        /// The descriptors that a process can have open.
        limit: u64,
    },
    /// It, or a library that it needs, uses a symbol that nothing defines.
    #[error("the symbol {symbol} is defined nowhere; the dynamic linker says: {words}")]
    MissingSymbol {
        /// The symbol.
        symbol: String,
        /// The dynamic linker's own words.
        words: String,
    },
    /// It, or a library that it needs, was linked to a newer version of a library.
    #[error("{library} of this system lacks version {version}; the dynamic linker says: {words}")]
    MissingVersion {
        /// The version: `GLIBC_2.99`.
        version: String,
        /// The library that should have it.
        library: String,
        /// The dynamic linker's own words.
        words: String,
    },
    /// It, or a library that it needs, needs a library that is not where the dynamic linker looks.
    #[error("the library {name} is not found; the dynamic linker says: {words}")]
    MissingLibrary {
        /// The library, as it is named in the file.
        name: String,
        /// The dynamic linker's own words.
        words: String,
    },
    /// The file system of the private copy, or of a library, is mounted `noexec`.
    #[error("{} is on a file system mounted noexec; the dynamic linker says: {words}", directory.display())]
    Noexec {
        /// The directory of the file that could not be mapped.
        directory: PathBuf,
        /// The dynamic linker's own words.
        words: String,
    },
    /// A library that it needs asks for an executable stack.
    #[error("{} asks for an executable stack; {words}", file.as_deref().unwrap_or("the file"))]
    ExecutableStack {
        /// The library.
        file: Option<String>,
        /// The dynamic linker's own words, or what it would do.
        words: String,
    },
    /// A library that it needs was written over while it was in memory. The dynamic linker would read what is
    /// broken.
    #[error("{}: the library is in memory, and its file was written over", path.display())]
    LibraryOverwritten {
        /// The library.
        path: PathBuf,
    },
    /// The dynamic linker refused it for another reason.
    #[error("the dynamic linker refused it: {words}")]
    Open {
        /// The dynamic linker's own words.
        words: String,
    },
    /// The dynamic linker answered with an image that it had before.
    #[error("the dynamic linker answered with an image that it had before")]
    NotNew,
    /// It exports no root module.
    #[error("it exports no root module; the dynamic linker says: {words}")]
    NoRoot {
        /// The dynamic linker's own words.
        words: String,
    },
    /// Its root module was built with another `abi_stable`, or has another layout.
    #[error("what it exports has another layout than this runtime expects: {reason}")]
    Layout {
        /// The first differences, as the layout check tells them.
        reason: String,
    },
}

/// A call, or the module's start, failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallFault {
    /// The module said so.
    #[error("{text}")]
    Fault {
        /// Its words.
        text: String,
    },
    /// The module panicked.
    #[error("panicked at {file}:{line}: {message}")]
    Panicked {
        /// The panic's message.
        message: String,
        /// The source file, as the compiler named it.
        file: String,
        /// The line in it.
        line: u32,
    },
}
