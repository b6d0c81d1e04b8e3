//! Builds descriptions while an interface's crate is compiled: hashes and joined texts.

/// The initial hash: the offset basis of 64-bit FNV-1a.
pub const HASH_START: u64 = 0xcbf2_9ce4_8422_2325;

/// Adds a text, and a mark for its end, to a hash.
pub const fn hash(start: u64, text: &str) -> u64 {
    let (bytes, mut hash, mut i) = (text.as_bytes(), start, 0);
    while i < bytes.len() {
        hash = step(hash, bytes[i]);
        i += 1;
    }
    // This byte is never part of UTF-8.
    step(hash, 0xff)
}

/// Adds another hash to a hash.
pub const fn mix(start: u64, other: u64) -> u64 {
    let (bytes, mut hash, mut i) = (other.to_le_bytes(), start, 0);
    while i < bytes.len() {
        hash = step(hash, bytes[i]);
        i += 1;
    }
    hash
}

const fn step(hash: u64, byte: u8) -> u64 {
    (hash ^ byte as u64).wrapping_mul(0x0100_0000_01b3)
}

/// A hash as 16 hexadecimal digits.
pub const fn hex(hash: u64) -> [u8; 16] {
    let (mut digits, mut i) = ([0; 16], 0);
    while i < 16 {
        digits[i] = b"0123456789abcdef"[(hash >> (60 - 4 * i)) as usize & 15];
        i += 1;
    }
    digits
}

/// The length of the joined texts, in bytes.
pub const fn joined_len(parts: &[&str]) -> usize {
    let (mut len, mut i) = (0, 0);
    while i < parts.len() {
        len += parts[i].len();
        i += 1;
    }
    len
}

/// The bytes of the joined texts.
pub const fn joined<const N: usize>(parts: &[&str]) -> [u8; N] {
    let (mut bytes, mut at, mut part) = ([0; N], 0, 0);
    while part < parts.len() {
        let text = parts[part].as_bytes();
        let mut i = 0;
        while i < text.len() {
            bytes[at] = text[i];
            at += 1;
            i += 1;
        }
        part += 1;
    }
    bytes
}

/// The text of these bytes.
///
/// # Panics
///
/// If they are not UTF-8. It runs at compile time, so the program does not compile.
pub const fn text(bytes: &'static [u8]) -> &'static str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => panic!("joined texts are UTF-8"),
    }
}

/// The separator before a definition. Empty if the definition is empty.
pub const fn separator(definition: &str) -> &'static str {
    if definition.is_empty() { "" } else { "; " }
}

/// Joins constant texts into one.
#[doc(hidden)]
#[macro_export]
macro_rules! __join {
    ($($part:expr),* $(,)?) => {{
        const PARTS: &[&str] = &[$($part),*];
        const BYTES: &[u8] = &$crate::__private::joined::<{ $crate::__private::joined_len(PARTS) }>(PARTS);
        $crate::__private::text(BYTES)
    }};
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_fnv_1a_and_includes_the_end_of_each_text() {
        // The published value for "a", and then the byte that marks the end.
        assert_eq!(hash(HASH_START, "a"), step(0xaf63_dc4c_8601_ec8c, 0xff));
        assert_ne!(hash(hash(HASH_START, "ab"), "c"), hash(hash(HASH_START, "a"), "bc"));
        assert_eq!(&hex(0x0123_4567_89ab_cdef), b"0123456789abcdef");
    }

    #[test]
    fn texts_are_joined() {
        const TEXT: &str = crate::__join!["a", "", "bc"];
        assert_eq!(TEXT, "abc");
    }
}
