//! What happened, in one line.

use std::time::Duration;

use segue::{Actor, Event, Record};

use crate::{
    text::{clean, count, duration, list, micros, size},
    view::version::{id, short_digest},
};

/// The line, without its end.
pub(super) fn of(record: &Record) -> String {
    let event = &record.event;
    let headline = headline(event, &record.by);
    match event {
        // The process had other modules too, and a refusal names its file.
        Event::Crashed { .. } | Event::Refused { .. } => headline,
        _ => match event.module() {
            Some(module) => format!("{}: {headline}", clean(module)),
            None => headline,
        },
    }
}

fn headline(event: &Event, actor: &Actor) -> String {
    match event {
        Event::Started { pid, runtime } => format!("runtime {} started (pid {pid})", clean(runtime)),
        Event::Stopped { pid } => format!("runtime stopped cleanly (pid {pid})"),
        Event::Loaded { .. } => loaded(event, actor),
        Event::Unchanged { current, source, .. } => {
            format!("{} is already current as {}; nothing changed", clean(source), id(current))
        }
        Event::Refused { source, error } => {
            let step = error.step.map_or(String::new(), |step| format!(" at step {step}"));
            format!("refused {}{step} ({}); nothing changed", clean(source), error.code)
        }
        Event::Superseded { source, .. } => {
            format!("{} was not loaded: a newer file arrived while it waited", clean(source))
        }
        Event::RolledBack { current, old, digest, .. } => {
            format!("rolled back to {}; {} is old; file {}", id(current), id(old), short_digest(digest))
        }
        Event::Confirmed { current, digest, .. } => {
            format!("{} is confirmed: a restart returns to it; file {}", id(current), short_digest(digest))
        }
        Event::TrialOver { current, .. } => format!(
            "the trial of {} ended with no version to roll back to: it stays current, and a restart does not return to it",
            id(current)
        ),
        Event::Deleted { old, .. } => {
            format!("{} was deleted: no version is current, and a restart restores none", id(old))
        }
        Event::MadeSticky { .. } => "sticky now: loads and deletes are refused".to_owned(),
        Event::StickyCleared { .. } => "no longer sticky: it may be replaced".to_owned(),
        Event::Purged { .. } => purged(event),
        Event::Quarantined { old, .. } => {
            format!("{} is unused but could not be unloaded; quarantined", id(old))
        }
        Event::Crashed { .. } => crashed(event),
        Event::Blocked { version, digest, .. } => {
            format!("{} is blocked: no load accepts it; file {}", clean(version), short_digest(digest))
        }
        Event::Unblocked { version, digest, .. } => {
            format!("{} is unblocked: it may be loaded; file {}", clean(version), short_digest(digest))
        }
        Event::NotRestored { version, digest, .. } => {
            format!("the restart did not return to {}; file {}", clean(version), short_digest(digest))
        }
        Event::WatchFailed { directory, .. } => {
            format!("the modules directory {} cannot be watched", clean(directory))
        }
        // An event of a newer runtime.
        other => clean(&format!("{other:?}")).into_owned(),
    }
}

fn loaded(event: &Event, actor: &Actor) -> String {
    let Event::Loaded { current, replaced, digest, source, trial_ms, with, took_us, .. } = event else {
        return String::new();
    };
    let is_restored = matches!(actor, Actor::Runtime { .. }) && replaced.is_none();
    let mut text = format!("{} is current", id(current));
    if is_restored {
        text.push_str(" again after the restart");
    }
    if let Some(length) = trial_ms {
        text.push_str(&format!(", on trial for {}", duration(Duration::from_millis(*length))));
    }
    if let Some(replaced) = replaced {
        text.push_str(&format!("; {} is old", id(replaced)));
    }
    if !with.is_empty() {
        let with: Vec<_> = with.iter().map(|module| clean(module).into_owned()).collect();
        text.push_str(&format!("; loaded together with {}", list(&with)));
    }
    text.push_str(&format!("; file {}", short_digest(digest)));
    // A source in the store is a digest, which the line has already.
    if !source.starts_with("sha256:") {
        text.push_str(&format!(" from {}", clean(source)));
    }
    text.push_str(&format!("; took {}", micros(*took_us)));
    text
}

fn purged(event: &Event) -> String {
    let Event::Purged {
        old,
        drain_us,
        purge_us,
        leaked_bytes,
        destructors_dropped,
        left_open,
        threads_ended,
        ..
    } = event
    else {
        return String::new();
    };
    let mut text = format!(
        "{} is unloaded: drained in {}, unmapped {} later",
        id(old),
        micros(*drain_us),
        micros(*purge_us)
    );
    if *leaked_bytes > 0 {
        text.push_str(&format!("; freed {} that it had leaked", size(*leaked_bytes)));
    }
    if *destructors_dropped > 0 {
        text.push_str(&format!("; {} did not run", count(*destructors_dropped, "thread-local destructor")));
    }
    if *threads_ended > 0 {
        text.push_str(&format!("; ended {}", count(u64::from(*threads_ended), "idle thread")));
    }
    if !left_open.is_empty() {
        text.push_str(&format!("; left open: {left_open}"));
    }
    text
}

fn crashed(event: &Event) -> String {
    let Event::Crashed { signal, module, version, digest, age_ms, left_ms, .. } = event else {
        return String::new();
    };
    let module = module.as_ref().map(|module| match version {
        Some(version) => format!("{} {}", clean(module), id(version)),
        None => clean(module).into_owned(),
    });
    let mut text = format!("the previous process ended by {}", clean(signal));
    match (module, left_ms) {
        (Some(module), Some(left_ms)) => text.push_str(&format!(
            ", in {module}, which had been unmapped {} before: something still used its code or its memory",
            duration(Duration::from_millis(*left_ms))
        )),
        (Some(module), None) => {
            let relation = if signal.starts_with("exit(") { "called by" } else { "in the code of" };
            text.push_str(&format!(", {relation} {module}"));
            if let Some(age) = age_ms {
                let age = duration(Duration::from_millis(*age));
                text.push_str(&format!(", which had been in memory for {age}"));
            }
        }
        (None, _) => text.push_str(", not in the code of a module"),
    }
    if let Some(digest) = digest {
        text.push_str(&format!("; file {}", short_digest(digest)));
    }
    text
}

#[cfg(test)]
mod tests {
    use segue::{Digest, Warning};

    use super::*;
    use crate::{
        event_text::{advice, reason},
        test_data::{id, record},
    };

    fn text(event: Event) -> String {
        of(&record(1, event))
    }

    fn load(trial_ms: Option<u64>) -> Event {
        Event::Loaded {
            module: "greeter".to_owned(),
            current: id("1.1.0", 2),
            replaced: Some(id("1.0.0", 1)),
            digest: Digest::of(b""),
            source: "/srv/libgreeter.so".to_owned(),
            trial_ms,
            with: vec!["shop".to_owned(), "till".to_owned()],
            took_us: 2100,
            warnings: vec![Warning { message: "helper.so is stale".to_owned(), hint: "restart".to_owned() }],
        }
    }

    #[test]
    fn a_load_names_its_versions_its_set_and_its_file() {
        let load = load(Some(300_000));
        assert_eq!(reason::of(&load), ["helper.so is stale"]);
        assert!(advice::of(&load).unwrap().starts_with("restart; `segue confirm greeter`"));
        assert_eq!(
            text(load),
            "greeter: 1.1.0+g2 is current, on trial for 5m 00s; 1.0.0+g1 is old; loaded together with shop and till; file \
             sha256:e3b0c44298fc from /srv/libgreeter.so; took 2.1 ms"
        );
        let restored = Event::Loaded {
            module: "greeter".to_owned(),
            current: id("1.0.0", 3),
            replaced: None,
            digest: Digest::of(b""),
            source: Digest::of(b"").to_string(),
            trial_ms: None,
            with: Vec::new(),
            took_us: 900,
            warnings: Vec::new(),
        };
        let by = Actor::Runtime { why: "a restart".to_owned() };
        assert_eq!(
            of(&Record { by, ..record(1, restored) }),
            "greeter: 1.0.0+g3 is current again after the restart; file sha256:e3b0c44298fc; took 900 µs"
        );
    }

    #[test]
    fn a_rollback_and_a_purge_name_their_versions() {
        let module = "greeter".to_owned();
        let back = Event::RolledBack {
            module: module.clone(),
            current: id("1.0.0", 1),
            old: id("1.1.0", 2),
            digest: Digest::of(b""),
        };
        assert_eq!(text(back), "greeter: rolled back to 1.0.0+g1; 1.1.0+g2 is old; file sha256:e3b0c44298fc");
        let purged = Event::Purged {
            module,
            old: id("1.0.0", 1),
            drain_us: 3_000_000,
            purge_us: 900,
            leaked_bytes: 21_504,
            destructors_dropped: 1,
            threads_ended: 0,
            left_open: serde_json::from_str(r#"{"socket":2}"#).unwrap(),
        };
        assert_eq!(
            text(purged),
            "greeter: 1.0.0+g1 is unloaded: drained in 3.0 s, unmapped 900 µs later; freed 21.0 KiB that it had leaked; 1 \
             thread-local destructor did not run; left open: 2 sockets"
        );
    }

    #[test]
    fn a_crash_names_the_code_that_ran() {
        let crashed = Event::Crashed {
            signal: "SIGSEGV".to_owned(),
            module: Some("greeter".to_owned()),
            version: Some(id("1.1.0", 2)),
            digest: Some(Digest::of(b"")),
            place: Some("greeter::parse+0x12".to_owned()),
            age_ms: Some(2500),
            left_ms: None,
        };
        assert_eq!(reason::of(&crashed), ["it happened in greeter::parse+0x12"]);
        assert_eq!(
            text(crashed),
            "the previous process ended by SIGSEGV, in the code of greeter 1.1.0+g2, which had been in memory for 2.5 s; \
             file sha256:e3b0c44298fc"
        );
        let exited = Event::Crashed {
            signal: "exit(3)".to_owned(),
            module: Some("greeter".to_owned()),
            version: Some(id("1.1.0", 2)),
            digest: None,
            place: None,
            age_ms: None,
            left_ms: None,
        };
        assert_eq!(text(exited), "the previous process ended by exit(3), called by greeter 1.1.0+g2");
        let unloaded = Event::Crashed {
            signal: "SIGSEGV".to_owned(),
            module: Some("tokens".to_owned()),
            version: Some(id("1.0.0", 1)),
            digest: None,
            place: None,
            age_ms: Some(2500),
            left_ms: Some(40),
        };
        assert_eq!(
            text(unloaded),
            "the previous process ended by SIGSEGV, in tokens 1.0.0+g1, which had been unmapped 40 ms before: something still \
             used its code or its memory"
        );
    }
}
