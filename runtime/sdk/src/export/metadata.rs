//! Composes a module's metadata while it is compiled.

use segue_abi::metadata::{MAGIC, NAME_LEN_MAX};

/// The version of the rustc that builds the module.
pub const COMPILER: &str = env!("SEGUE_COMPILER");

/// The revision of the boundary's types, as JSON text.
pub const REVISION: &str = "8";

const _: () =
    assert!(segue_abi::metadata::REVISION == 8, "REVISION must be the text of segue_abi::metadata::REVISION");

/// The length in bytes of the section whose text is the concatenation of `parts`.
pub const fn section_len(parts: &[&str]) -> usize {
    MAGIC.len() + 4 + text_len(parts)
}

/// The bytes of the section whose text is the concatenation of `parts`.
///
/// # Panics
///
/// If `N` is not the result of [`section_len`]. This runs at compile time, so the module then does not
/// compile.
pub const fn section<const N: usize>(parts: &[&str]) -> [u8; N] {
    assert!(N == section_len(parts), "the length of the section must be section_len(parts)");
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

/// Returns the name of a module unchanged, if it is valid.
///
/// # Panics
///
/// If it is not valid. This runs at compile time, so the module then does not compile.
pub const fn name(name: &str) -> &str {
    assert!(
        !name.is_empty() && name.len() <= NAME_LEN_MAX,
        "the name of a module must have 1 to 64 characters"
    );
    assert!(consists_of(name, b"-_"), "the name of a module must consist of letters, digits, '-' and '_'");
    name
}

/// Returns the version of a module, if it is valid: the one stamped on the build, otherwise that of the
/// package.
///
/// # Panics
///
/// If it is not valid. This runs at compile time, so the module then does not compile.
pub const fn version(stamped: Option<&'static str>, package: &'static str) -> &'static str {
    let version = match stamped {
        Some(stamped) => stamped,
        None => package,
    };
    assert!(!version.is_empty(), "the version of a module must not be empty");
    assert!(
        consists_of(version, b"-+."),
        "the version of a module must consist of letters, digits, '-', '+' and '.'"
    );
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

const fn copy(target: &mut [u8], mut at: usize, source: &[u8]) -> usize {
    let mut i = 0;
    while i < source.len() {
        target[at] = source[i];
        at += 1;
        i += 1;
    }
    at
}

const fn consists_of(text: &str, punctuation: &[u8]) -> bool {
    let bytes = text.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        let mut allowed = bytes[i].is_ascii_alphanumeric();
        let mut j = 0;
        while j < punctuation.len() {
            allowed |= bytes[i] == punctuation[j];
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
    fn names_and_versions_need_no_escaping_in_json() {
        assert!(consists_of("greeter-2_b", b"-_"));
        assert!(!consists_of("a\"b", b"-_"));
        assert_eq!(version(Some("2.0.0-rc.1+x"), "1.0.0"), "2.0.0-rc.1+x");
        assert_eq!(version(None, "1.0.0"), "1.0.0");
    }
}
