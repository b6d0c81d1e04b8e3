//! Finds the function of a file that contains an address. Only for readers of reports, not for the handler.

use object::{
    LittleEndian as LE, elf,
    read::elf::{FileHeader, Sym},
};

use crate::file::elf::header;

/// The name and the start of the function, from the file's symbol table, or else from its dynamic symbols.
pub(super) fn function_at(file: &[u8], address: u64) -> Option<(String, u64)> {
    let sections = header(file).ok()?.sections(LE, file).ok()?;
    [elf::SHT_SYMTAB, elf::SHT_DYNSYM].into_iter().find_map(|kind| {
        let symbols = sections.symbols(LE, file, kind).ok()?;
        let symbol = symbols.iter().find(|symbol| {
            let (start, len) = (symbol.st_value(LE), symbol.st_size(LE));
            symbol.st_type() == elf::STT_FUNC && address >= start && address - start < len
        })?;
        let name = symbols.symbol_name(LE, symbol).ok()?;
        Some((String::from_utf8_lossy(name).into_owned(), symbol.st_value(LE)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_function_at_an_address_is_found() {
        let file = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let sections = header(&file).unwrap().sections(LE, &*file).unwrap();
        let symbols = sections.symbols(LE, &*file, elf::SHT_SYMTAB).unwrap();
        let named = |name: &str| {
            let found = symbols.iter().find(|symbol| {
                String::from_utf8_lossy(symbols.symbol_name(LE, symbol).unwrap()).contains(name)
            });
            found.unwrap().st_value(LE)
        };
        let start = named("the_function_at_an_address_is_found");
        let (name, found_start) = function_at(&file, start + 1).unwrap();
        assert!(name.contains("the_function_at_an_address_is_found"), "{name}");
        assert_eq!(found_start, start);
        assert_eq!(function_at(&file, 0), None);
        assert_eq!(function_at(b"not a file", start), None);
    }
}
