//! A line of JSON, written without allocation into a buffer of fixed size.

use crate::crash::entry::Packed;

/// The size of the buffer, in bytes: enough for the longest name and version and all numbers.
const LINE_BYTES_MAX: usize = 768;

/// A line that is being written. A value that does not fit is omitted. Readers then skip the line, because it
/// is invalid.
pub(super) struct Line {
    bytes: [u8; LINE_BYTES_MAX],
    len: usize,
}

// === impl Line ===

impl Line {
    pub(super) const fn new() -> Self {
        Line { bytes: [0; LINE_BYTES_MAX], len: 0 }
    }

    /// Starts a new line.
    pub(super) fn begin(&mut self) {
        self.len = 0;
        self.raw(b"{");
    }

    /// Adds a number or null.
    pub(super) fn number(&mut self, key: &str, value: Option<u64>) {
        self.key(key);
        match value {
            Some(value) => self.digits(value),
            None => self.raw(b"null"),
        }
    }

    /// Adds a string that looks like a call with a number: `"exit(1)"`.
    pub(super) fn call(&mut self, key: &str, function: &str, argument: u64) {
        self.key(key);
        self.raw(b"\"");
        self.raw(function.as_bytes());
        self.raw(b"(");
        self.digits(argument);
        self.raw(b")\"");
    }

    fn digits(&mut self, mut value: u64) {
        let mut digits = [b'0'; 20];
        let mut len = 0;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (value % 10) as u8;
            value /= 10;
            len += 1;
            if value == 0 {
                break;
            }
        }
        self.raw(&digits[digits.len() - len..]);
    }

    /// Adds a string or null. The string must not need escaping.
    pub(super) fn text(&mut self, key: &str, value: Option<&str>) {
        self.key(key);
        let Some(value) = value else { return self.raw(b"null") };
        self.raw(b"\"");
        self.raw(value.as_bytes());
        self.raw(b"\"");
    }

    /// Adds a string from the table of images, or null. The metadata allows only characters that need no
    /// escaping.
    pub(super) fn packed(&mut self, key: &str, value: Option<Packed<'_>>) {
        self.key(key);
        let Some(value) = value else { return self.raw(b"null") };
        self.raw(b"\"");
        value.for_each(|byte| self.raw(&[byte]));
        self.raw(b"\"");
    }

    /// Adds a digest or null.
    pub(super) fn digest(&mut self, key: &str, value: Option<Packed<'_>>) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        self.key(key);
        let Some(value) = value else { return self.raw(b"null") };
        self.raw(b"\"sha256:");
        value.for_each(|byte| self.raw(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]));
        self.raw(b"\"");
    }

    /// Ends the line, and returns it.
    pub(super) fn end(&mut self) -> &[u8] {
        self.raw(b"}\n");
        &self.bytes[..self.len]
    }

    fn key(&mut self, key: &str) {
        if self.len > 1 {
            self.raw(b",");
        }
        self.raw(b"\"");
        self.raw(key.as_bytes());
        self.raw(b"\":");
    }

    fn raw(&mut self, bytes: &[u8]) {
        if let Some(target) = self.bytes.get_mut(self.len..self.len + bytes.len()) {
            target.copy_from_slice(bytes);
            self.len += bytes.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_valid_json() {
        let mut line = Line::new();
        line.begin();
        line.number("zero", Some(0));
        line.number("most", Some(u64::MAX));
        line.number("none", None);
        line.text("signal", Some("SIGSEGV"));
        let words = [u64::from_le_bytes(*b"greeters")];
        line.packed("name", Some(Packed { words: &words, len: 7 }));
        line.digest("digest", Some(Packed { words: &[0xa00f], len: 2 }));
        line.packed("no-text", None);
        let expected = r#"{"zero":0,"most":18446744073709551615,"none":null,"signal":"SIGSEGV","name":"greeter","digest":"sha256:0fa0","no-text":null}"#;
        assert_eq!(line.end(), format!("{expected}\n").as_bytes());
    }

    #[test]
    fn a_value_that_does_not_fit_is_omitted() {
        let mut line = Line::new();
        line.begin();
        line.packed("long", Some(Packed { words: &[7; LINE_BYTES_MAX], len: 8 * LINE_BYTES_MAX }));
        assert!(line.end().len() <= LINE_BYTES_MAX);
    }
}
