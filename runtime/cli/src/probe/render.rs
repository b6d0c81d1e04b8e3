//! The text of a probe's report.

use std::time::Duration;

use crate::{
    probe::report::{Outcome, Report, Stay},
    text::{clean, count, duration, micros, size},
    view::version::id,
};

/// The text.
pub(crate) fn report(report: &Report) -> String {
    let mut text = format!("{} {}: {}\n", clean(&report.module), clean(&report.version), verdict(report));
    let mut line = |name: &str, value: String| text.push_str(&format!("  {name:<9}  {value}\n"));
    if let Some(step) = &report.step {
        line("at", clean(step).into_owned());
    }
    if let Some(crash) = &report.crash {
        let code = match (&crash.module, &crash.version) {
            (Some(module), Some(version)) => format!("in {} {}", clean(module), id(version)),
            _ => "not in the code of a module".to_owned(),
        };
        let place = crash.place.as_deref().map_or(String::new(), |place| format!(", {}", clean(place)));
        line("crash", format!("{} {code}{place}", clean(&crash.signal)));
    }
    let measured = &report.measured;
    let unloaded = measured.versions.iter().filter(|version| version.left).count();
    line("versions", format!("{unloaded} of {} unloaded", measured.versions.len()));
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
        line("heap", format!("up to {} leaked by a version; the runtime freed it", size(most)));
    }
    let ended = measured.versions.iter().map(|version| version.threads_ended).max().unwrap_or(0);
    if ended > 0 {
        let threads = count(ended.into(), "idle thread");
        line(
            "threads",
            format!(
                "a version left up to {threads}, which the runtime ended; end them in `Drop` to unload faster"
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
        text.push_str(&stay_text(stay));
    }
    text
}

fn verdict(report: &Report) -> String {
    match &report.outcome {
        Outcome::Left => "every version was unloaded, and nothing stayed".to_owned(),
        Outcome::Stays => format!("{} stayed", count(report.measured.stays.len() as u64, "thing")),
        Outcome::Crashed(how) => format!("the process ended by {}", clean(how)),
        Outcome::Hung(after_ms) => format!("hung for {}", duration(Duration::from_millis(*after_ms))),
    }
}

fn stay_text(stay: &Stay) -> String {
    let (what, advice) = (clean(&stay.what), clean(&stay.advice));
    format!("  stays: {}: {what}\n      {advice}\n", stay.kind.name())
}

#[cfg(test)]
mod tests {
    use segue::Digest;

    use super::*;
    use crate::{
        exit_code::ExitCode,
        probe::report::{Calls, Measured, Spread, StayKind, UnloadedVersion},
        test_data::id,
    };

    fn clean_report() -> Report {
        let version = UnloadedVersion {
            id: id("1.0.0", 1),
            left: true,
            purge_us: Some(1500),
            leaked_bytes: 2048,
            destructors_dropped: 0,
            threads_ended: 0,
            resident_bytes: 1 << 20,
        };
        let measured = Measured {
            versions: vec![version; 6],
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
    fn the_verdict_comes_first() {
        let expected = "\
greeter 1.0.0: every version was unloaded, and nothing stayed
  versions   6 of 6 unloaded
  purge      1.5 ms median, 2.5 ms max
  calls      44
  heap       up to 2.0 KiB leaked by a version; the runtime freed it
  resident   -4.0 KiB per round
";
        assert_eq!(report(&clean_report()), expected);
        assert_eq!(clean_report().exit_code(), ExitCode::Done);
    }

    #[test]
    fn a_thing_that_stays_has_its_advice() {
        let mut stays = clean_report();
        stays.outcome = Outcome::Stays;
        let what = "1 open: socket".to_owned();
        stays.measured.stays = vec![Stay { kind: StayKind::Descriptor, what, advice: "close it".to_owned() }];
        let text = report(&stays);
        assert!(text.starts_with("greeter 1.0.0: 1 thing stayed\n"), "{text}");
        assert!(text.ends_with("  stays: descriptor: 1 open: socket\n      close it\n"), "{text}");
        assert_eq!(stays.exit_code(), ExitCode::Found);
    }

    #[test]
    fn a_crash_names_its_step_and_its_place() {
        let crash = segue::Crash {
            signal: "SIGSEGV".to_owned(),
            module: Some("greeter".to_owned()),
            version: Some(id("1.0.0", 2)),
            place: Some("greeter::f+0x1".to_owned()),
            left_ms: None,
            attributed_by: None,
        };
        let outcome = Outcome::Crashed("SIGSEGV".to_owned());
        let crashed =
            Report { outcome, step: Some("calls".to_owned()), crash: Some(crash), ..clean_report() };
        let text = report(&crashed);
        let expected = "greeter 1.0.0: the process ended by SIGSEGV\n  at         calls\n  \
                        crash      SIGSEGV in greeter 1.0.0+g2, greeter::f+0x1\n";
        assert!(text.starts_with(expected), "{text}");
        assert_eq!(crashed.exit_code(), ExitCode::Found);
    }
}
