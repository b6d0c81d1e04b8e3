//! A file before it is mapped: it is read once, inspected, and copied to a path of its own.

use std::{
    fs::{self, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::{
    error::{CheckError, StageError},
    file::{
        digest::Digest,
        elf::{self, Mark},
        imports::Imports,
        libraries::{self, Survey},
        metadata::Metadata,
        origin::{self, Origins},
    },
    heap::image_heap::Heap,
};

/// The largest file that is accepted, in bytes. The file is read into memory completely.
pub const FILE_BYTES_MAX: u64 = 512 << 20;

/// Counts the private copies of this process, so no path is used twice. Only a counter, so Relaxed is enough.
static COPIES: AtomicU64 = AtomicU64::new(0);

/// The bytes of a file that may become a version.
pub struct Candidate {
    bytes: Vec<u8>,
    digest: Digest,
    /// The file that they were read from; `None` if they were sent.
    file: Option<PathBuf>,
}

/// A candidate that is a complete module for this machine.
pub struct Inspected {
    bytes: Vec<u8>,
    digest: Digest,
    metadata: Metadata,
    heap_offset: Option<usize>,
    marks: Vec<Mark>,
    imports: Imports,
    origins: Origins,
    file: Option<PathBuf>,
}

/// A candidate that has a private copy and can be mapped.
pub struct Staged {
    pub(crate) path: PathBuf,
    pub(crate) metadata: Metadata,
    pub(crate) digest: Digest,
    pub(crate) generation: u64,
    /// The external libraries, which may keep pointers into the image.
    pub(crate) libraries: Vec<String>,
    /// The heap for the module's allocations. Its address is in the private copy.
    pub(crate) heap: Heap,
    /// The original file, for messages; `None` if the bytes were sent.
    pub(crate) file: Option<PathBuf>,
    /// The external libraries that the dynamic linker would map with it.
    pub(crate) survey: Survey,
    /// The id of the [`CrashReports`](crate::CrashReports) that get the report of a crash in it; 0 for all.
    pub(crate) report_owner: u64,
}

// === impl Candidate ===

impl Candidate {
    /// Reads a file into memory.
    ///
    /// # Errors
    ///
    /// If the file does not exist, is not a regular file, is too large, cannot be read, or changes meanwhile.
    pub fn read(path: &Path) -> Result<Self, StageError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => StageError::NotFound { path: path.to_owned() },
            _ => StageError::Read { path: path.to_owned(), source },
        };
        // Without blocking: to open a pipe without a writer would block forever.
        let mut file =
            OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path).map_err(failed)?;
        let before = file.metadata().map_err(failed)?;
        if !before.is_file() {
            return Err(StageError::NotAFile { path: path.to_owned() });
        }
        let too_large = |size_bytes| StageError::TooLarge {
            path: path.to_owned(),
            size_bytes,
            max_bytes: FILE_BYTES_MAX,
        };
        if before.len() > FILE_BYTES_MAX {
            return Err(too_large(before.len()));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(before.len()).unwrap_or_default() + 1);
        // One byte more than allowed, because the file may have grown.
        let read = (&mut file).take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)? as u64;
        let after = file.metadata().map_err(failed)?;
        if read > FILE_BYTES_MAX {
            return Err(too_large(read));
        }
        // The change time, because a writer can set the modification time.
        let stamp = |metadata: &fs::Metadata| (metadata.len(), metadata.ctime(), metadata.ctime_nsec());
        if stamp(&before) != stamp(&after) || read != after.len() {
            return Err(StageError::Changed { path: path.to_owned() });
        }
        // Without symbolic links, because `$ORIGIN` is the real directory. If this fails, the file was just
        // removed.
        let file = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        Ok(Candidate { file: Some(file), ..Candidate::from_bytes(bytes) })
    }

    /// A candidate whose bytes were sent and have no file.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        let digest = Digest::of(&bytes);
        Candidate { bytes, digest, file: None }
    }

    /// The digest of the bytes.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Checks that the bytes are a complete module for this machine. None of their code runs.
    ///
    /// # Errors
    ///
    /// The first problem found.
    pub fn inspect(self) -> Result<Inspected, CheckError> {
        let elf::ElfFile { metadata, heap_offset, marks } = elf::inspect(&self.bytes)?;
        let metadata = Metadata::parse(metadata)?;
        let imports = Imports::without_symbols(&self.bytes)?;
        let origins = Origins::read(&self.bytes)?;
        let Candidate { bytes, digest, file } = self;
        Ok(Inspected { bytes, digest, metadata, heap_offset, marks, imports, origins, file })
    }
}

// === impl Inspected ===

impl Inspected {
    /// The metadata in the file.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The digest of the bytes.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The size of the file, in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// The bytes of the file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Descriptions of the marks in the file that would prevent unloading. They are cleared in the private
    /// copy.
    pub fn cleared_marks(&self) -> impl Iterator<Item = &str> {
        self.marks.iter().map(|mark| mark.name.as_str())
    }

    /// Whether the file finds libraries through `$ORIGIN`, its own directory.
    pub fn uses_origin(&self) -> bool {
        !self.origins.is_empty()
    }

    /// The path of the file, without symbolic links; `None` if the bytes were sent.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Sets the file that the bytes originally came from. `$ORIGIN` is its directory. Without a file,
    /// `$ORIGIN` is not replaced.
    pub fn with_file(self, file: Option<PathBuf>) -> Self {
        Inspected { file, ..self }
    }

    /// Finds the external libraries that the dynamic linker would map with it.
    fn survey(&self) -> Survey {
        let libraries = self.imports.external_libraries();
        if libraries.is_empty() {
            return Survey::default();
        }
        let origin = self.file.as_deref().map(origin::directory_of).unwrap_or_default();
        libraries::survey(&Imports { libraries, ..self.imports.clone() }, &origin)
    }

    /// Writes the private copy that will be mapped, into a directory that only this runtime uses, at a path
    /// that this process never used before. The copy differs from the file in three ways: its
    /// [marks](Inspected::cleared_marks) are cleared, it contains the address of a new heap, and `$ORIGIN` is
    /// replaced by the directory of the [file](Inspected::file).
    ///
    /// # Errors
    ///
    /// If the copy cannot be written. Then it is removed.
    pub fn stage(&self, directory: &Path, generation: u64) -> Result<Staged, StageError> {
        let Inspected { bytes, digest, metadata, heap_offset, marks, imports, origins, file } = self;
        let heap = Heap::new().ok_or(StageError::NoHeap)?;
        let mut bytes = bytes.clone();
        marks.iter().for_each(|mark| mark.clear(&mut bytes));
        if let Some(offset) = *heap_offset {
            let address = heap.address().to_ne_bytes();
            bytes[offset..offset + address.len()].copy_from_slice(&address);
        }
        if let Some(file) = file {
            origins.replace_in(&mut bytes, &origin::directory_of(file));
        }
        let copy = COPIES.fetch_add(1, Ordering::Relaxed);
        let file_name =
            format!("{}-g{generation}-{}-{}-{copy}.so", metadata.name, &digest.hex()[..12], process::id());
        let failed = |path: &Path, source| StageError::Write { path: path.to_owned(), source };
        // Absolute, because the dynamic linker stores the path as given, and the working directory may
        // change.
        let directory = directory.canonicalize().map_err(|source| failed(directory, source))?;
        let path = directory.join(file_name);
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o500)
            .open(&path)
            .and_then(|mut file| file.write_all(&bytes));
        if let Err(source) = written {
            // If this fails too, the next start of the runtime removes the partial copy.
            let _ = fs::remove_file(&path);
            return Err(failed(&path, source));
        }
        let (metadata, libraries, digest) = (metadata.clone(), imports.external_libraries(), *digest);
        let (file, survey) = (file.clone(), self.survey());
        Ok(Staged { path, metadata, digest, generation, libraries, heap, file, survey, report_owner: 0 })
    }
}

// === impl Staged ===

impl Staged {
    /// The metadata in the file.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The private copy.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
