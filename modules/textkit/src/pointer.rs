//! `POST /json/pointer?p=/a/0`: the value to which a JSON pointer (RFC 6901) leads, exactly as it is written in the body.
//!
//! The document is read once and never built in memory: what lies off the way is skipped, and what lies at its end is
//! handed back as it stands, so a number keeps all its digits and an object the order of its keys.

use std::{borrow::Cow, fmt};

use segue_sdk::prelude::*;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::{
    answer::{Answer, Refusal},
    route::text,
};

/// Answers with the value that the pointer leads to.
pub(crate) fn answer(request: &Request<'_>) -> Result<Answer, Refusal> {
    let Some(pointer) = request.param("p") else {
        return Err(bad("is missing: a JSON pointer such as /a/0"));
    };
    let tokens = tokens(&pointer)?;
    match find(text(request)?, &tokens).map_err(Refusal::BadJson)? {
        Some(value) => Ok(Answer::json(value)),
        None => Err(Refusal::NothingThere { pointer: pointer.into_owned() }),
    }
}

fn bad(reason: &str) -> Refusal {
    Refusal::BadParameter { name: "p", reason: reason.to_owned() }
}

/// The steps of a pointer. The empty pointer has none: it leads to the whole document.
fn tokens(pointer: &str) -> Result<Vec<String>, Refusal> {
    if pointer.is_empty() {
        return Ok(Vec::new());
    }
    let Some(steps) = pointer.strip_prefix('/') else {
        return Err(bad("does not begin with a slash"));
    };
    steps.split('/').map(unescape).collect()
}

fn unescape(step: &str) -> Result<String, Refusal> {
    let mut pieces = step.split('~');
    let mut token = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        if let Some(rest) = piece.strip_prefix('0') {
            token.push('~');
            token.push_str(rest);
        } else if let Some(rest) = piece.strip_prefix('1') {
            token.push('/');
            token.push_str(rest);
        } else {
            return Err(bad("has a ~ that is followed by neither 0 nor 1"));
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

/// Reads one value, and finds in it what these steps lead to.
struct Seek<'t>(&'t [String]);

/// Reads one value in which at least one step is to be taken.
struct Step<'t> {
    token: &'t str,
    rest: Seek<'t>,
}

// === impl Seek ===

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        match self.0 {
            [] => serde::Deserialize::deserialize(reader).map(Some),
            [token, rest @ ..] => reader.deserialize_any(Step { token, rest: Seek(rest) }),
        }
    }
}

// === impl Step ===

impl<'de> Visitor<'de> for Step<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    /// Of keys that are there twice, the last one counts, as it does in most readers of JSON.
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
        let mut before = index(self.token);
        let mut found = None;
        loop {
            let more = match before {
                Some(0) => match seq.next_element_seed(Seek(self.rest.0))? {
                    Some(value) => {
                        found = value;
                        true
                    }
                    None => false,
                },
                _ => seq.next_element::<IgnoredAny>()?.is_some(),
            };
            if !more {
                return Ok(found);
            }
            before = before.and_then(|before| before.checked_sub(1));
        }
    }

    // Nothing lies inside the others.

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

/// A step as an index: digits without a leading zero.
fn index(token: &str) -> Option<usize> {
    let plain = token.bytes().all(|byte| byte.is_ascii_digit()) && (token == "0" || !token.starts_with('0'));
    if plain { token.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The document of RFC 6901, section 5, and two of ours.
    const DOCUMENT: &str = r#"{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8,
        "n": 123456789012345678901234567890.10, "o": {"z": 1,  "a": [null]}}"#;

    fn at(pointer: &str) -> Option<&'static str> {
        find(DOCUMENT, &tokens(pointer).unwrap()).unwrap().map(RawValue::get)
    }

    #[test]
    fn the_examples_of_the_rfc() {
        assert_eq!(at(""), Some(DOCUMENT));
        assert_eq!(at("/foo"), Some(r#"["bar","baz"]"#));
        assert_eq!(at("/foo/0"), Some(r#""bar""#));
        let keys = [("/", "0"), ("/a~1b", "1"), ("/c%d", "2"), ("/e^f", "3"), ("/g|h", "4"), ("/i\\j", "5")];
        for (pointer, value) in keys.into_iter().chain([("/k\"l", "6"), ("/ ", "7"), ("/m~0n", "8")]) {
            assert_eq!(at(pointer), Some(value), "{pointer}");
        }
    }

    #[test]
    fn a_value_stays_as_it_is_written() {
        assert_eq!(at("/n"), Some("123456789012345678901234567890.10"));
        assert_eq!(at("/o"), Some(r#"{"z": 1,  "a": [null]}"#));
        assert_eq!(at("/o/a/0"), Some("null"));
    }

    #[test]
    fn where_nothing_is() {
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
    fn pointers_that_are_none() {
        for pointer in ["a", "a/b", "/~", "/~2", "/a~"] {
            assert!(tokens(pointer).is_err(), "{pointer}");
        }
    }

    #[test]
    fn the_whole_document_has_to_be_json() {
        for (json, line, column) in
            [("{\"a\":1,}", 1, 8), ("{\"a\":1\n} x", 2, 3), ("", 1, 0), ("[1,\n 2", 2, 2)]
        {
            let error = find(json, &tokens("/a").unwrap()).unwrap_err();
            assert_eq!((error.line(), error.column()), (line, column), "{json:?}: {error}");
        }
    }

    #[test]
    fn depth_is_refused_before_the_stack_ends() {
        let deep = "[".repeat(100_000);
        assert!(find(&deep, &tokens(&"/0".repeat(100_000)).unwrap()).is_err());
        assert!(find(&deep, &tokens("/0").unwrap()).is_err());
    }
}
