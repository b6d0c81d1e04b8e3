//! Durations on the command line: `500ms`, `30s`, `5m`.

use std::{str::FromStr, time::Duration};

use jiff::SignedDuration;

/// A duration on the command line, such as a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DurationArg(Duration);

/// The text is not a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a duration is a number and a unit, for example 500ms, 30s or 5m")]
pub(crate) struct ParseDurationError;

// === impl DurationArg ===

impl DurationArg {
    pub(crate) fn duration(self) -> Duration {
        self.0
    }

    pub(crate) fn millis(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }
}

impl FromStr for DurationArg {
    type Err = ParseDurationError;

    fn from_str(text: &str) -> Result<Self, ParseDurationError> {
        let parsed: SignedDuration = text.parse().map_err(|_| ParseDurationError)?;
        Duration::try_from(parsed).map(DurationArg).map_err(|_| ParseDurationError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_unit() {
        let cases = [
            ("500ms", 500),
            ("30s", 30_000),
            ("5m", 300_000),
            ("1m 30s", 90_000),
            ("2h", 7_200_000),
            ("0s", 0),
        ];
        for (text, millis) in cases {
            assert_eq!(text.parse::<DurationArg>().map(DurationArg::millis), Ok(millis), "{text}");
        }
        for text in ["", "30", "s", "-5s", "5 parsecs", "5s ago"] {
            assert_eq!(text.parse::<DurationArg>(), Err(ParseDurationError), "{text}");
        }
    }
}
