//! Text: borrowed for a call, or in host memory.

use std::{borrow::Borrow, cmp::Ordering, fmt, hash, ops::Deref};

use crate::Bytes;

/// Text that may cross between host and modules. As an argument (`Str<'_>`) it is borrowed from the caller.
/// As a return value (`Str<'static>`) it is in host memory, which outlives every module.
///
/// It derefs to `str`. A borrow costs nothing. A `String` is copied into host memory. A literal of the module
/// is copied when a method returns it.
///
/// ```
/// use segue_interface::Str;
///
/// let borrowed = Str::from("anvil");
/// let owned: Str<'static> = Str::from(format!("an {borrowed}"));
/// assert_eq!(owned, "an anvil");
/// assert_eq!(owned.len(), 8);
/// ```
#[repr(transparent)]
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Str<'a> {
    /// UTF-8.
    bytes: Bytes<'a>,
}

// === impl Str ===

impl<'a> Str<'a> {
    /// Creates an empty text. It takes no memory.
    pub const fn new() -> Self {
        Str { bytes: Bytes::new() }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        // SAFETY: each constructor takes a `str` or a `String`, and nothing changes the bytes.
        unsafe { std::str::from_utf8_unchecked(self.bytes.as_slice()) }
    }

    pub(crate) fn map(self, map: impl FnOnce(Bytes<'a>) -> Bytes<'static>) -> Str<'static> {
        Str { bytes: map(self.bytes) }
    }
}

impl<'a> From<&'a str> for Str<'a> {
    fn from(text: &'a str) -> Self {
        Str { bytes: Bytes::from(text.as_bytes()) }
    }
}

impl<'a> From<&'a String> for Str<'a> {
    fn from(text: &'a String) -> Self {
        Str::from(text.as_str())
    }
}

/// Copies the text into host memory.
impl From<String> for Str<'_> {
    fn from(text: String) -> Self {
        Str { bytes: Bytes::from(text.into_bytes()) }
    }
}

impl From<Str<'_>> for String {
    fn from(text: Str<'_>) -> Self {
        text.as_str().to_owned()
    }
}

impl Deref for Str<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Str<'_> {
    fn as_ref(&self) -> &str {
        self
    }
}

impl Borrow<str> for Str<'_> {
    fn borrow(&self) -> &str {
        self
    }
}

impl fmt::Display for Str<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl fmt::Debug for Str<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl PartialEq<str> for Str<'_> {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Str<'_> {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialOrd for Str<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Str<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other)
    }
}

/// Hashes as `str` does, so that a `&str` finds a key of this type in a map.
impl hash::Hash for Str<'_> {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}
