//! The calls and owned guards inside a version, as pins. They are derived from the cell's counters, which
//! count per thread, from what registered threads note, and from `/proc`. A call itself records nothing for
//! them.

use std::{sync::atomic::Ordering, time::Instant};

use segue_core::{Role, ThreadCalls, ThreadId};

use crate::{
    api::{Pin, PinKind},
    clock::millis,
    module::{Module, version::VersionInfo},
    threads::registered::RegisteredThreads,
};

/// The calls and owned guards inside a version that will be unloaded. `since` is when it became old.
/// `other_versions` returns the versions of other modules that a thread is inside.
pub(super) fn of_version(
    registered: &RegisteredThreads,
    module: &Module,
    info: &VersionInfo,
    place: Role,
    since: Instant,
    other_versions: impl Fn(ThreadId) -> Vec<String>,
) -> Vec<Pin> {
    let inside = module.cell.calls_by_thread(place);
    let known = registered.calls(info.id.generation);
    let waits_for = match info.is_cancelled() {
        true => "it to return (it was asked to end: `is_cancelled` returns true)",
        false => "it to return",
    };
    let owned = info.owned_guards.load(Ordering::Relaxed);
    let total = module.cell.count(place).map_or(0, |count| count.inside);
    // The counters cover calls and owned guards. If all are owned guards, the threads that created them need
    // not be inside any more.
    let inside = if total > owned { inside } else { Vec::new() };
    let ms = millis(since.elapsed());
    let mut pins = Vec::new();
    for ThreadCalls { thread, tid, calls } in inside {
        let known_call = known.iter().find(|call| call.thread == thread);
        let what = match known_call {
            Some(call) => format!("{} for {} ms", call.what, call.ms),
            None if owned > 0 => format!("{calls} calls or owned guards for at least {ms} ms"),
            None if calls == 1 => format!("a call for at least {ms} ms"),
            None => format!("{calls} calls for at least {ms} ms"),
        };
        let others = other_versions(thread);
        let also = if others.is_empty() { String::new() } else { format!(", also in {}", others.join(", ")) };
        let detail = format!("{what}, {}{also}", segue_loader::describe_thread(tid));
        pins.push(Pin { kind: PinKind::Call, detail, waits_for: waits_for.to_owned() });
    }
    // If guards moved between threads, the counts per thread do not show every call.
    if pins.is_empty() && total > owned {
        let detail = format!("{} calls, on unknown threads", total - owned);
        pins.push(Pin { kind: PinKind::Call, detail, waits_for: waits_for.to_owned() });
    }
    if owned > 0 {
        let (detail, waits_for) = match owned {
            1 => ("1 owned guard, which may be on any thread".to_owned(), "it to be dropped"),
            _ => (format!("{owned} owned guards, which may be on any thread"), "them to be dropped"),
        };
        pins.push(Pin { kind: PinKind::OwnedGuard, detail, waits_for: waits_for.to_owned() });
    }
    pins
}
