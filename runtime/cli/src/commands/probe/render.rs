//! A probe's report, for a person.

use super::report::{Outcome, Report, Stay};
use crate::text::{clean, count, micros, size, span};
use std::time::Duration;

/// The text.
pub(super) fn render(report: &Report) -> String {
    let mut text = format!("{} {}: {}\n", clean(&report.module), clean(&report.version), verdict(report));
    let mut line = |name: &str, value: String| text.push_str(&format!("  {name:<9}  {value}\n"));
    if let Some(step) = &report.step {
        line("at", clean(step).into_owned());
    }
    if let Some(crash) = &report.crash {
        let who = match (&crash.module, &crash.version) {
            (Some(module), Some(id)) => format!("in {} {}", clean(module), clean(&id.to_string())),
            _ => "in no module's code".to_owned(),
        };
        let place = crash.place.as_deref().map_or(String::new(), |place| format!(", {}", clean(place)));
        line("crash", format!("{} {who}{place}", clean(&crash.signal)));
    }
    let measured = &report.measured;
    let left = measured.versions.iter().filter(|version| version.left).count();
    line("versions", format!("{left} of {} left memory", measured.versions.len()));
    if let Some(purge) = measured.purge_us {
        line("purge", format!("{} median, {} max", micros(purge.median), micros(purge.max)));
    }
    let calls = &measured.calls;
    let failed = calls
        .first_failure
        .as_deref()
        .map_or(String::new(), |first| format!(", {} failed; the first: {}", calls.failed, clean(first)));
    line("calls", format!("{}{failed}", calls.made));
    if let Some(most) =
        measured.versions.iter().map(|version| version.leaked_bytes).max().filter(|most| *most > 0)
    {
        line("heap", format!("at most {} not freed by a version; the runtime freed it", size(most)));
    }
    let ended = measured.versions.iter().map(|version| version.threads_ended).max().unwrap_or(0);
    if ended > 0 {
        let threads = count(ended.into(), "idle thread");
        line(
            "threads",
            format!(
                "{threads} left by a version, and ended by the runtime; end them in `Drop` for a prompt release"
            ),
        );
    }
    let dropped: u64 = measured.versions.iter().map(|version| version.destructors_dropped).sum();
    if dropped > 0 {
        line("dropped", format!("{} of thread-locals did not run", count(dropped, "destructor")));
    }
    if let Some(bytes) = measured.resident_bytes_per_round {
        let sign = if bytes < 0 { "-" } else { "" };
        line("resident", format!("{sign}{} per round", size(bytes.unsigned_abs())));
    }
    for stay in &measured.stays {
        text.push_str(&render_stay(stay));
    }
    text
}

fn verdict(report: &Report) -> String {
    match &report.outcome {
        Outcome::Left => "left memory each time, and nothing stayed".to_owned(),
        Outcome::Stays => format!("{} stayed", count(report.measured.stays.len() as u64, "thing")),
        Outcome::Crashed(how) => format!("its process ended with {}", clean(how)),
        Outcome::Hung(after_ms) => format!("hung for {}", span(Duration::from_millis(*after_ms))),
    }
}

fn render_stay(stay: &Stay) -> String {
    let (what, advice) = (clean(&stay.what), clean(&stay.advice));
    format!("  stays: {}: {what}\n      {advice}\n", stay.kind.word())
}

#[cfg(test)]
mod tests {
    use segue::{Digest, VersionId};

    use super::*;
    use crate::{
        ExitCode,
        commands::probe::{Calls, Leaving, Measured, Spread, StayKind},
    };

    fn report() -> Report {
        let leaving = Leaving {
            id: VersionId { version: "1.0.0".to_owned(), generation: 1 },
            left: true,
            purge_us: Some(1500),
            leaked_bytes: 2048,
            destructors_dropped: 0,
            threads_ended: 0,
            resident_bytes: 1 << 20,
        };
        let measured = Measured {
            versions: vec![leaving; 6],
            calls: Calls { made: 44, failed: 0, first_failure: None },
            purge_us: Some(Spread { median: 1500, max: 2500 }),
            resident_bytes_per_round: Some(-4096),
            stays: Vec::new(),
        };
        Report {
            file: "libgreeter.so".into(),
            module: "greeter".to_owned(),
            version: "1.0.0".to_owned(),
            digest: Digest::of(b""),
            outcome: Outcome::Left,
            step: None,
            crash: None,
            measured,
        }
    }

    #[test]
    fn a_person_reads_the_verdict_first() {
        let expected = "\
greeter 1.0.0: left memory each time, and nothing stayed
  versions   6 of 6 left memory
  purge      1.5 ms median, 2.5 ms max
  calls      44
  heap       at most 2.0 KiB not freed by a version; the runtime freed it
  resident   -4.0 KiB per round
";
        assert_eq!(render(&report()), expected);
        assert_eq!(report().exit_code(), ExitCode::Done);
    }

    #[test]
    fn what_stays_is_named_with_what_to_do() {
        let mut report = report();
        report.outcome = Outcome::Stays;
        let what = "1 open: socket".to_owned();
        report.measured.stays =
            vec![Stay { kind: StayKind::Descriptor, what, advice: "close it".to_owned() }];
        let text = render(&report);
        assert!(text.starts_with("greeter 1.0.0: 1 thing stayed\n"), "{text}");
        assert!(text.ends_with("  stays: descriptor: 1 open: socket\n      close it\n"), "{text}");
        assert_eq!(report.exit_code(), ExitCode::Found);
    }

    #[test]
    fn a_crash_says_where() {
        let crash = segue::Crash {
            signal: "SIGSEGV".to_owned(),
            module: Some("greeter".to_owned()),
            version: Some(VersionId { version: "1.0.0".to_owned(), generation: 2 }),
            place: Some("greeter::f+0x1".to_owned()),
            left_ms: None,
            attributed_by: None,
        };
        let outcome = Outcome::Crashed("SIGSEGV".to_owned());
        let report = Report { outcome, step: Some("calls".to_owned()), crash: Some(crash), ..report() };
        let text = render(&report);
        let expected = "greeter 1.0.0: its process ended with SIGSEGV\n  at         calls\n  \
                        crash      SIGSEGV in greeter 1.0.0+g2, greeter::f+0x1\n";
        assert!(text.starts_with(expected), "{text}");
        assert_eq!(report.exit_code(), ExitCode::Found);
    }
}
