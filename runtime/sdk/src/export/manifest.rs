//! Settings for the runtime in a module's `Cargo.toml`, read while the module is compiled.

/// Whether the manifest promises that the module can be unmapped although it links libraries. The result is
/// JSON, for the metadata.
///
/// The promise is the line `unload = "promised"` below `[package.metadata.segue]`.
///
/// # Panics
///
/// If `unload` has another value. This runs at compile time, so the module then does not compile.
pub const fn unload_promise(manifest: &str) -> &'static str {
    let text = manifest.as_bytes();
    let (mut at, mut is_our_section) = (0, false);
    while at < text.len() {
        let end = line_end(text, at);
        let start = skip_space(text, at, end);
        if start < end && text[start] == b'[' {
            is_our_section = starts_with(text, start, end, b"[package.metadata.segue]");
        } else if is_our_section && starts_with(text, start, end, b"unload") {
            let equals = skip_space(text, start + b"unload".len(), end);
            if equals < end && text[equals] == b'=' {
                let value = skip_space(text, equals + 1, end);
                assert!(
                    starts_with(text, value, end, b"\"promised\"")
                        || starts_with(text, value, end, b"'promised'"),
                    "`unload` in [package.metadata.segue] must be \"promised\"; correct or remove it"
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
        assert_eq!(unload_promise(PROMISE), "\"promised\"");
        assert_eq!(unload_promise("[package.metadata.segue]\r\nunload = 'promised'\r\n"), "\"promised\"");
        for none in [
            "",
            "[package]\nunload = \"promised\"\n",
            "[package.metadata.segue]\n[dependencies]\nunload = \"promised\"",
            "[package.metadata.segue]\n# unload = \"promised\"\nunload_all = 1\n",
            "[package.metadata.segue]\nunload",
        ] {
            assert_eq!(unload_promise(none), "null", "{none}");
        }
    }

    #[test]
    #[should_panic(expected = "must be \"promised\"")]
    fn another_value_is_refused() {
        unload_promise("[package.metadata.segue]\nunload = true\n");
    }
}
