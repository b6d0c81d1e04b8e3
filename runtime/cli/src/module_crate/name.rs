//! The names that a module may have.

use crate::module_crate::error::NewError;

/// Names that Rust or the SDK uses. A crate with such a name would hide the original, or be hidden by it.
const RESERVED: &[&str] = &[
    "as",
    "async",
    "await",
    "break",
    "const",
    "continue",
    "crate",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "fn",
    "for",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "match",
    "mod",
    "move",
    "mut",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "struct",
    "super",
    "trait",
    "true",
    "type",
    "unsafe",
    "use",
    "where",
    "while",
    "abstract",
    "become",
    "box",
    "do",
    "final",
    "gen",
    "macro",
    "override",
    "priv",
    "try",
    "typeof",
    "unsized",
    "virtual",
    "yield",
    "_",
    "test",
    "core",
    "std",
    "alloc",
    "proc_macro",
    "segue_sdk",
    "segue_abi",
    "abi_stable",
    "tracing",
    "log",
    "libc",
];

/// The maximum length of a module's name, in bytes. `segue_abi::metadata::NAME_LEN_MAX` has the same value.
const NAME_LEN_MAX: usize = 64;

/// Checks that cargo accepts the name for a package, Rust for a crate, and the SDK for a module.
pub(super) fn check(name: &str) -> Result<(), NewError> {
    let refuse = |reason| Err(NewError::Name { name: name.to_owned(), reason });
    if name.is_empty() || name.len() > NAME_LEN_MAX {
        return refuse("a name has 1 to 64 characters");
    }
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_') {
        return refuse("a name has only letters, digits, '-' and '_'");
    }
    if !name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
        return refuse("a name begins with a letter or '_'");
    }
    if RESERVED.contains(&name.replace('-', "_").as_str()) {
        return refuse("Rust or the SDK uses this name");
    }
    Ok(())
}
