//! A file on its way in: read once, inspected, copied to a path of its own.

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

/// The largest file that is taken, in bytes. It is read into memory whole.
pub const FILE_BYTES_MAX: u64 = 512 << 20;

/// Counts the private copies of this process, so that no path is used twice. Only counted: Relaxed is enough.
static COPIES: AtomicU64 = AtomicU64::new(0);

/// The bytes of a file that may become a version.
pub struct Candidate {
    bytes: Vec<u8>,
    digest: Digest,
    /// Where they were read; none where somebody sent them.
    file: Option<PathBuf>,
}

/// A candidate that is a whole module for this machine.
pub struct Inspected {
    bytes: Vec<u8>,
    digest: Digest,
    metadata: Metadata,
    heap_at: Option<usize>,
    marks: Vec<Mark>,
    imports: Imports,
    origins: Origins,
    file: Option<PathBuf>,
}

/// A candidate that has its private copy, ready to be mapped.
pub struct Staged {
    pub(crate) path: PathBuf,
    pub(crate) metadata: Metadata,
    pub(crate) digest: Digest,
    pub(crate) generation: u64,
    /// The libraries that may keep code of the image.
    pub(crate) libraries: Vec<String>,
    /// What the module allocates from; its address is in the private copy.
    pub(crate) heap: Heap,
    /// The file that the user knows.
    pub(crate) file: Option<PathBuf>,
    /// What the linker would map with it.
    pub(crate) survey: Survey,
    /// Whose file a report of a crash in it goes into; 0 for everybody's.
    pub(crate) reported_to: u64,
}

// === impl Candidate ===

impl Candidate {
    /// Reads a file whole.
    ///
    /// # Errors
    ///
    /// Where it is not there, no regular file, too large, cannot be read, or was written to meanwhile.
    pub fn read(path: &Path) -> Result<Self, StageError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => StageError::NotFound { path: path.to_owned() },
            _ => StageError::Read { path: path.to_owned(), source },
        };
        // Not blocking: opening a pipe that nobody writes to would wait for ever.
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
        // One more than allowed: it may have grown since.
        let read = (&mut file).take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)? as u64;
        let after = file.metadata().map_err(failed)?;
        if read > FILE_BYTES_MAX {
            return Err(too_large(read));
        }
        // The time of the last change, which no writer can set, and not that of the last write.
        let stamp = |metadata: &fs::Metadata| (metadata.len(), metadata.ctime(), metadata.ctime_nsec());
        if stamp(&before) != stamp(&after) || read != after.len() {
            return Err(StageError::Changed { path: path.to_owned() });
        }
        // Without links: `$ORIGIN` is where the file lies. It was there a moment ago.
        let file = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        Ok(Candidate { file: Some(file), ..Candidate::from_bytes(bytes) })
    }

    /// A candidate that somebody sent.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        let digest = Digest::of(&bytes);
        Candidate { bytes, digest, file: None }
    }

    /// The digest of the bytes.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Checks that the bytes are a whole module for this machine, without running anything of them.
    ///
    /// # Errors
    ///
    /// The first thing that does not fit.
    pub fn inspect(self) -> Result<Inspected, CheckError> {
        let elf::ElfFile { metadata, heap_at, marks } = elf::inspect(&self.bytes)?;
        let metadata = Metadata::parse(metadata)?;
        let imports = Imports::without_symbols(&self.bytes)?;
        let origins = Origins::read(&self.bytes)?;
        let Candidate { bytes, digest, file } = self;
        Ok(Inspected { bytes, digest, metadata, heap_at, marks, imports, origins, file })
    }
}

// === impl Inspected ===

impl Inspected {
    /// What the file says of itself.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The digest of the bytes.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// How long the file is, in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// The bytes, as the file has them.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The marks in the file by which it would never leave memory, in words. They are cleared in the private copy.
    pub fn cleared_marks(&self) -> impl Iterator<Item = &str> {
        self.marks.iter().map(|mark| mark.name.as_str())
    }

    /// Whether the file uses `$ORIGIN`, its own directory, to find libraries.
    pub fn uses_origin(&self) -> bool {
        !self.origins.is_empty()
    }

    /// Where the file was read, without links; none for bytes that somebody sent.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The same, of bytes that were at another place at first: `$ORIGIN` is the directory of that. Without
    /// one, it means nothing.
    pub fn with_file(self, file: Option<PathBuf>) -> Self {
        Inspected { file, ..self }
    }

    /// What the dynamic linker would map with it from outside the system.
    fn survey(&self) -> Survey {
        let libraries = self.imports.external_libraries();
        if libraries.is_empty() {
            return Survey::default();
        }
        let origin = self.file.as_deref().map(origin::directory_of).unwrap_or_default();
        libraries::survey(&Imports { libraries, ..self.imports.clone() }, &origin)
    }

    /// Writes the private copy that will be mapped, into a directory that only this runtime uses, at a path
    /// that this process never used before. It is the file without its [marks](Inspected::cleared_marks),
    /// with the address of a new heap for this image, and with the directory of the [file](Inspected::file)
    /// in the place of `$ORIGIN`.
    ///
    /// # Errors
    ///
    /// Where it cannot be written; then nothing is left of it.
    pub fn stage(&self, directory: &Path, generation: u64) -> Result<Staged, StageError> {
        let Inspected { bytes, digest, metadata, heap_at, marks, imports, origins, file } = self;
        let heap = Heap::new().ok_or(StageError::NoHeap)?;
        let mut bytes = bytes.clone();
        marks.iter().for_each(|mark| mark.clear(&mut bytes));
        if let Some(at) = *heap_at {
            let address = heap.address().to_ne_bytes();
            bytes[at..at + address.len()].copy_from_slice(&address);
        }
        if let Some(file) = file {
            origins.write_out(&mut bytes, &origin::directory_of(file));
        }
        let copy = COPIES.fetch_add(1, Ordering::Relaxed);
        let file_name =
            format!("{}-g{generation}-{}-{}-{copy}.so", metadata.name, &digest.hex()[..12], process::id());
        let failed = |path: &Path, source| StageError::Write { path: path.to_owned(), source };
        // The dynamic linker keeps the path as it is given: an absolute one stays true.
        let directory = directory.canonicalize().map_err(|source| failed(directory, source))?;
        let path = directory.join(file_name);
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o500)
            .open(&path)
            .and_then(|mut file| file.write_all(&bytes));
        if let Err(source) = written {
            // Half a copy is of no use; where removing it fails too, the next start does it.
            let _ = fs::remove_file(&path);
            return Err(failed(&path, source));
        }
        let (metadata, libraries, digest) = (metadata.clone(), imports.external_libraries(), *digest);
        let (file, survey) = (file.clone(), self.survey());
        Ok(Staged { path, metadata, digest, generation, libraries, heap, file, survey, reported_to: 0 })
    }
}

// === impl Staged ===

impl Staged {
    /// What the file says of itself.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The private copy.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
