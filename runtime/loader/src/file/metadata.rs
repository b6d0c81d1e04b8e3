//! The metadata in a module's file.

use std::fmt;

use segue_abi::metadata::{MAGIC, NAME_LEN_MAX, REVISION};
use serde::{Deserialize, Serialize};

use crate::error::CheckError;

/// The metadata of a module. It is read from the file without running any code. [`segue_abi::metadata`]
/// describes the format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// The module's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The revision of the module interface that it was built with.
    pub abi: u32,
    /// The compiler that built it.
    pub compiler: String,
    /// The typed interfaces that it exports.
    pub interfaces: Vec<Interface>,
    /// The schema of the state that it hands over to its successor.
    pub state_schema: Option<String>,
    /// Whether the module becomes sticky: it refuses to be replaced.
    pub sticky: bool,
    /// The author's promise about unloading it.
    #[serde(default)]
    pub unload: Option<Unload>,
}

/// A promise of the author about unloading a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Unload {
    /// After the module's value is dropped, the libraries that it links keep no callback, thread or pointer
    /// of it.
    Promised,
}

/// A typed interface that a module exports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// A hash of its layout, which covers all types that its methods use.
    pub fingerprint: String,
    /// Its methods, in order.
    pub methods: Vec<Method>,
}

/// A method of an interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Method {
    /// Its name.
    pub name: String,
    /// Its arguments.
    pub arguments: Vec<Argument>,
    /// Its return type.
    pub answer: Type,
}

/// An argument of a method.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Argument {
    /// Its name.
    pub name: String,
    /// Its type.
    pub of: Type,
}

/// A type that a method uses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Type {
    /// Its name in the source, such as `Option<Cents>`.
    pub name: String,
    /// The definitions of its types that belong to the interface's crate; empty if there are none.
    pub definition: String,
    /// A hash of the name and the definition.
    pub fingerprint: String,
}

// === Display ===

/// As in the source: `quote(sku: Str<'_>, quantity: u32) -> Cents`.
impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.name)?;
        for (at, Argument { name, of }) in self.arguments.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{name}: {}", of.name)?;
        }
        match self.answer.name.as_str() {
            "()" => write!(f, ")"),
            answer => write!(f, ") -> {answer}"),
        }
    }
}

/// With its definition: `Cents (struct Cents(i64))`.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.definition.as_str() {
            "" => write!(f, "{}", self.name),
            definition => write!(f, "{} ({definition})", self.name),
        }
    }
}

/// The longest version that is accepted, in bytes. It becomes part of headers, file names and log lines.
const VERSION_LEN_MAX: usize = 128;

impl Metadata {
    /// Reads the bytes of the section.
    pub(crate) fn parse(section: &[u8]) -> Result<Self, CheckError> {
        let bad = |reason: &str| CheckError::BadMetadata { reason: reason.to_owned() };
        let rest = section
            .strip_prefix(&MAGIC)
            .ok_or_else(|| bad("it does not start with the magic bytes of this format"))?;
        let (len, rest) = rest.split_first_chunk().ok_or_else(|| bad("it is truncated"))?;
        let text = usize::try_from(u32::from_le_bytes(*len))
            .ok()
            .and_then(|len| rest.get(..len))
            .ok_or_else(|| bad("it is truncated"))?;
        // The revision first: another revision may have other fields.
        let Revision { abi } = serde_json::from_slice(text).map_err(|error| bad(&error.to_string()))?;
        if abi != REVISION {
            return Err(CheckError::Revision { found: abi });
        }
        let metadata: Metadata = serde_json::from_slice(text).map_err(|error| bad(&error.to_string()))?;
        if !is_plain(&metadata.name, "-_", NAME_LEN_MAX) {
            return Err(bad("the name may contain only letters, digits, '-' and '_'"));
        }
        if !is_plain(&metadata.version, "-+.", VERSION_LEN_MAX) {
            return Err(bad("the version may contain only letters, digits, '-', '+' and '.'"));
        }
        Ok(metadata)
    }
}

#[derive(Deserialize)]
struct Revision {
    abi: u32,
}

/// The file is not trusted, and the name becomes part of a path.
fn is_plain(text: &str, also_allowed: &str, len_max: usize) -> bool {
    !text.is_empty()
        && text.len() <= len_max
        && text.chars().all(|c| c.is_ascii_alphanumeric() || also_allowed.contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(text: &str) -> Vec<u8> {
        let len = u32::try_from(text.len()).unwrap().to_le_bytes();
        [&MAGIC[..], &len, text.as_bytes()].concat()
    }

    fn text(name: &str, abi: u32) -> String {
        format!(
            r#"{{"name":"{name}","version":"1.0.0","abi":{abi},"compiler":"rustc","interfaces":[],"state_schema":null,"sticky":false}}"#
        )
    }

    #[test]
    fn metadata_is_read_past_padding() {
        let mut bytes = section(&text("greeter", REVISION));
        bytes.extend([0; 16]);
        assert_eq!(Metadata::parse(&bytes).unwrap().name, "greeter");
    }

    #[test]
    fn invalid_metadata_is_refused() {
        let good = section(&text("greeter", REVISION));
        for len in 0..good.len() {
            assert!(matches!(Metadata::parse(&good[..len]), Err(CheckError::BadMetadata { .. })), "{len}");
        }
        for name in ["", "../../etc/passwd", "a b", &"x".repeat(65)] {
            let bytes = section(&text(name, REVISION));
            assert!(matches!(Metadata::parse(&bytes), Err(CheckError::BadMetadata { .. })), "{name}");
        }
    }

    #[test]
    fn another_revision_is_reported_whatever_its_fields_are() {
        let bytes = section(r#"{"abi":999,"title":"greeter"}"#);
        assert!(matches!(Metadata::parse(&bytes), Err(CheckError::Revision { found: 999 })));
    }
}
