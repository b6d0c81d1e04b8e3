//! Reads an ELF file without running anything of it.
//!
//! `dlopen` trusts its file: one that is cut off ends the process with SIGBUS instead of an error. So everything that the
//! dynamic linker will map is checked to lie within the file first.

use object::{
    LittleEndian as LE,
    elf::{self, FileHeader64},
    read::elf::{FileHeader, ProgramHeader, SectionHeader, SectionTable},
};
use segue_abi::{allocator, metadata::SECTION};

use crate::error::CheckError;

/// What was read from a file.
pub(crate) struct ElfFile<'data> {
    /// The bytes of the metadata section.
    pub(crate) metadata: &'data [u8],
    /// Where the address of the module's heap is to be written.
    pub(crate) heap_at: Option<usize>,
    /// The marks in the file that would keep it in memory for ever.
    pub(crate) marks: Vec<Mark>,
}

/// A mark in a file by which the dynamic linker would never unmap it. It is cleared in the private copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// What it is called.
    pub(crate) name: String,
    /// Where in the file it is, in bytes.
    at: usize,
    /// The byte there, without the mark.
    byte: u8,
}

// === impl Mark ===

impl Mark {
    /// Takes the mark out of the file's bytes.
    pub(crate) fn clear(&self, bytes: &mut [u8]) {
        bytes[self.at] = self.byte;
    }
}

// === Reading ===

#[cfg(target_arch = "x86_64")]
const THIS_MACHINE: (elf::Machine, &str) = (elf::EM_X86_64, "x86_64");
#[cfg(target_arch = "aarch64")]
const THIS_MACHINE: (elf::Machine, &str) = (elf::EM_AARCH64, "aarch64");

/// Checks that the bytes are a whole shared object for this machine, and finds what the runtime wants to know.
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
    // Without the header glibc makes the stacks executable.
    let mut has_executable_stack = true;
    for segment in segments {
        let (offset, len) = (segment.p_offset.get(LE), segment.p_filesz.get(LE));
        let end = offset.checked_add(len).filter(|end| *end <= bytes.len() as u64);
        if end.is_none() {
            let what =
                format!("a segment of {len} bytes at {offset} reaches past the file's {}", bytes.len());
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
                // The flag is in the first byte of a little-endian number.
                let byte = (value & !elf::DF_1_NODELETE.0) as u8;
                marks.push(Mark {
                    name: "DF_1_NODELETE".to_owned(),
                    at: position(bytes, &entry.d_val),
                    byte,
                });
            }
        }
    }
    if loads == 0 {
        return Err(CheckError::Damaged { what: "it has nothing to load".to_owned() });
    }

    let sections = header.sections(LE, bytes).map_err(damaged)?;
    let (_, section) = sections.section_by_name(LE, SECTION.as_bytes()).ok_or(CheckError::NoMetadata)?;
    let metadata = section.data(LE, bytes).map_err(damaged)?;
    if has_executable_stack {
        return Err(CheckError::ExecutableStack);
    }
    let heap_at = heap_at(bytes, &sections)?;
    marks.extend(unique_symbols(bytes, &sections)?);
    Ok(ElfFile { metadata, heap_at, marks })
}

/// Where the address of the module's heap is to be written.
fn heap_at(bytes: &[u8], sections: &SectionTable<'_, FileHeader64<LE>>) -> Result<Option<usize>, CheckError> {
    let Some((_, section)) = sections.section_by_name(LE, allocator::SECTION.as_bytes()) else {
        return Ok(None);
    };
    let data = section.data(LE, bytes).map_err(damaged)?;
    if data != [0; size_of::<usize>()] {
        let what = format!("the section {} is not {} zeros", allocator::SECTION, size_of::<usize>());
        return Err(CheckError::Damaged { what });
    }
    Ok(Some(position(bytes, &data[0])))
}

/// The symbols of which there is to be one in a process (`STB_GNU_UNIQUE`, which a C++ compiler makes of a static in an inline
/// function): once one is looked up, the dynamic linker never unmaps its file. Without the mark they are weak, which is what
/// `-fno-gnu-unique` makes of them.
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
                at: position(bytes, &symbol.st_info),
                byte: (elf::STB_WEAK.0 << 4) | symbol.st_type().0,
            })
        })
        .collect()
}

/// How far behind the file's first byte a piece of it begins.
fn position<T>(bytes: &[u8], piece: &T) -> usize {
    std::ptr::from_ref(piece).addr() - bytes.as_ptr().addr()
}

/// The file's header, where it is a little-endian 64-bit one.
pub(crate) fn header(bytes: &[u8]) -> Result<&FileHeader64<LE>, CheckError> {
    let ident =
        bytes.get(..16).ok_or_else(|| CheckError::Damaged { what: "the header is cut off".to_owned() })?;
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
    fn a_text_is_no_elf_file_and_four_bytes_are_not_enough() {
        assert!(matches!(inspect(b"#!/bin/sh\n"), Err(CheckError::NotElf)));
        assert!(matches!(inspect(b""), Err(CheckError::NotElf)));
        assert!(matches!(inspect(b"\x7fELF"), Err(CheckError::Damaged { .. })));
    }

    #[test]
    fn this_test_itself_is_no_module_and_cutting_it_off_is_noticed() {
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
