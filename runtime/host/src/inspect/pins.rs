//! Who holds a version, and what each of them waits for. Everything here is derived when somebody asks: from the cell's
//! counters, which say who is inside by thread, from the notes of residents, and from what the system knows of a thread.
//! A call leaves no record for it.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use segue_core::{Inside, ThreadId, Which};
use segue_loader::{Mapped, ModuleThread, Obstacle, UnmapFailure, UntrackedThread, UntrackedThreads};

use crate::{
    api::{Error, HeldVersion, Pin, PinKind, Pins},
    inspect::status,
    module::{Module, version::VersionInfo},
    shared::Shared,
    threads::registered::{RegisteredThreads, millis},
};

/// What holds the old version of a module, and those in quarantine.
pub(crate) fn report(shared: &Shared, name: &str) -> Result<Pins, Error> {
    let module = shared.module(name)?;
    let status = status::of(shared, name)?;
    let held = status.old.into_iter().chain(status.quarantined).map(|version| HeldVersion {
        pins: of_version(shared, &module, version.generation),
        version: version.version,
        generation: version.generation,
        status: version.status,
    });
    Ok(Pins { module: name.to_owned(), held: held.collect() })
}

/// What holds a version that is to leave. Asks all modules, so no state may be locked.
pub(crate) fn of_version(shared: &Shared, module: &Module, generation: u64) -> Vec<Pin> {
    let (info, place, since, noted) = {
        let state = module.state();
        let Some(place) = state.place(generation) else {
            let info = state.quarantined(generation).map(|version| version.info.clone());
            let mut pins = state.noted_pins(generation);
            drop(state);
            let untracked = info.as_ref().and_then(|info| info.untracked_threads.get());
            let threads = untracked.map(UntrackedThreads::list).unwrap_or_default();
            pins.extend(threads.iter().map(outside_pin));
            return pins;
        };
        let found = match (state.old(), state.quarantined(generation)) {
            (Some(old), None) => Some((old.info.clone(), old.since)),
            (_, Some(version)) => Some((version.info.clone(), version.since)),
            _ => None,
        };
        let Some((info, since)) = found else { return Vec::new() };
        (info, place, since, state.noted_pins(generation))
    };
    let elsewhere = |thread: ThreadId| others_with(shared, module, thread);
    let calls = call_pins(&shared.registered, module, &info, place, since, elsewhere);
    if calls.is_empty() { noted } else { calls }
}

/// The versions of other modules that a thread is inside: those it came from, or those it has called.
fn others_with(shared: &Shared, but: &Module, thread: ThreadId) -> Vec<String> {
    let modules: Vec<Arc<Module>> = shared.modules.read().values().cloned().collect();
    let others = modules.iter().filter(|module| module.name != but.name);
    let mut found = Vec::new();
    for module in others {
        for which in [Which::Current, Which::Old] {
            if module.cell.inside(which).iter().any(|inside| inside.thread == thread)
                && let Some(version) = module.cell.occupant(which)
            {
                found.push(format!("{} {}", module.name, version.info.id));
            }
        }
    }
    found
}

/// The calls inside a version that is to leave.
pub(crate) fn call_pins(
    registered: &RegisteredThreads,
    module: &Module,
    info: &VersionInfo,
    place: Which,
    since: Instant,
    elsewhere: impl Fn(ThreadId) -> Vec<String>,
) -> Vec<Pin> {
    let inside = module.cell.inside(place);
    let known = registered.calls(info.id.generation);
    let waits_for = match info.is_cancelled() {
        true => "it to return: it was asked to come to its end (`is_cancelled`)",
        false => "it to return",
    };
    let owned = info.owned_guards.load(Ordering::Relaxed);
    let total = module.cell.count(place).map_or(0, |count| count.inside);
    // The counters have both. Where all are owned guards, the threads that made them need not be inside any more.
    let inside = if total > owned { inside } else { Vec::new() };
    let ms = millis(since.elapsed());
    let mut pins = Vec::new();
    for Inside { thread, tid, calls } in inside {
        let called = known.iter().find(|call| call.thread == thread);
        let what = match called {
            Some(call) => format!("{} for {} ms", call.what, call.ms),
            None if owned > 0 => format!("{calls} calls or owned guards for {ms} ms or longer"),
            None if calls == 1 => format!("a call for {ms} ms or longer"),
            None => format!("{calls} calls for {ms} ms or longer"),
        };
        let others = elsewhere(thread);
        let also = if others.is_empty() { String::new() } else { format!(", also in {}", others.join(", ")) };
        let detail = format!("{what}, {}{also}", describe_thread(Some(tid), Some(thread)));
        pins.push(Pin { kind: PinKind::Call, detail, waits_for: waits_for.to_owned() });
    }
    // Where guards have moved between threads, the threads alone do not say it all.
    if pins.is_empty() && total > owned {
        let detail = format!("{} calls, on threads that cannot be told", total - owned);
        pins.push(Pin { kind: PinKind::Call, detail, waits_for: waits_for.to_owned() });
    }
    if owned > 0 {
        let (detail, waits_for) = match owned {
            1 => ("1 owned guard, on whatever thread has it now".to_owned(), "it to be dropped"),
            _ => (format!("{owned} owned guards, each on whatever thread has it now"), "them to be dropped"),
        };
        pins.push(Pin { kind: PinKind::OwnedGuard, detail, waits_for: waits_for.to_owned() });
    }
    pins
}

/// A thread, in words: what the system calls it, and what it is doing.
pub(crate) fn describe_thread(tid: Option<i32>, thread: Option<ThreadId>) -> String {
    let Some(tid) = tid else {
        return thread.map_or_else(|| "a thread".to_owned(), |thread| format!("thread #{thread}"));
    };
    segue_loader::describe_thread(tid)
}

/// The threads that a module started.
pub(crate) fn thread_pins(mapped: &Mapped) -> Vec<Pin> {
    mapped.threads().iter().map(thread_pin).collect()
}

fn thread_pin(thread: &ModuleThread) -> Pin {
    Pin {
        kind: PinKind::Thread,
        detail: format!(
            "{}, started by {} {} s ago",
            describe_thread(Some(thread.tid), None),
            thread.owner,
            thread.since.elapsed().as_secs()
        ),
        waits_for: format!("it to end: {}", fix_for(&thread.name)),
    }
}

fn outside_pin(thread: &UntrackedThread) -> Pin {
    let told = describe_thread(Some(thread.tid), None);
    let (detail, fix) = match &thread.library {
        Some(library) => (
            format!("{told}, started by {library} or code of this module"),
            "a module asks the library to end its threads, in `Drop`",
        ),
        None => (
            format!("{told}, started by code of this module that the runtime does not see"),
            "a module asks its threads to end, and joins them, in `Drop`",
        ),
    };
    Pin { kind: PinKind::Thread, detail, waits_for: format!("it to end: {fix}") }
}

/// What lets a thread end, by its name: that of a known pool, or of the module.
fn fix_for(name: &str) -> &'static str {
    const POOLS: [(&str, &str); 6] = [
        ("async-io", "it is async-io's (smol, async-std); depend on `rustix` with the feature `use-libc`"),
        ("smol-", "it is smol's; depend on `rustix` with the feature `use-libc`"),
        ("async-std/", "it is async-std's; depend on `rustix` with the feature `use-libc`"),
        (
            "blocking-",
            "it is the crate blocking's (smol, async-std); await what runs on it before `Drop` returns",
        ),
        (
            "tokio-",
            "it is tokio's; use `host.tokio()`, keep the runtime in your module's value, or call \
             `shutdown_timeout` in `Drop`",
        ),
        (
            "rayon",
            "it is rayon's; call `host.pool()` in `on_load`, or build a `ThreadPool` in your module's value",
        ),
    ];
    let pool = POOLS.iter().find(|(start, _)| name.starts_with(start));
    pool.map_or("a module asks its threads to end, and joins them, in `Drop`", |(_, fix)| fix)
}

/// What keeps an image that could not be unmapped.
pub(crate) fn kept_pins(kept: &UnmapFailure) -> Vec<Pin> {
    match kept {
        UnmapFailure::Retained(retained) => vec![Pin {
            kind: PinKind::Flag,
            detail: retained.reason().to_owned(),
            waits_for: "the dynamic linker to let it go; it is asked again and again".to_owned(),
        }],
        UnmapFailure::Obstructed(_, obstacles) => obstacles.iter().map(obstacle_pin).collect(),
    }
}

fn obstacle_pin(obstacle: &Obstacle) -> Pin {
    match obstacle {
        Obstacle::Thread(thread) => thread_pin(thread),
        Obstacle::UntrackedThread(thread) => outside_pin(thread),
        Obstacle::NewThread => Pin {
            kind: PinKind::Thread,
            detail: "a thread that the module has just started".to_owned(),
            waits_for: "it to end".to_owned(),
        },
        Obstacle::ConstructorThreads(count) => Pin {
            kind: PinKind::Thread,
            detail: format!(
                "{count} threads that its constructors started, before the runtime could know them"
            ),
            waits_for: "nothing: it stays".to_owned(),
        },
        Obstacle::Libraries(libraries) => Pin {
            kind: PinKind::Library,
            detail: format!("kept: links {}, which may still call it", libraries.join(", ")),
            waits_for:
                "nothing: it stays. Use rustls, a bundled or static build, or `cpp_link_stdlib_static`; or promise that the \
                 library keeps nothing of the module: `unload = \"promised\"` in `[package.metadata.segue]`"
                    .to_owned(),
        },
        Obstacle::Signal { name, .. } => Pin {
            kind: PinKind::Signal,
            detail: format!("the handler of {name} is in it"),
            waits_for: "another handler, or none: a module gives a signal back in `Drop`".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_of_known_pools_are_named_with_what_to_do() {
        assert!(fix_for("async-io").contains("use-libc"));
        assert!(fix_for("tokio-rt-worker").contains("host.tokio()"));
        assert!(fix_for("rayon-0").contains("host.pool()"));
        assert!(fix_for("greeter.g7").contains("in `Drop`"));
    }
}
