//! Checks whether an answer is the right one.

use std::{collections::HashMap, time::Instant};

use http::StatusCode;
use parking_lot::Mutex;
use segue::VersionId;

use crate::client::{exchange::Answer, loss::Loss};

/// The generations that must no longer answer, each with the time since when.
#[derive(Debug, Default)]
pub(super) struct RetiredGenerations {
    since: Mutex<HashMap<u64, Instant>>,
}

/// Checks the answer to the request with this name. Returns the version that answered, or why the answer
/// counts as lost.
pub(super) fn check(
    answer: &Answer,
    name: &str,
    sent: Instant,
    retired: &RetiredGenerations,
) -> Result<VersionId, (Loss, String)> {
    let text = || String::from_utf8_lossy(&answer.body[..answer.body.len().min(200)]).into_owned();
    if answer.status != StatusCode::OK {
        return Err((Loss::Status, format!("{}: {:?}", answer.status, text())));
    }
    let version =
        answer.headers.get("x-segue-version").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Some(version) = parse(version) else {
        return Err((Loss::WrongBody, format!("x-segue-version is {version:?}")));
    };
    let expected = format!("Hello, {name}! This is greeter {}.\n", version.version);
    if answer.body != expected.as_bytes() {
        return Err((Loss::WrongBody, format!("{version} answered {:?} instead of {expected:?}", text())));
    }
    if retired.contained_at(version.generation, sent) {
        return Err((Loss::WentBack, format!("{version} answered after it was replaced")));
    }
    Ok(version)
}

/// Parses `1.2.0+g7`.
fn parse(text: &str) -> Option<VersionId> {
    let (version, generation) = text.rsplit_once("+g")?;
    Some(VersionId { version: version.to_owned(), generation: generation.parse().ok()? })
}

// === impl RetiredGenerations ===

impl RetiredGenerations {
    pub(super) fn add(&self, generation: u64) {
        self.since.lock().insert(generation, Instant::now());
    }

    pub(super) fn remove(&self, generation: u64) {
        self.since.lock().remove(&generation);
    }

    /// Whether the generation was retired when a request was sent, and still is. A generation that was
    /// reinstated meanwhile may answer.
    fn contained_at(&self, generation: u64, sent: Instant) -> bool {
        self.since.lock().get(&generation).is_some_and(|since| *since <= sent)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn checked(
        status: u16,
        version: &str,
        body: &str,
        retired: &RetiredGenerations,
        sent: Instant,
    ) -> Result<u64, Loss> {
        let mut headers = HeaderMap::new();
        headers.insert("x-segue-version", version.parse().unwrap());
        let answer =
            Answer { status: StatusCode::from_u16(status).unwrap(), headers, body: body.to_owned().into() };
        check(&answer, "n7", sent, retired).map(|version| version.generation).map_err(|(loss, _)| loss)
    }

    #[test]
    fn only_the_right_answer_is_accepted() {
        let now = Instant::now();
        let result = |status, version: &str, body: &str| {
            checked(status, version, body, &RetiredGenerations::default(), now)
        };
        assert_eq!(result(200, "1.0.0+g3", "Hello, n7! This is greeter 1.0.0.\n"), Ok(3));
        assert_eq!(result(503, "1.0.0+g3", "Hello, n7! This is greeter 1.0.0.\n"), Err(Loss::Status));
        assert_eq!(result(200, "1.0.0+g3", "Hello, n7! This is greeter 1.1.0.\n"), Err(Loss::WrongBody));
        assert_eq!(result(200, "1.0.0+g3", "Hello, n8! This is greeter 1.0.0.\n"), Err(Loss::WrongBody));
        assert_eq!(result(200, "1.0.0+g3", "Hello, n7! This is greeter 1.0.0."), Err(Loss::WrongBody));
        assert_eq!(result(200, "", "Hello, n7! This is greeter 1.0.0.\n"), Err(Loss::WrongBody));
        assert_eq!(result(200, "1.0.0", "Hello, n7! This is greeter 1.0.0.\n"), Err(Loss::WrongBody));
    }

    #[test]
    fn a_replaced_version_must_not_answer_a_later_request() {
        let retired = RetiredGenerations::default();
        let before = Instant::now();
        retired.add(3);
        let after = Instant::now();
        let result = |sent| checked(200, "1.0.0+g3", "Hello, n7! This is greeter 1.0.0.\n", &retired, sent);
        assert_eq!(
            result(before - std::time::Duration::from_millis(1)),
            Ok(3),
            "the request was sent before the replacement"
        );
        assert_eq!(result(after), Err(Loss::WentBack));
        retired.remove(3);
        assert_eq!(result(after), Ok(3), "a rollback made it current again");
    }
}
