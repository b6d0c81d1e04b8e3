//! Words, numbers and times as text for a person.

use std::{borrow::Cow, time::Duration};

use jiff::Timestamp;

/// Escapes the characters of untrusted text (a file's metadata, a path, an answer) that steer a terminal or
/// disguise the text.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut cleaned = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if is_harmful(character) {
            cleaned.extend(character.escape_unicode());
        } else {
            cleaned.push(character);
        }
    }
    Cow::Owned(cleaned)
}

/// Whether it is a control character or changes the direction of writing.
fn is_harmful(character: char) -> bool {
    let changes_direction =
        matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    character.is_control() || changes_direction
}

/// A duration, with two or three significant digits.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match duration.as_micros() {
        micros @ 0..1_000 => format!("{micros} µs"),
        micros @ 1_000..1_000_000 => format!("{} ms", digits(micros as f64 / 1e3)),
        micros @ 1_000_000..60_000_000 => format!("{} s", digits(micros as f64 / 1e6)),
        _ if seconds < 60 * 60 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ if seconds < 24 * 60 * 60 => format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d {:02}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// With one decimal if there is only one digit before it.
fn digits(number: f64) -> String {
    // Rounded down: 999.9 must not read as 1000, which is the next unit.
    if number < 10.0 {
        format!("{:.1}", (number * 10.0).floor() / 10.0)
    } else {
        format!("{:.0}", number.floor())
    }
}

/// A duration in microseconds.
pub(crate) fn micros(micros: u64) -> String {
    duration(Duration::from_micros(micros))
}

/// How long ago something happened, in seconds or more. A time in the future, from a clock that was set back,
/// is `0 s`.
pub(crate) fn age(then: Timestamp, now: Timestamp) -> String {
    let seconds = u64::try_from(now.as_second().saturating_sub(then.as_second())).unwrap_or(0);
    if seconds < 60 { format!("{seconds} s") } else { duration(Duration::from_secs(seconds)) }
}

/// A count and its noun: `1 call`, `2 calls`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// A list in words: `a, b and c`.
pub(crate) fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// A size in bytes.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        let cases = [
            (0, "0 µs"),
            (999, "999 µs"),
            (1_000, "1.0 ms"),
            (9_990, "9.9 ms"),
            (12_345, "12 ms"),
            (999_999, "999 ms"),
            (2_500_000, "2.5 s"),
            (59_999_999, "59 s"),
            (60_000_000, "1m 00s"),
            (3_600_000_000, "1h 00m"),
            (100_000_000_000, "1d 03h"),
        ];
        for (number, text) in cases {
            assert_eq!(micros(number), text);
        }
    }

    #[test]
    fn ages_are_never_negative() {
        let then: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        assert_eq!(age(then, "2026-01-02T03:04:17Z".parse().unwrap()), "12 s");
        assert_eq!(age(then, "2026-01-02T03:04:00Z".parse().unwrap()), "0 s");
        assert_eq!(age(then, "2026-01-02T03:06:10Z".parse().unwrap()), "2m 05s");
    }

    #[test]
    fn counts_sizes_and_lists_read_as_words() {
        assert_eq!((count(0, "call"), count(1, "call")), ("0 calls".to_owned(), "1 call".to_owned()));
        assert_eq!(
            (size(10), size(1536), size(3 << 20)),
            ("10 B".into(), "1.5 KiB".into(), "3.0 MiB".into())
        );
        let items = ["a".to_owned(), "b".to_owned(), "c".to_owned()];
        assert_eq!((list(&items[..1]), list(&items)), ("a".to_owned(), "a, b and c".to_owned()));
    }

    #[test]
    fn only_harmful_characters_are_escaped() {
        assert!(matches!(clean("grüße, 世界"), Cow::Borrowed(_)));
        assert_eq!(clean("a\tb\u{202e}c"), "a\\u{9}b\\u{202e}c");
    }
}
