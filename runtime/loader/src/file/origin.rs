//! Replaces `$ORIGIN`, by which a file names its own directory, in the private copy.
//!
//! The dynamic linker replaces `$ORIGIN` by the directory of the file that it maps, which is the private
//! copy. The file means its original directory. So the new strings, with that directory, are appended to the
//! private copy in a segment of their own. The program header table moves there too, because it has no room
//! for one more entry. `patchelf` does the same.
//!
//! Libraries are mapped from where they are, so their `$ORIGIN` is right.

use std::path::Path;

use object::{
    LittleEndian as LE,
    elf::{self, FileHeader64, ProgramHeader64},
    pod,
    read::elf::{Dyn, FileHeader, ProgramHeader},
};

use crate::{error::CheckError, file::elf::header};

/// The spellings of `$ORIGIN`. The linker itself replaces `$LIB` and `$PLATFORM`.
const NAMES: [&str; 2] = ["${ORIGIN}", "$ORIGIN"];
/// The alignment of the new segment, in bytes: the largest page size of the supported machines.
const ALIGNMENT: u64 = 0x1_0000;
/// The size of an entry of the program header table, in bytes.
const ENTRY_BYTES: usize = size_of::<ProgramHeader64<LE>>();

/// The strings of a file with `$ORIGIN` in them.
#[derive(Debug, Default)]
pub(crate) struct Origins {
    /// The offset of the entry in the file, and the string.
    strings: Vec<(usize, String)>,
    /// The address of the dynamic string table. Entries refer to strings by their offset from it.
    base: u64,
}

/// The directory of a file. Empty if there is none, or if the linker would misread it.
pub(crate) fn directory_of(file: &Path) -> String {
    let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    let directory = file.parent().and_then(Path::to_str).unwrap_or_default();
    // These characters end a search path entry, or start another replacement.
    if directory.contains([':', ';', '$', '\0']) { String::new() } else { directory.to_owned() }
}

/// Replaces `$ORIGIN` in a text by the directory. `$ORIGINAL` is another name, and stays.
pub(crate) fn expand(text: &str, directory: &str) -> String {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        expanded.push_str(&rest[..at]);
        rest = &rest[at..];
        let name = NAMES.iter().find(|name| {
            let after = rest.strip_prefix(**name).map(|after| after.chars().next());
            after.is_some_and(|next| {
                name.ends_with('}') || !next.is_some_and(|next| next == '_' || next.is_ascii_alphanumeric())
            })
        });
        let (text, len) = name.map_or(("$", 1), |name| (directory, name.len()));
        expanded.push_str(text);
        rest = &rest[len..];
    }
    expanded + rest
}

// === impl Origins ===

impl Origins {
    /// Finds the strings: search paths and names of libraries.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, CheckError> {
        let damaged = |error: object::read::Error| CheckError::Damaged { what: error.to_string() };
        let sections = header(bytes)?.sections(LE, bytes).map_err(damaged)?;
        let Some((entries, link)) = sections.dynamic(LE, bytes).map_err(damaged)? else {
            return Ok(Origins::default());
        };
        let strings = sections.strings(LE, bytes, link).map_err(damaged)?;
        let mut origins = Origins::default();
        for entry in entries {
            match entry.d_tag(LE) {
                elf::DT_NULL => break,
                elf::DT_STRTAB => origins.base = entry.d_val.get(LE),
                elf::DT_RUNPATH | elf::DT_RPATH | elf::DT_NEEDED => {
                    let text = String::from_utf8_lossy(entry.string(LE, strings).map_err(damaged)?);
                    if expand(&text, "") != text {
                        let at = std::ptr::from_ref(&entry.d_val).addr() - bytes.as_ptr().addr();
                        origins.strings.push((at, text.into_owned()));
                    }
                }
                _ => {}
            }
        }
        Ok(origins)
    }

    /// Whether there are no such strings.
    pub(crate) fn is_empty(&self) -> bool {
        self.strings.is_empty()
    }

    /// Replaces `$ORIGIN` in the bytes of the file. If that is impossible, or there is no directory, the
    /// bytes stay as they are. Then the linker reports the libraries that it does not find.
    pub(crate) fn replace_in(&self, bytes: &mut Vec<u8>, directory: &str) {
        if !self.is_empty()
            && !directory.is_empty()
            && let Some(written) = self.replaced(bytes, directory)
        {
            *bytes = written;
        }
    }

    fn replaced(&self, bytes: &[u8], directory: &str) -> Option<Vec<u8>> {
        let header = FileHeader64::<LE>::parse(bytes).ok()?;
        let mut segments = header.program_headers(LE, bytes).ok()?.to_vec();
        let is_load = |segment: &ProgramHeader64<LE>| segment.p_type(LE) == elf::PT_LOAD;
        let loaded = segments.iter().filter(|segment| is_load(segment));
        let ends = loaded.map(|segment| segment.p_vaddr(LE).checked_add(segment.p_memsz(LE)));
        let address =
            ends.collect::<Option<Vec<u64>>>()?.into_iter().max()?.checked_next_multiple_of(ALIGNMENT)?;
        let offset = (bytes.len() as u64).checked_next_multiple_of(ALIGNMENT)?;

        let mut written = bytes.to_vec();
        written.resize(usize::try_from(offset).ok()?, 0);
        let table_len = (segments.len() + 1) * ENTRY_BYTES;
        written.resize(written.len() + table_len, 0);
        for (at, text) in &self.strings {
            let string = address + (written.len() as u64 - offset);
            let distance = string.checked_sub(self.base)?;
            written.get_mut(*at..*at + 8)?.copy_from_slice(&distance.to_le_bytes());
            written.extend_from_slice(expand(text, directory).as_bytes());
            written.push(0);
        }
        let len = written.len() as u64 - offset;

        let last = segments.iter().rposition(is_load)?;
        let mut added = segments[last];
        added.p_flags.set(LE, elf::PF_R);
        added.p_align.set(LE, ALIGNMENT);
        set_position(&mut added, offset, address, len);
        segments.insert(last + 1, added);
        let table = segments.iter_mut().find(|segment| segment.p_type(LE) == elf::PT_PHDR);
        table.into_iter().for_each(|table| set_position(table, offset, address, table_len as u64));
        let start = usize::try_from(offset).ok()?;
        written[start..start + table_len].copy_from_slice(pod::bytes_of_slice(&segments));
        let mut header = *header;
        header.e_phoff.set(LE, offset);
        header.e_phnum.set(LE, u16::try_from(segments.len()).ok().filter(|count| *count < elf::PN_XNUM)?);
        written[..size_of_val(&header)].copy_from_slice(pod::bytes_of(&header));
        Some(written)
    }
}

/// Sets the position of a segment in the file and in memory.
fn set_position(segment: &mut ProgramHeader64<LE>, offset: u64, address: u64, len: u64) {
    segment.p_offset.set(LE, offset);
    segment.p_vaddr.set(LE, address);
    segment.p_paddr.set(LE, address);
    segment.p_filesz.set(LE, len);
    segment.p_memsz.set(LE, len);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_name_is_replaced() {
        for (text, expected) in [
            ("$ORIGIN", "/opt"),
            ("$ORIGIN/../lib:${ORIGIN}/x", "/opt/../lib:/opt/x"),
            ("$ORIGINAL/$ORIGIN_1:$LIB", "$ORIGINAL/$ORIGIN_1:$LIB"),
            ("/a$", "/a$"),
            ("", ""),
        ] {
            assert_eq!(expand(text, "/opt"), expected);
        }
        assert_eq!(directory_of(Path::new("/no:where/x.so")), "", "it would be two entries");
        assert_eq!(directory_of(Path::new("/nowhere/x.so")), "/nowhere");
    }
}
