//! The metadata in a module's file.
//!
//! The file has an ELF section named [`SECTION`]. Its bytes are [`MAGIC`], the length of the text as a
//! little-endian `u32`, and the text. The text is one JSON object with these fields:
//!
//! | field | meaning |
//! | --- | --- |
//! | `name` | the module's name |
//! | `version` | its version, as in its `Cargo.toml` |
//! | `abi` | the [`REVISION`] of this crate that it was built with |
//! | `compiler` | the version of rustc that built its SDK |
//! | `interfaces` | the typed interfaces that it exports, with their layout fingerprints |
//! | `state_schema` | the schema of the state that it hands over, or null |
//! | `sticky` | whether it is sticky: it refuses to be replaced |
//! | `unload` | `promised` if its author promises that linked libraries keep nothing of it; otherwise null |
//!
//! The section is part of a loaded segment, so `strip` keeps it.

/// The name of the ELF section.
pub const SECTION: &str = ".segue";

/// The first bytes of the section. The last one is the version of this format.
pub const MAGIC: [u8; 8] = *b"segue\0\0\x01";

/// The number of incompatible changes to this crate. A file of another revision is refused before it is
/// mapped.
pub const REVISION: u32 = 8;

/// The longest module name, in bytes. A file with a longer one is refused.
pub const NAME_LEN_MAX: usize = 64;
