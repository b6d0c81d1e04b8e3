//! Where a module's file says what it is.
//!
//! The file has an ELF section named [`SECTION`] whose bytes are [`MAGIC`], the length of the text as a little-endian `u32`,
//! and the text: one JSON object with
//!
//! | field | meaning |
//! | --- | --- |
//! | `name` | the module's name |
//! | `version` | its version, as in its `Cargo.toml` |
//! | `abi` | the [`REVISION`] of this crate that it was built with |
//! | `compiler` | the version of rustc that built its SDK |
//! | `interfaces` | the typed interfaces it exports, with their layout fingerprints |
//! | `state_schema` | the schema of the state it hands over, or null |
//! | `sticky` | whether it asks not to be replaced |
//! | `unload` | `promised`, if its author promises that the libraries it links keep nothing of it; or null |
//!
//! The section is part of the file's loaded contents, so `strip` leaves it in place.

/// The name of the ELF section.
pub const SECTION: &str = ".segue";

/// The first bytes of the section; the last of them is the version of this format.
pub const MAGIC: [u8; 8] = *b"segue\0\0\x01";

/// Counts the incompatible changes of this crate. A file of another revision is refused before it is mapped.
pub const REVISION: u32 = 8;

/// The length of a module's name in bytes, at most; a longer one is refused.
pub const NAME_LEN_MAX: usize = 64;
