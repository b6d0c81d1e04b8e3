//! Puts a module's metadata together while it is compiled.

use segue_abi::metadata::{MAGIC, NAME_LEN_MAX};

/// The version of rustc that builds the module.
pub const COMPILER: &str = env!("SEGUE_COMPILER");

/// The revision of the boundary's types, as JSON writes it.
pub const REVISION: &str = "8";

const _: () = assert!(segue_abi::metadata::REVISION == 8, "REVISION above is its text");

/// How many bytes the section has whose text is these parts, one after the other.
pub const fn section_len(parts: &[&str]) -> usize {
    MAGIC.len() + 4 + text_len(parts)
}

/// The bytes of the section whose text is these parts, one after the other.
///
/// # Panics
///
/// Where `N` is not what [`section_len`] answers; as this runs at compile time, it then does not compile.
pub const fn section<const N: usize>(parts: &[&str]) -> [u8; N] {
    assert!(N == section_len(parts), "the section's length is section_len's");
    let mut bytes = [0; N];
    let mut at = copy(&mut bytes, 0, &MAGIC);
    at = copy(&mut bytes, at, &(text_len(parts) as u32).to_le_bytes());
    let mut part = 0;
    while part < parts.len() {
        at = copy(&mut bytes, at, parts[part].as_bytes());
        part += 1;
    }
    bytes
}

/// Passes a module's name on, where it is one.
///
/// # Panics
///
/// Where it is none; as this runs at compile time, it then does not compile.
pub const fn name(name: &str) -> &str {
    assert!(!name.is_empty() && name.len() <= NAME_LEN_MAX, "a module's name has 1 to 64 characters");
    assert!(is_plain(name, b"-_"), "a module's name consists of letters, digits, '-' and '_'");
    name
}

/// Passes a module's version on, where it is one: the one that was stamped on the build, else the package's.
///
/// # Panics
///
/// Where it is none; as this runs at compile time, it then does not compile.
pub const fn version(stamped: Option<&'static str>, package: &'static str) -> &'static str {
    let version = match stamped {
        Some(stamped) => stamped,
        None => package,
    };
    assert!(!version.is_empty(), "a module's version is not empty");
    assert!(is_plain(version, b"-+."), "a module's version consists of letters, digits, '-', '+' and '.'");
    version
}

const fn text_len(parts: &[&str]) -> usize {
    let mut len = 0;
    let mut part = 0;
    while part < parts.len() {
        len += parts[part].len();
        part += 1;
    }
    len
}

const fn copy(to: &mut [u8], mut at: usize, from: &[u8]) -> usize {
    let mut i = 0;
    while i < from.len() {
        to[at] = from[i];
        at += 1;
        i += 1;
    }
    at
}

const fn is_plain(text: &str, also: &[u8]) -> bool {
    let bytes = text.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        let mut allowed = bytes[i].is_ascii_alphanumeric();
        let mut j = 0;
        while j < also.len() {
            allowed |= bytes[i] == also[j];
            j += 1;
        }
        if !allowed {
            return false;
        }
        i += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_magic_length_and_text() {
        const PARTS: &[&str] = &["{\"name\":\"", "x", "\"}"];
        let bytes = section::<{ section_len(PARTS) }>(PARTS);
        assert_eq!(bytes[..8], MAGIC);
        assert_eq!(bytes[8..12], 12u32.to_le_bytes());
        assert_eq!(&bytes[12..], b"{\"name\":\"x\"}");
    }

    #[test]
    fn names_and_versions_cannot_break_out_of_their_string() {
        assert!(is_plain("greeter-2_b", b"-_"));
        assert!(!is_plain("a\"b", b"-_"));
        assert_eq!(version(Some("2.0.0-rc.1+x"), "1.0.0"), "2.0.0-rc.1+x");
        assert_eq!(version(None, "1.0.0"), "1.0.0");
    }
}
