//! The demo's report, as a table.

use std::fmt::Write as _;

use segue_demo::{Comparison, Report, Spread};

use crate::text::{clean, count, micros};

/// The table; every line ends with a newline.
pub(super) fn render(report: &Report) -> String {
    let mut text = String::new();
    let mut line = |title: &str, figure: &str, rest: &str| {
        text.push_str(format!("{title:<20}{figure:>12}  {rest}").trim_end());
        text.push('\n');
    };
    let versions: Vec<String> = report
        .requests
        .by_version
        .iter()
        .map(|(version, count)| format!("{} by {}", thousands(*count), clean(version)))
        .collect();
    let losses: Vec<String> = report.losses.iter().map(|(loss, count)| format!("{count} {loss}")).collect();
    let methods = format!(
        "{} dropped in, {} over the socket, {}",
        report.dropped_in,
        report.loaded,
        count(report.rolled_back, "rollback")
    );
    line("requests", &thousands(report.requests.total), &versions.join(", "));
    line("lost", &thousands(report.lost), &losses.join(", "));
    line("releases", &report.releases.to_string(), &methods);
    for (title, spread, us, meaning) in [
        ("publish", &report.publish_us, 1.0, "until new calls enter the new version"),
        ("drain of old", &report.drain_ms, 1e3, "until its last call ended; usually a slow one was inside"),
        ("purge of old", &report.purge_ms, 1e3, "from then until it was unmapped"),
    ] {
        let (median, max) = render_spread(spread.as_ref(), us);
        line(title, &median, &format!("median, {max} max: {meaning}"));
    }
    line("images mapped now", &report.images_mapped.to_string(), "the current version");
    line("", "quiet", "during releases");
    for (title, Comparison { quiet, during }) in [("p50", report.p50_us), ("p99", report.p99_us)] {
        let latency = |us: Option<u32>| us.map_or("-".to_owned(), |us| micros(us.into()));
        line(title, &latency(quiet), &latency(during));
    }
    for example in &report.loss_examples {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "lost: {}", clean(example));
    }
    text
}

/// The median and the maximum of a spread whose unit is `us` microseconds.
fn render_spread(spread: Option<&Spread>, us: f64) -> (String, String) {
    match spread {
        // Whole microseconds are exact enough to read, and none of these is negative.
        Some(Spread { median, max }) => (micros((median * us) as u64), micros((max * us) as u64)),
        None => ("-".to_owned(), "-".to_owned()),
    }
}

/// `1234567` as `1,234,567`.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use segue_demo::Requests;

    use super::*;

    #[test]
    fn the_table_has_every_figure() {
        let report = Report {
            requests: Requests {
                total: 184_233,
                by_version: BTreeMap::from([("1.0.0".to_owned(), 100_000), ("1.1.0".to_owned(), 84_233)]),
            },
            lost: 1,
            losses: BTreeMap::from([("eof", 1)]),
            loss_examples: vec!["eof: /greeter/n7".to_owned()],
            releases: 6,
            dropped_in: 2,
            loaded: 3,
            rolled_back: 1,
            publish_us: Some(Spread { median: 3.0, max: 12.0 }),
            drain_ms: Some(Spread { median: 812.25, max: 1003.5 }),
            purge_ms: Some(Spread { median: 0.75, max: 2.0 }),
            images_mapped: 1,
            p50_us: Comparison { quiet: Some(310), during: Some(312) },
            p99_us: Comparison { quiet: Some(1200), during: None },
        };
        let expected = "\
requests                 184,233  100,000 by 1.0.0, 84,233 by 1.1.0
lost                           1  1 eof
releases                       6  2 dropped in, 3 over the socket, 1 rollback
publish                     3 µs  median, 12 µs max: until new calls enter the new version
drain of old              812 ms  median, 1.0 s max: until its last call ended; usually a slow one was inside
purge of old              750 µs  median, 2.0 ms max: from then until it was unmapped
images mapped now              1  the current version
                           quiet  during releases
p50                       310 µs  312 µs
p99                       1.2 ms  -
lost: eof: /greeter/n7
";
        assert_eq!(render(&report), expected);
    }

    #[test]
    fn thousands_are_separated() {
        assert_eq!(
            (thousands(0), thousands(999), thousands(1000), thousands(1_234_567)),
            ("0".into(), "999".into(), "1,000".into(), "1,234,567".into())
        );
    }
}
