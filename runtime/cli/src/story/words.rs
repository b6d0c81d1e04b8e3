//! What happened, in words, and why.

use std::time::Duration;

use segue::{Actor, Event, Record, VersionId};

use super::short;
use crate::{
    commands::status::render_pin,
    text::{clean, count, list, micros, size, span},
};

/// What happened, which version and file, in one line without its end.
pub(super) fn what(record: &Record) -> String {
    let event = &record.event;
    let about = event.module().map(|module| format!("{}: ", clean(module))).unwrap_or_default();
    let what = match event {
        Event::Started { pid, runtime } => format!("the runtime {} began, as process {pid}", clean(runtime)),
        Event::Stopped { pid } => format!("the runtime ended in good order, process {pid}"),
        Event::Loaded { .. } => loaded(event, &record.by),
        Event::Unchanged { current, source, .. } => {
            format!("{} is {}, which is current already: nothing was done", clean(source), name(current))
        }
        Event::Refused { source, error } => {
            let step = error.step.map_or(String::new(), |step| format!(" at the step {step}"));
            format!("refused {}{step} ({}): nothing has changed", clean(source), error.code)
        }
        Event::Superseded { source, .. } => {
            format!("{} waited, and is not loaded: a newer file of the module came", clean(source))
        }
        Event::RolledBack { current, old, digest, .. } => {
            let (current, old) = (name(current), name(old));
            format!("went back to {current}, and {old} is old; file {}", short(digest))
        }
        Event::Confirmed { current, digest, .. } => {
            format!("{} is confirmed: a restart returns to it; file {}", name(current), short(digest))
        }
        Event::TrialOver { current, .. } => format!(
            "the trial of {} is over, and there is nothing to go back to: it stays, and a restart does not return to it",
            name(current)
        ),
        Event::Deleted { old, .. } => {
            format!("{} was deleted: nothing is current, and a restart brings nothing back", name(old))
        }
        Event::MadeSticky { .. } => "it is sticky: it is not replaced from now on".to_owned(),
        Event::StickyCleared { .. } => "it is not sticky any more: it may be replaced".to_owned(),
        Event::Purged { .. } => purged(event),
        Event::Quarantined { old, .. } => {
            format!("{} is not used any more, and is kept in memory, in quarantine", name(old))
        }
        Event::Crashed { .. } => crashed(event),
        Event::Blocked { version, digest, .. } => {
            format!(
                "{} is blocked, and is not loaded, however it comes; file {}",
                clean(version),
                short(digest)
            )
        }
        Event::Unblocked { version, digest, .. } => {
            format!("{} is not blocked any more; file {}", clean(version), short(digest))
        }
        Event::NotRestored { version, digest, .. } => {
            format!(
                "{} is left behind: the restart did not return to it; file {}",
                clean(version),
                short(digest)
            )
        }
        Event::WatchFailed { directory, .. } => {
            format!("the modules directory {} cannot be watched", clean(directory))
        }
        // An event of a later release: its own words are better than none.
        other => clean(&format!("{other:?}")).into_owned(),
    };
    // A crash names the module where it happened, and the process that ended has more modules.
    if matches!(event, Event::Crashed { .. } | Event::Refused { .. }) {
        what
    } else {
        format!("{about}{what}")
    }
}

/// Why, where something went wrong; each reason a line.
pub(super) fn why(event: &Event) -> Vec<String> {
    match event {
        // Each names its module, or its file, by itself.
        Event::Refused { error, .. } if !error.members.is_empty() => {
            error.members.iter().map(|member| clean(&member.message).into_owned()).collect()
        }
        Event::Refused { error, .. } => vec![clean(&error.message).into_owned()],
        Event::Quarantined { pins, .. } => pins
            .iter()
            .map(|pin| format!("{}; it waits for {}", render_pin(pin), clean(&pin.waits_for)))
            .collect(),
        Event::Loaded { warnings, .. } => {
            warnings.iter().map(|warning| clean(&warning.message).into_owned()).collect()
        }
        Event::Crashed { place: Some(place), .. } => vec![format!("it happened in {}", clean(place))],
        Event::Blocked { why, .. } | Event::NotRestored { why, .. } => vec![clean(why).into_owned()],
        Event::WatchFailed { reason, .. } => vec![clean(reason).into_owned()],
        _ => Vec::new(),
    }
}

fn loaded(event: &Event, by: &Actor) -> String {
    let Event::Loaded { current, replaced, digest, source, trial_ms, with, took_us, .. } = event else {
        return String::new();
    };
    let is_restored = matches!(by, Actor::Runtime { .. }) && replaced.is_none();
    let mut text = format!("{} is current", name(current));
    if let Some(length) = trial_ms {
        text.push_str(&format!(", on trial for {}", span(Duration::from_millis(*length))));
    }
    match replaced {
        Some(replaced) => text.push_str(&format!(", and {} is old", name(replaced))),
        None if is_restored => text.push_str(", as it was before"),
        None => {}
    }
    if !with.is_empty() {
        let with: Vec<_> = with.iter().map(|module| clean(module).into_owned()).collect();
        text.push_str(&format!(", at once with {}", list(&with)));
    }
    text.push_str(&format!("; file {}", short(digest)));
    // Out of the store a file is called by its digest, which was said.
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
    let left = match leaked_bytes {
        0 => String::new(),
        bytes => format!(", with {} that it had left", size(*bytes)),
    };
    let dropped = match destructors_dropped {
        0 => String::new(),
        dropped => format!(", {} not run", count(*dropped, "thread-local destructor")),
    };
    let threads = match threads_ended {
        0 => String::new(),
        ended => format!(", {} ended that waited", count(u64::from(*ended), "thread")),
    };
    let open = match left_open.is_empty() {
        true => String::new(),
        false => format!("; left open: {left_open}"),
    };
    format!(
        "{} has left memory: drained in {}, gone {} later{left}{dropped}{threads}{open}",
        name(old),
        micros(*drain_us),
        micros(*purge_us)
    )
}

fn crashed(event: &Event) -> String {
    let Event::Crashed { signal, module, version, digest, age_ms, left_ms, .. } = event else {
        return String::new();
    };
    let mut text = format!("the process before this one was ended by {}", clean(signal));
    let of = match left_ms {
        Some(_) => "in what was",
        None if signal.starts_with("exit(") => "called by",
        None => "in the code of",
    };
    match (module, version) {
        (Some(module), Some(version)) => {
            text.push_str(&format!(", {of} {} {}", clean(module), name(version)));
        }
        (Some(module), None) => text.push_str(&format!(", {of} {}", clean(module))),
        (None, _) => text.push_str(", in no module's code"),
    }
    if let Some(left) = left_ms {
        let left = span(Duration::from_millis(*left));
        text.push_str(&format!(", unmapped {left} before: its code or its memory was used after it left"));
    } else if let Some(age) = age_ms {
        text.push_str(&format!(", which had been in memory for {}", span(Duration::from_millis(*age))));
    }
    if let Some(digest) = digest {
        text.push_str(&format!("; file {}", short(digest)));
    }
    text
}

fn name(id: &VersionId) -> String {
    clean(&id.to_string()).into_owned()
}

#[cfg(test)]
mod tests {
    use segue::{Digest, Pin, PinKind, Warning};

    use super::*;
    use crate::story::{
        next::next,
        tests::{id, record},
    };

    fn of(event: Event) -> String {
        what(&record(1, event))
    }

    #[test]
    fn each_event_is_told_in_plain_words() {
        let (module, digest) = ("greeter".to_owned(), Digest::of(b""));
        let warning = Warning { message: "helper.so is stale".to_owned(), hint: "restart".to_owned() };
        let load = Event::Loaded {
            module: module.clone(),
            current: id("1.1.0", 2),
            replaced: Some(id("1.0.0", 1)),
            digest,
            source: "/srv/libgreeter.so".to_owned(),
            trial_ms: Some(300_000),
            with: vec!["shop".to_owned(), "till".to_owned()],
            took_us: 2100,
            warnings: vec![warning],
        };
        assert_eq!(why(&load), ["helper.so is stale"]);
        assert!(next(&load).unwrap().starts_with("restart; `segue confirm greeter`"));
        assert_eq!(
            of(load),
            "greeter: 1.1.0+g2 is current, on trial for 5m 00s, and 1.0.0+g1 is old, at once with shop and till; file \
             sha256:e3b0c44298fc from /srv/libgreeter.so; took 2.1 ms"
        );
        let restored = Event::Loaded {
            module: module.clone(),
            current: id("1.0.0", 3),
            replaced: None,
            digest,
            source: digest.to_string(),
            trial_ms: None,
            with: Vec::new(),
            took_us: 900,
            warnings: Vec::new(),
        };
        let by = Actor::Runtime { why: "a restart".to_owned() };
        assert_eq!(
            what(&Record { by, ..record(1, restored) }),
            "greeter: 1.0.0+g3 is current, as it was before; file sha256:e3b0c44298fc; took 900 µs"
        );
        let back = Event::RolledBack {
            module: module.clone(),
            current: id("1.0.0", 1),
            old: id("1.1.0", 2),
            digest,
        };
        assert_eq!(of(back), "greeter: went back to 1.0.0+g1, and 1.1.0+g2 is old; file sha256:e3b0c44298fc");
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
            of(purged),
            "greeter: 1.0.0+g1 has left memory: drained in 3.0 s, gone 900 µs later, with 21.0 KiB that it had left, 1 \
             thread-local destructor not run; left open: 2 sockets"
        );
    }

    #[test]
    fn what_went_wrong_has_its_reason() {
        let crashed = Event::Crashed {
            signal: "SIGSEGV".to_owned(),
            module: Some("greeter".to_owned()),
            version: Some(id("1.1.0", 2)),
            digest: Some(Digest::of(b"")),
            place: Some("greeter::parse+0x12".to_owned()),
            age_ms: Some(2500),
            left_ms: None,
        };
        assert_eq!(why(&crashed), ["it happened in greeter::parse+0x12"]);
        assert_eq!(
            of(crashed),
            "the process before this one was ended by SIGSEGV, in the code of greeter 1.1.0+g2, which had been in memory for \
             2.5 s; file sha256:e3b0c44298fc"
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
        assert_eq!(
            of(exited),
            "the process before this one was ended by exit(3), called by greeter 1.1.0+g2"
        );
        let left = Event::Crashed {
            signal: "SIGSEGV".to_owned(),
            module: Some("tokens".to_owned()),
            version: Some(id("1.0.0", 1)),
            digest: None,
            place: None,
            age_ms: Some(2500),
            left_ms: Some(40),
        };
        assert_eq!(
            of(left),
            "the process before this one was ended by SIGSEGV, in what was tokens 1.0.0+g1, unmapped 40 ms before: its code \
             or its memory was used after it left"
        );
        let pin =
            Pin { kind: PinKind::Thread, detail: "ticker".to_owned(), waits_for: "it to end".to_owned() };
        let retained =
            Event::Quarantined { module: "greeter".to_owned(), old: id("1.0.0", 1), pins: vec![pin] };
        assert_eq!(why(&retained), ["thread: ticker; it waits for it to end"]);
    }
}
