//! The request of one call.

use std::{borrow::Cow, str};

use segue_abi::{RequestRef, abi_stable::std_types::RSlice};

use crate::boundary::attached;

/// One request, borrowed for the call.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    raw: &'a RequestRef<'a>,
}

impl<'a> Request<'a> {
    pub(crate) fn new(raw: &'a RequestRef<'a>) -> Self {
        Request { raw }
    }

    pub(crate) fn raw(&self) -> &'a RequestRef<'a> {
        self.raw
    }

    /// The method, in upper case: `GET`.
    pub fn method(&self) -> &'a str {
        self.raw.method.as_str()
    }

    /// The path inside this module: for `/greeter/ada`, the module `greeter` sees `/ada`.
    pub fn path(&self) -> &'a str {
        self.raw.path.as_str()
    }

    /// The part of the target after the question mark, still encoded. Empty if there is none.
    pub fn query(&self) -> &'a str {
        self.raw.query.as_str()
    }

    /// The first query parameter with this name, decoded: `+` and `%20` become a space. Invalid UTF-8 becomes
    /// U+FFFD.
    pub fn param(&self, name: &str) -> Option<Cow<'a, str>> {
        self.query().split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key) == name).then(|| decode(value))
        })
    }

    /// The first header with this name. Names are compared without case.
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.headers().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// All headers, in the order of the request. Names are in lower case.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> + use<'a> {
        self.raw.headers.as_slice().iter().map(|header| (header.name.as_str(), header.value.as_slice()))
    }

    /// Whether this version is being purged, so this call should return. The same as
    /// [`Host::is_cancelled`](crate::Host::is_cancelled).
    pub fn is_cancelled(&self) -> bool {
        attached::is_cancelled()
    }

    /// The body.
    pub fn body(&self) -> &'a [u8] {
        self.raw.body.as_slice()
    }

    /// The body as text.
    ///
    /// # Errors
    ///
    /// If the body is not valid UTF-8.
    pub fn text(&self) -> Result<&'a str, str::Utf8Error> {
        str::from_utf8(self.body())
    }
}

/// A request without headers. `target` is a path, optionally followed by `?` and a query.
pub(crate) fn new<'a>(method: &'a str, target: &'a str, body: &'a [u8]) -> RequestRef<'a> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    RequestRef {
        method: method.into(),
        path: path.into(),
        query: query.into(),
        headers: RSlice::EMPTY,
        body: body.into(),
    }
}

/// Decodes one key or value of a query (`application/x-www-form-urlencoded`). Invalid escapes stay unchanged.
fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = match (first, tail) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)).map(|(high, low)| high * 16 + low),
            _ => None,
        };
        match (first, escaped) {
            (_, Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            (b'+', None) => {
                bytes.push(b' ');
                rest = tail;
            }
            (other, None) => {
                bytes.push(*other);
                rest = tail;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn a_query_is_decoded_and_invalid_escapes_stay() {
        assert_eq!(decode("plain"), "plain");
        assert_eq!(decode("a+b%20c%2Fd"), "a b c/d");
        assert_eq!(decode("100%"), "100%");
        assert_eq!(decode("%zz%4"), "%zz%4");
        assert_eq!(decode("%C3%A9"), "é");
        assert_eq!(decode("%ff"), "\u{fffd}");
    }
}
