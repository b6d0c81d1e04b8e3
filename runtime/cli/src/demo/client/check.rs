//! Whether an answer is the right one.

use std::{collections::HashMap, time::Instant};

use http::StatusCode;
use parking_lot::Mutex;
use segue::VersionId;

use super::{Loss, exchange::Answer};

/// The generations that must not answer any more, and since when.
#[derive(Debug, Default)]
pub(super) struct Retired {
    since: Mutex<HashMap<u64, Instant>>,
}

/// Checks an answer to the request of this name, which was sent then. Answers who gave it.
pub(super) fn check(
    answer: &Answer,
    name: &str,
    sent: Instant,
    retired: &Retired,
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
        return Err((Loss::WrongBody, format!("{version} answered {:?} for {expected:?}", text())));
    }
    if retired.was_retired_at(version.generation, sent) {
        return Err((Loss::RollbackSource, format!("{version} answered after it was replaced")));
    }
    Ok(version)
}

/// Reads `1.2.0+g7`.
fn parse(text: &str) -> Option<VersionId> {
    let (version, generation) = text.rsplit_once("+g")?;
    Some(VersionId { version: version.to_owned(), generation: generation.parse().ok()? })
}

// === impl Retired ===

impl Retired {
    pub(super) fn add(&self, generation: u64) {
        self.since.lock().insert(generation, Instant::now());
    }

    pub(super) fn remove(&self, generation: u64) {
        self.since.lock().remove(&generation);
    }

    /// Whether it was retired when a request was sent, and is still: one that comes back meanwhile may answer.
    fn was_retired_at(&self, generation: u64, sent: Instant) -> bool {
        self.since.lock().get(&generation).is_some_and(|since| *since <= sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;

    fn verdict(
        status: u16,
        version: &str,
        body: &str,
        retired: &Retired,
        sent: Instant,
    ) -> Result<u64, Loss> {
        let mut headers = HeaderMap::new();
        headers.insert("x-segue-version", version.parse().unwrap());
        let answer =
            Answer { status: StatusCode::from_u16(status).unwrap(), headers, body: body.to_owned().into() };
        check(&answer, "n7", sent, retired).map(|version| version.generation).map_err(|(loss, _)| loss)
    }

    #[test]
    fn only_the_right_answer_is_right() {
        let now = Instant::now();
        let is = |status, version: &str, body: &str| verdict(status, version, body, &Retired::default(), now);
        assert_eq!(is(200, "1.0.0+g3", "Hello, n7! This is greeter 1.0.0.\n"), Ok(3));
        assert_eq!(is(503, "1.0.0+g3", "Hello, n7! This is greeter 1.0.0.\n"), Err(Loss::Status));
        assert_eq!(is(200, "1.0.0+g3", "Hello, n7! This is greeter 1.1.0.\n"), Err(Loss::WrongBody));
        assert_eq!(is(200, "1.0.0+g3", "Hello, n8! This is greeter 1.0.0.\n"), Err(Loss::WrongBody));
        assert_eq!(is(200, "1.0.0+g3", "Hello, n7! This is greeter 1.0.0."), Err(Loss::WrongBody));
        assert_eq!(is(200, "", "Hello, n7! This is greeter 1.0.0.\n"), Err(Loss::WrongBody));
        assert_eq!(is(200, "1.0.0", "Hello, n7! This is greeter 1.0.0.\n"), Err(Loss::WrongBody));
    }

    #[test]
    fn a_version_that_was_replaced_must_not_answer_what_was_sent_later() {
        let retired = Retired::default();
        let before = Instant::now();
        retired.add(3);
        let after = Instant::now();
        let is = |sent| verdict(200, "1.0.0+g3", "Hello, n7! This is greeter 1.0.0.\n", &retired, sent);
        assert_eq!(is(before - std::time::Duration::from_millis(1)), Ok(3), "it was inside");
        assert_eq!(is(after), Err(Loss::RollbackSource));
        retired.remove(3);
        assert_eq!(is(after), Ok(3), "it was rolled back to");
    }
}
