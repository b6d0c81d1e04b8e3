//! `POST /regex?re=…`: where a regular expression matches in the body.
//!
//! The expressions are those of the crate `regex`: no look-around and no back-references, so that looking for one match
//! takes time in proportion to the text. What could still be too much is limited: the length of the expression, the size
//! of what it is compiled to, and the number of matches.

use regex::{Captures, Regex, RegexBuilder};
use segue_sdk::prelude::*;
use serde::{Serialize, Serializer};

use crate::{
    answer::{Answer, Refusal},
    route::text,
};

/// The length of an expression in bytes, at most.
const PATTERN_LEN_MAX: usize = 1024;

/// The size of a compiled expression in bytes, at most: `\w{9999}` is short to write and large to hold.
const PROGRAM_SIZE_MAX: usize = 1 << 20;

/// How many matches are told, at most: a match in the answer is some ten times as long as one in the text.
const MATCHES_MAX: usize = 10_000;

/// One match, as it is written.
#[derive(Serialize)]
struct Match<'a> {
    #[serde(flatten)]
    whole: Piece<'a>,
    groups: Groups<'a>,
}

/// A piece of the text; the offsets count bytes.
#[derive(Serialize)]
struct Piece<'a> {
    start: usize,
    end: usize,
    text: &'a str,
}

/// The named groups, in the order of the expression; null where a group took no part.
struct Groups<'a>(Vec<(&'a str, Option<Piece<'a>>)>);

/// Answers with the matches, from first to last, without overlaps.
pub(crate) fn answer(request: &Request<'_>) -> Result<Answer, Refusal> {
    let Some(pattern) = request.param("re") else {
        return Err(bad("is missing: a regular expression".to_owned()));
    };
    let regex = compile(&pattern)?;
    let text = text(request)?;
    let matches: Vec<Match<'_>> = regex
        .captures_iter(text)
        .take(MATCHES_MAX + 1)
        .map(|captures| Match::new(&regex, &captures))
        .collect();
    if matches.len() > MATCHES_MAX {
        return Err(Refusal::TooManyMatches { max: MATCHES_MAX });
    }
    Ok(Answer::json(&matches))
}

fn compile(pattern: &str) -> Result<Regex, Refusal> {
    if pattern.len() > PATTERN_LEN_MAX {
        return Err(bad(format!("is longer than {PATTERN_LEN_MAX} bytes")));
    }
    RegexBuilder::new(pattern).size_limit(PROGRAM_SIZE_MAX).build().map_err(|error| bad(error.to_string()))
}

fn bad(reason: String) -> Refusal {
    Refusal::BadParameter { name: "re", reason }
}

// === impl Match ===

impl<'a> Match<'a> {
    fn new(regex: &'a Regex, captures: &Captures<'a>) -> Self {
        let groups = regex.capture_names().flatten().map(|name| (name, captures.name(name).map(Piece::from)));
        Match { whole: captures.get_match().into(), groups: Groups(groups.collect()) }
    }
}

// === impl Piece ===

impl<'a> From<regex::Match<'a>> for Piece<'a> {
    fn from(found: regex::Match<'a>) -> Self {
        Piece { start: found.start(), end: found.end(), text: found.as_str() }
    }
}

// === impl Groups ===

impl Serialize for Groups<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, piece)| (name, piece)))
    }
}
