//! `POST /regex?re=…`: finds the matches of a regular expression in the body.
//!
//! The syntax is that of the crate `regex`. It has no look-around and no back-references, so the search for
//! one match takes time proportional to the text. The remaining costs have limits: the length of the
//! expression, its compiled size, and the number of matches.

use regex::{Captures, Regex, RegexBuilder};
use segue_sdk::prelude::*;
use serde::{Serialize, Serializer};

use crate::{
    answer::{Answer, Refusal},
    body,
};

/// The longest expression, in bytes.
const PATTERN_LEN_MAX: usize = 1024;

/// The largest compiled expression, in bytes. A short expression such as `\w{9999}` can need much memory.
const PROGRAM_SIZE_MAX: usize = 1 << 20;

/// The most matches in an answer. A match takes about ten times as many bytes in the answer as in the text.
const MATCHES_MAX: usize = 10_000;

/// The JSON of one match.
#[derive(Serialize)]
struct Match<'a> {
    #[serde(flatten)]
    span: Span<'a>,
    groups: Groups<'a>,
}

/// A part of the text. The offsets count bytes.
#[derive(Serialize)]
struct Span<'a> {
    start: usize,
    end: usize,
    text: &'a str,
}

/// The named groups, in the order of the expression. A group that did not take part in the match is null.
struct Groups<'a>(Vec<(&'a str, Option<Span<'a>>)>);

/// Answers with all matches, in order. They do not overlap.
pub(crate) fn answer(request: &Request<'_>) -> Result<Answer, Refusal> {
    let Some(pattern) = request.param("re") else {
        return Err(bad("missing; pass a regular expression".to_owned()));
    };
    let regex = compile(&pattern)?;
    let text = body::text(request)?;
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
        return Err(bad(format!("longer than {PATTERN_LEN_MAX} bytes")));
    }
    RegexBuilder::new(pattern).size_limit(PROGRAM_SIZE_MAX).build().map_err(|error| bad(error.to_string()))
}

fn bad(reason: String) -> Refusal {
    Refusal::BadParameter { name: "re", reason }
}

// === impl Match ===

impl<'a> Match<'a> {
    fn new(regex: &'a Regex, captures: &Captures<'a>) -> Self {
        let groups = regex.capture_names().flatten().map(|name| (name, captures.name(name).map(Span::from)));
        Match { span: captures.get_match().into(), groups: Groups(groups.collect()) }
    }
}

// === impl Span ===

impl<'a> From<regex::Match<'a>> for Span<'a> {
    fn from(found: regex::Match<'a>) -> Self {
        Span { start: found.start(), end: found.end(), text: found.as_str() }
    }
}

// === impl Groups ===

impl Serialize for Groups<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, span)| (name, span)))
    }
}
