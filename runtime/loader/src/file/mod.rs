//! A file before it is mapped: it is read, checked and copied. None of its code runs.
//! A line belongs here if it reads or writes the bytes of an ELF file.
//! Never call the dynamic linker here, and never use `crash` or a room above it.

pub(crate) mod candidate;
pub(crate) mod digest;
pub(crate) mod elf;
pub(crate) mod imports;
pub(crate) mod libraries;
pub(crate) mod metadata;
pub(crate) mod missing;
pub(crate) mod origin;
pub(crate) mod search;
