//! Reads and checks an ELF file. None of its code runs.
//!
//! `dlopen` trusts its file: a truncated file ends the process with SIGBUS instead of an error. So this first
//! checks that everything that the dynamic linker will map is inside the file.

use object::{
    LittleEndian as LE,
    elf::{self, FileHeader64},
    read::elf::{FileHeader, ProgramHeader, SectionHeader, SectionTable},
};
use segue_abi::{allocator, metadata::SECTION};

use crate::error::CheckError;

/// The data that the runtime needs from a file.
pub(crate) struct ElfFile<'data> {
    /// The bytes of the metadata section.
    pub(crate) metadata: &'data [u8],
    /// The offset at which to write the address of the module's heap.
    pub(crate) heap_offset: Option<usize>,
    /// The marks that would prevent unloading.
    pub(crate) marks: Vec<Mark>,
}

/// A flag or a symbol binding that makes the dynamic linker never unmap the file. It is cleared in the
/// private copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Its name.
    pub(crate) name: String,
    /// Its offset in the file, in bytes.
    offset: usize,
    /// The byte at the offset, without the mark.
    byte: u8,
}

// === impl Mark ===

impl Mark {
    /// Clears the mark in the bytes of the file.
    pub(crate) fn clear(&self, bytes: &mut [u8]) {
        bytes[self.offset] = self.byte;
    }
}

// === Reading ===

#[cfg(target_arch = "x86_64")]
const THIS_MACHINE: (elf::Machine, &str) = (elf::EM_X86_64, "x86_64");
#[cfg(target_arch = "aarch64")]
const THIS_MACHINE: (elf::Machine, &str) = (elf::EM_AARCH64, "aarch64");

/// Checks that the bytes are a complete shared object for this machine, and finds the data that the runtime
/// needs.
pub(crate) fn inspect(bytes: &[u8]) -> Result<ElfFile<'_>, CheckError> {
    if !bytes.starts_with(&elf::ELFMAG) {
        return Err(CheckError::NotElf);
    }
    let header = header(bytes)?;
    check_machine(header)?;
    if header.e_type.get(LE) != elf::ET_DYN {
        return Err(CheckError::NotShared { found: header.e_type.get(LE).0 });
    }

    let segments = header.program_headers(LE, bytes).map_err(damaged)?;
    let mut marks = Vec::new();
    let mut loads = 0usize;
    // Without this header, glibc makes the stacks executable.
    let mut has_executable_stack = true;
    for segment in segments {
        let (offset, len) = (segment.p_offset.get(LE), segment.p_filesz.get(LE));
        let end = offset.checked_add(len).filter(|end| *end <= bytes.len() as u64);
        if end.is_none() {
            let what = format!(
                "a segment of {len} bytes at offset {offset} ends past the file size of {}",
                bytes.len()
            );
            return Err(CheckError::Damaged { what });
        }
        if segment.p_type(LE) == elf::PT_LOAD {
            loads += 1;
        }
        if segment.p_type(LE) == elf::PT_GNU_STACK {
            has_executable_stack = segment.p_flags(LE).contains(elf::PF_X);
        }
        for entry in segment.dynamic(LE, bytes).map_err(damaged)?.unwrap_or_default() {
            let (tag, value) = (entry.d_tag.get(LE), entry.d_val.get(LE));
            if tag == elf::DT_FLAGS && value & elf::DF_STATIC_TLS.0 != 0 {
                return Err(CheckError::StaticTls);
            }
            if tag == elf::DT_FLAGS_1 && value & elf::DF_1_NODELETE.0 != 0 {
                // The number is little-endian, and the flag is in its first byte.
                let byte = (value & !elf::DF_1_NODELETE.0) as u8;
                marks.push(Mark {
                    name: "DF_1_NODELETE".to_owned(),
                    offset: offset_of(bytes, &entry.d_val),
                    byte,
                });
            }
        }
    }
    if loads == 0 {
        return Err(CheckError::Damaged { what: "it has no loadable segment".to_owned() });
    }

    let sections = header.sections(LE, bytes).map_err(damaged)?;
    let (_, section) = sections.section_by_name(LE, SECTION.as_bytes()).ok_or(CheckError::NoMetadata)?;
    let metadata = section.data(LE, bytes).map_err(damaged)?;
    if has_executable_stack {
        return Err(CheckError::ExecutableStack);
    }
    let heap_offset = heap_offset(bytes, &sections)?;
    marks.extend(unique_symbols(bytes, &sections)?);
    Ok(ElfFile { metadata, heap_offset, marks })
}

/// The offset at which to write the address of the module's heap.
fn heap_offset(
    bytes: &[u8],
    sections: &SectionTable<'_, FileHeader64<LE>>,
) -> Result<Option<usize>, CheckError> {
    let Some((_, section)) = sections.section_by_name(LE, allocator::SECTION.as_bytes()) else {
        return Ok(None);
    };
    let data = section.data(LE, bytes).map_err(damaged)?;
    if data != [0; size_of::<usize>()] {
        let what = format!("the section {} is not {} zeros", allocator::SECTION, size_of::<usize>());
        return Err(CheckError::Damaged { what });
    }
    Ok(Some(offset_of(bytes, &data[0])))
}

/// The symbols with the binding `STB_GNU_UNIQUE`, which exist once per process. A C++ compiler emits them for
/// statics in inline functions. Once one is looked up, the dynamic linker never unmaps its file. Clearing the
/// mark makes them weak, as `-fno-gnu-unique` does.
fn unique_symbols(
    bytes: &[u8],
    sections: &SectionTable<'_, FileHeader64<LE>>,
) -> Result<Vec<Mark>, CheckError> {
    let symbols = sections.symbols(LE, bytes, elf::SHT_DYNSYM).map_err(damaged)?;
    let unique = symbols.iter().filter(|symbol| symbol.st_bind() == elf::STB_GNU_UNIQUE);
    unique
        .map(|symbol| {
            let name = symbols.symbol_name(LE, symbol).map_err(damaged)?;
            Ok(Mark {
                name: format!("STB_GNU_UNIQUE of {}", String::from_utf8_lossy(name)),
                offset: offset_of(bytes, &symbol.st_info),
                byte: (elf::STB_WEAK.0 << 4) | symbol.st_type().0,
            })
        })
        .collect()
}

/// The offset in the file of a part of it.
fn offset_of<T>(bytes: &[u8], part: &T) -> usize {
    std::ptr::from_ref(part).addr() - bytes.as_ptr().addr()
}

/// The header of a little-endian 64-bit file.
pub(crate) fn header(bytes: &[u8]) -> Result<&FileHeader64<LE>, CheckError> {
    let ident =
        bytes.get(..16).ok_or_else(|| CheckError::Damaged { what: "the header is truncated".to_owned() })?;
    let (class, data) = (ident[4], ident[5]);
    if class != elf::ELFCLASS64.0 || data != elf::ELFDATA2LSB.0 {
        let found = format!("{}-bit {}-endian", if class == elf::ELFCLASS32.0 { 32 } else { 64 }, {
            if data == elf::ELFDATA2MSB.0 { "big" } else { "little" }
        });
        return Err(CheckError::WrongMachine { found, expected: THIS_MACHINE.1 });
    }
    FileHeader64::<LE>::parse(bytes).map_err(damaged)
}

fn check_machine(header: &FileHeader64<LE>) -> Result<(), CheckError> {
    let found = header.e_machine.get(LE);
    if found == THIS_MACHINE.0 {
        return Ok(());
    }
    let found = match found {
        elf::EM_X86_64 => "x86_64".to_owned(),
        elf::EM_AARCH64 => "aarch64".to_owned(),
        elf::EM_386 => "x86".to_owned(),
        elf::EM_ARM => "arm".to_owned(),
        elf::EM_RISCV => "riscv".to_owned(),
        elf::EM_PPC64 => "powerpc64".to_owned(),
        elf::EM_S390 => "s390x".to_owned(),
        other => format!("ELF machine {}", other.0),
    };
    Err(CheckError::WrongMachine { found, expected: THIS_MACHINE.1 })
}

fn damaged(error: object::read::Error) -> CheckError {
    CheckError::Damaged { what: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_elf_is_refused() {
        assert!(matches!(inspect(b"#!/bin/sh\n"), Err(CheckError::NotElf)));
        assert!(matches!(inspect(b""), Err(CheckError::NotElf)));
        assert!(matches!(inspect(b"\x7fELF"), Err(CheckError::Damaged { .. })));
    }

    #[test]
    fn a_program_without_metadata_and_a_truncated_file_are_refused() {
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(matches!(inspect(&bytes), Err(CheckError::NoMetadata)));
        for len in [64, 1000, bytes.len() / 2, bytes.len() - 1] {
            assert!(matches!(inspect(&bytes[..len]), Err(CheckError::Damaged { .. })), "{len}");
        }
        let mut other = bytes;
        other[18] = 0xf3; // e_machine: RISC-V
        assert!(matches!(inspect(&other), Err(CheckError::WrongMachine { .. })));
    }
}
