//! The imports of a file: what it needs from the dynamic linker. Nothing is executed.

use object::{
    LittleEndian as LE,
    elf::{self, FileHeader64},
    read::elf::{Dyn, FileHeader, ProgramHeader, SectionTable, Sym, VersionTable},
};

use crate::{error::CheckError, file::elf::header};

/// The imports of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imports {
    /// The libraries that it needs (`DT_NEEDED`), in order.
    pub libraries: Vec<String>,
    /// The directories that the linker searches first (`DT_RUNPATH`, or else `DT_RPATH`). `$ORIGIN` is not
    /// replaced.
    pub search: Vec<String>,
    /// Whether the search for libraries of its libraries uses them too (`DT_RPATH`).
    pub search_is_inherited: bool,
    /// The symbols that it does not define. The SDK defines some libc symbols in the file, so they are not
    /// listed.
    pub symbols: Vec<ImportedSymbol>,
    /// Whether it requests an executable stack, or has no header that says it needs none.
    pub executable_stack: bool,
}

/// A symbol that a file does not define.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedSymbol {
    /// Its name.
    pub name: String,
    /// Its version, and the library that must have it; `None` if it has no version.
    pub version: Option<(String, String)>,
    /// Whether the file can be loaded without it.
    pub is_weak: bool,
}

/// The libraries that keep no pointer into a module: those of libc, the dynamic linker and Rust's unwinder.
/// The names have no version numbers. Whatever a module registers with libc goes through the SDK.
const SYSTEM_LIBRARIES: [&str; 10] = [
    "libc.so",
    "libm.so",
    "libgcc_s.so",
    "libpthread.so",
    "libdl.so",
    "librt.so",
    "libutil.so",
    "ld-linux-x86-64.so",
    "ld-linux-aarch64.so",
    "linux-vdso.so",
];

/// Whether a library keeps no callback and no thread of a module. `libssl.so.3`, for example, may keep them.
pub fn is_system_library(name: &str) -> bool {
    let name = name.rsplit('/').next().unwrap_or(name);
    let is =
        |one: &&str| name.strip_prefix(*one).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    SYSTEM_LIBRARIES.iter().any(is)
}

type Sections<'data> = SectionTable<'data, FileHeader64<LE>>;

// === impl Imports ===

impl Imports {
    /// Reads the imports from the bytes of a 64-bit little-endian ELF file.
    ///
    /// # Errors
    ///
    /// If a table of the file is damaged.
    pub fn read(bytes: &[u8]) -> Result<Self, CheckError> {
        let damaged = |error: object::read::Error| CheckError::Damaged { what: error.to_string() };
        let mut imports = Imports::without_symbols(bytes)?;
        let sections = header(bytes)?.sections(LE, bytes).map_err(damaged)?;
        imports.read_symbols(bytes, &sections).map_err(damaged)?;
        Ok(imports)
    }

    /// Reads all imports except the symbols.
    pub(crate) fn without_symbols(bytes: &[u8]) -> Result<Self, CheckError> {
        let damaged = |error: object::read::Error| CheckError::Damaged { what: error.to_string() };
        let header = header(bytes)?;
        let sections = header.sections(LE, bytes).map_err(damaged)?;
        let mut imports = Imports::default();
        imports.read_dynamic(bytes, &sections).map_err(damaged)?;
        let segments = header.program_headers(LE, bytes).map_err(damaged)?;
        let stack = segments.iter().find(|segment| segment.p_type(LE) == elf::PT_GNU_STACK);
        // A file without this header gets an executable stack from glibc.
        imports.executable_stack = stack.is_none_or(|stack| stack.p_flags(LE).contains(elf::PF_X));
        Ok(imports)
    }

    /// The libraries that it needs and that may keep pointers into it.
    pub(crate) fn external_libraries(&self) -> Vec<String> {
        self.libraries.iter().filter(|library| !is_system_library(library)).cloned().collect()
    }

    fn read_dynamic(&mut self, bytes: &[u8], sections: &Sections<'_>) -> object::read::Result<()> {
        let Some((entries, link)) = sections.dynamic(LE, bytes)? else { return Ok(()) };
        let strings = sections.strings(LE, bytes, link)?;
        let mut rpath = Vec::new();
        for entry in entries {
            let text = || entry.string(LE, strings).map(|text| String::from_utf8_lossy(text).into_owned());
            let paths = |text: String| text.split(':').map(str::to_owned).collect();
            match entry.d_tag(LE) {
                elf::DT_NULL => break,
                elf::DT_NEEDED => self.libraries.push(text()?),
                elf::DT_RUNPATH => self.search = paths(text()?),
                elf::DT_RPATH => rpath = paths(text()?),
                _ => {}
            }
        }
        if self.search.is_empty() {
            (self.search, self.search_is_inherited) = (rpath, true);
        }
        Ok(())
    }

    fn read_symbols(&mut self, bytes: &[u8], sections: &Sections<'_>) -> object::read::Result<()> {
        let symbols = sections.symbols(LE, bytes, elf::SHT_DYNSYM)?;
        let versions: Option<VersionTable<'_, FileHeader64<LE>>> = sections.versions(LE, bytes)?;
        for (index, symbol) in symbols.enumerate() {
            let name = symbols.symbol_name(LE, symbol)?;
            if !symbol.is_undefined(LE) || name.is_empty() {
                continue;
            }
            let version = match &versions {
                Some(table) => table.version(table.version_index(LE, index).index())?,
                None => None,
            };
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            self.symbols.push(ImportedSymbol {
                name: text(name),
                version: version.and_then(|of| Some((text(of.name()), text(of.file()?)))),
                is_weak: symbol.st_bind() == elf::STB_WEAK,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn this_test() -> Vec<u8> {
        std::fs::read(std::env::current_exe().unwrap()).unwrap()
    }

    #[test]
    fn an_executable_stack_is_found() {
        let mut bytes = this_test();
        let start = header(&bytes).unwrap().e_phoff(LE) as usize;
        let segments = bytes[start..].chunks(56).take(20);
        let at = segments.enumerate().find(|(_, one)| one[..4] == elf::PT_GNU_STACK.0.to_le_bytes());
        let flags = start + at.unwrap().0 * 56 + 4;
        bytes[flags] |= 1;
        assert!(Imports::read(&bytes).unwrap().executable_stack);
    }
}
