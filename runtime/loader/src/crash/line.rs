//! One line of JSON, made by hand in memory of a fixed size.

/// How long a line may be, in bytes: enough for the longest name and version, and all numbers.
const LINE_BYTES_MAX: usize = 768;

/// A line that is being made. What does not fit is left out, and then the line is none that anybody takes.
pub(super) struct Line {
    bytes: [u8; LINE_BYTES_MAX],
    len: usize,
}

// === impl Line ===

impl Line {
    pub(super) fn new() -> Self {
        let mut line = Line { bytes: [0; LINE_BYTES_MAX], len: 0 };
        line.raw(b"{");
        line
    }

    /// A number, or null.
    pub(super) fn number(&mut self, key: &str, value: Option<u64>) {
        self.key(key);
        let Some(mut value) = value else { return self.raw(b"null") };
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

    /// A text, which must have nothing in it that JSON writes otherwise; or null.
    pub(super) fn text(&mut self, key: &str, value: Option<impl Iterator<Item = u8>>) {
        self.key(key);
        let Some(value) = value else { return self.raw(b"null") };
        self.raw(b"\"");
        value.for_each(|byte| self.raw(&[byte]));
        self.raw(b"\"");
    }

    /// A digest, or null.
    pub(super) fn digest(&mut self, key: &str, value: Option<impl Iterator<Item = u8>>) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digits = value.map(|bytes| {
            let digits =
                bytes.flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| DIGITS[usize::from(digit)]);
            b"sha256:".iter().copied().chain(digits)
        });
        self.text(key, digits);
    }

    /// The line with its end.
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
        if let Some(room) = self.bytes.get_mut(self.len..self.len + bytes.len()) {
            room.copy_from_slice(bytes);
            self.len += bytes.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_a_reader_of_json_expects() {
        let mut line = Line::new();
        line.number("zero", Some(0));
        line.number("most", Some(u64::MAX));
        line.number("none", None);
        line.text("name", Some(b"greeter".iter().copied()));
        line.digest("digest", Some([0x0f_u8, 0xa0].into_iter()));
        line.text("no-text", None::<std::iter::Empty<u8>>);
        let expected = r#"{"zero":0,"most":18446744073709551615,"none":null,"name":"greeter","digest":"sha256:0fa0","no-text":null}"#;
        assert_eq!(line.end(), format!("{expected}\n").as_bytes());
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let mut line = Line::new();
        line.text("long", Some(std::iter::repeat_n(b'x', 2 * LINE_BYTES_MAX)));
        assert!(line.end().len() <= LINE_BYTES_MAX);
    }
}
