//! `POST /json/pointer?p=/a/0`: finds the value at a JSON pointer (RFC 6901), exactly as the body spells it.
//!
//! The document is read once and never built in memory. Values off the path are skipped, and the value at its
//! end is returned as it was written. So a number keeps all its digits, and an object keeps the order of its
//! keys.

use std::{borrow::Cow, fmt};

use segue_sdk::prelude::*;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::{
    answer::{Answer, Refusal},
    body,
};

/// Answers with the value at the pointer.
pub(crate) fn answer(request: &Request<'_>) -> Result<Answer, Refusal> {
    let Some(pointer) = request.param("p") else {
        return Err(bad("missing; pass a JSON pointer such as /a/0"));
    };
    let tokens = tokens(&pointer)?;
    match find(body::text(request)?, &tokens).map_err(Refusal::BadJson)? {
        Some(value) => Ok(Answer::json(value)),
        None => Err(Refusal::NoValue { pointer: pointer.into_owned() }),
    }
}

fn bad(reason: &str) -> Refusal {
    Refusal::BadParameter { name: "p", reason: reason.to_owned() }
}

/// The reference tokens of a pointer. The empty pointer has none: it points to the complete document.
fn tokens(pointer: &str) -> Result<Vec<String>, Refusal> {
    if pointer.is_empty() {
        return Ok(Vec::new());
    }
    let Some(tokens) = pointer.strip_prefix('/') else {
        return Err(bad("a JSON pointer starts with a slash"));
    };
    tokens.split('/').map(unescape).collect()
}

fn unescape(escaped: &str) -> Result<String, Refusal> {
    let mut parts = escaped.split('~');
    let mut token = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        if let Some(rest) = part.strip_prefix('0') {
            token.push('~');
            token.push_str(rest);
        } else if let Some(rest) = part.strip_prefix('1') {
            token.push('/');
            token.push_str(rest);
        } else {
            return Err(bad("0 or 1 must follow each ~"));
        }
    }
    Ok(token)
}

fn find<'a>(json: &'a str, tokens: &[String]) -> Result<Option<&'a RawValue>, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let found = Seek(tokens).deserialize(&mut reader)?;
    reader.end()?;
    Ok(found)
}

/// Reads one value, and finds the value at these tokens in it.
struct Seek<'t>(&'t [String]);

/// Reads one value, and follows at least one token into it.
struct Descend<'t> {
    token: &'t str,
    rest: Seek<'t>,
}

// === impl Seek ===

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        match self.0 {
            [] => serde::Deserialize::deserialize(reader).map(Some),
            [token, rest @ ..] => reader.deserialize_any(Descend { token, rest: Seek(rest) }),
        }
    }
}

// === impl Descend ===

impl<'de> Visitor<'de> for Descend<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    /// If an object has a key twice, the last one counts, as in most JSON parsers.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if key == self.token {
                found = map.next_value_seed(Seek(self.rest.0))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let index = index(self.token);
        let mut found = None;
        for at in 0.. {
            if Some(at) == index {
                match seq.next_element_seed(Seek(self.rest.0))? {
                    Some(value) => found = value,
                    None => break,
                }
            } else if seq.next_element::<IgnoredAny>()?.is_none() {
                break;
            }
        }
        Ok(found)
    }

    // The other kinds of values contain none.

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// A token as an array index: digits without a leading zero.
fn index(token: &str) -> Option<usize> {
    let is_index =
        token.bytes().all(|byte| byte.is_ascii_digit()) && (token == "0" || !token.starts_with('0'));
    if is_index { token.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The document of RFC 6901, section 5, with two more members.
    const DOCUMENT: &str = r#"{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8,
        "n": 123456789012345678901234567890.10, "o": {"z": 1,  "a": [null]}}"#;

    fn at(pointer: &str) -> Option<&'static str> {
        find(DOCUMENT, &tokens(pointer).unwrap()).unwrap().map(RawValue::get)
    }

    #[test]
    fn pointers_work_as_in_the_examples_of_the_rfc() {
        assert_eq!(at(""), Some(DOCUMENT));
        assert_eq!(at("/foo"), Some(r#"["bar","baz"]"#));
        assert_eq!(at("/foo/0"), Some(r#""bar""#));
        let keys = [("/", "0"), ("/a~1b", "1"), ("/c%d", "2"), ("/e^f", "3"), ("/g|h", "4"), ("/i\\j", "5")];
        for (pointer, value) in keys.into_iter().chain([("/k\"l", "6"), ("/ ", "7"), ("/m~0n", "8")]) {
            assert_eq!(at(pointer), Some(value), "{pointer}");
        }
    }

    #[test]
    fn a_value_is_returned_as_it_was_written() {
        assert_eq!(at("/n"), Some("123456789012345678901234567890.10"));
        assert_eq!(at("/o"), Some(r#"{"z": 1,  "a": [null]}"#));
        assert_eq!(at("/o/a/0"), Some("null"));
    }

    #[test]
    fn a_pointer_to_no_value_finds_nothing() {
        for pointer in [
            "/nope", "/foo/2", "/foo/-", "/foo/00", "/foo/01", "/foo/+1", "/foo/", "/foo/0/0", "/n/0",
            "/o/a/0/x",
        ] {
            assert_eq!(at(pointer), None, "{pointer}");
        }
        assert_eq!(
            find(r#"{"a":{"b":1},"a":2}"#, &tokens("/a/b").unwrap()).unwrap().map(RawValue::get),
            None
        );
    }

    #[test]
    fn a_malformed_pointer_is_refused() {
        for pointer in ["a", "a/b", "/~", "/~2", "/a~"] {
            assert!(tokens(pointer).is_err(), "{pointer}");
        }
    }

    #[test]
    fn the_complete_document_must_be_json() {
        for (json, line, column) in
            [("{\"a\":1,}", 1, 8), ("{\"a\":1\n} x", 2, 3), ("", 1, 0), ("[1,\n 2", 2, 2)]
        {
            let error = find(json, &tokens("/a").unwrap()).unwrap_err();
            assert_eq!((error.line(), error.column()), (line, column), "{json:?}: {error}");
        }
    }

    #[test]
    fn a_document_that_is_too_deep_is_refused() {
        let deep = "[".repeat(100_000);
        assert!(find(&deep, &tokens(&"/0".repeat(100_000)).unwrap()).is_err());
        assert!(find(&deep, &tokens("/0").unwrap()).is_err());
    }
}
