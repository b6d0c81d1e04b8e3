//! What a module's `Cargo.toml` says to the runtime, read while the module is compiled.

/// Whether the manifest promises that the module can be unmapped though it links libraries: JSON, for the
/// metadata.
///
/// The promise is a line `unload = "promised"` below `[package.metadata.segue]`.
///
/// # Panics
///
/// If `unload` is something else; as this runs at compile time, it then does not compile.
pub const fn unload(manifest: &str) -> &'static str {
    let text = manifest.as_bytes();
    let (mut at, mut is_ours) = (0, false);
    while at < text.len() {
        let end = line_end(text, at);
        let start = skip_space(text, at, end);
        if start < end && text[start] == b'[' {
            is_ours = starts_with(text, start, end, b"[package.metadata.segue]");
        } else if is_ours && starts_with(text, start, end, b"unload") {
            let equals = skip_space(text, start + b"unload".len(), end);
            if equals < end && text[equals] == b'=' {
                let value = skip_space(text, equals + 1, end);
                assert!(
                    starts_with(text, value, end, b"\"promised\"")
                        || starts_with(text, value, end, b"'promised'"),
                    "`unload` of [package.metadata.segue] is \"promised\", or is left out"
                );
                return "\"promised\"";
            }
        }
        at = end + 1;
    }
    "null"
}

const fn line_end(text: &[u8], mut at: usize) -> usize {
    while at < text.len() && text[at] != b'\n' {
        at += 1;
    }
    at
}

const fn skip_space(text: &[u8], mut at: usize, end: usize) -> usize {
    while at < end && (text[at] == b' ' || text[at] == b'\t') {
        at += 1;
    }
    at
}

const fn starts_with(text: &[u8], at: usize, end: usize, start: &[u8]) -> bool {
    if end - at < start.len() {
        return false;
    }
    let mut i = 0;
    while i < start.len() {
        if text[at + i] != start[i] {
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
    fn only_the_line_in_its_section_is_a_promise() {
        const PROMISE: &str =
            "[package]\nname = \"x\"\n\n[package.metadata.segue]\n  unload=\"promised\" # why\n";
        assert_eq!(unload(PROMISE), "\"promised\"");
        assert_eq!(unload("[package.metadata.segue]\r\nunload = 'promised'\r\n"), "\"promised\"");
        for none in [
            "",
            "[package]\nunload = \"promised\"\n",
            "[package.metadata.segue]\n[dependencies]\nunload = \"promised\"",
            "[package.metadata.segue]\n# unload = \"promised\"\nunload_all = 1\n",
            "[package.metadata.segue]\nunload",
        ] {
            assert_eq!(unload(none), "null", "{none}");
        }
    }

    #[test]
    #[should_panic(expected = "is \"promised\", or is left out")]
    fn another_value_is_refused() {
        unload("[package.metadata.segue]\nunload = true\n");
    }
}
