//! Deadlines, and other spans of time, on the command line: `500ms`, `30s`, `5m`.

use std::{str::FromStr, time::Duration};

use jiff::SignedDuration;

/// How long something may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Deadline(Duration);

/// A text that is no deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a span of time is a number with its unit, like 500ms, 30s or 5m")]
pub(super) struct ParseDeadlineError;

// === impl Deadline ===

impl Deadline {
    pub(super) fn duration(self) -> Duration {
        self.0
    }

    pub(super) fn millis(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }
}

impl FromStr for Deadline {
    type Err = ParseDeadlineError;

    fn from_str(text: &str) -> Result<Self, ParseDeadlineError> {
        let parsed: SignedDuration = text.parse().map_err(|_| ParseDeadlineError)?;
        Duration::try_from(parsed).map(Deadline).map_err(|_| ParseDeadlineError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_has_a_unit() {
        let cases = [
            ("500ms", 500),
            ("30s", 30_000),
            ("5m", 300_000),
            ("1m 30s", 90_000),
            ("2h", 7_200_000),
            ("0s", 0),
        ];
        for (text, millis) in cases {
            assert_eq!(text.parse::<Deadline>().map(Deadline::millis), Ok(millis), "{text}");
        }
        for text in ["", "30", "s", "-5s", "5 parsecs", "5s ago"] {
            assert_eq!(text.parse::<Deadline>(), Err(ParseDeadlineError), "{text}");
        }
    }
}
