//! The threads of a module, and the other obstacles to unmapping its image, as pins.

use segue_loader::{Mapped, ModuleThread, Obstacle, UnmapFailure, UntrackedThread, describe_thread};

use crate::api::{Pin, PinKind};

/// The threads that a module started.
pub(crate) fn of_threads(mapped: &Mapped) -> Vec<Pin> {
    mapped.threads().iter().map(thread_pin).collect()
}

/// What keeps an image that could not be unmapped.
pub(crate) fn of_failure(failure: &UnmapFailure) -> Vec<Pin> {
    match failure {
        UnmapFailure::Retained(retained) => vec![Pin {
            kind: PinKind::Flag,
            detail: retained.reason().to_owned(),
            waits_for: "the dynamic linker to release it; the runtime keeps trying".to_owned(),
        }],
        UnmapFailure::Obstructed(_, obstacles) => obstacles.iter().map(obstacle_pin).collect(),
    }
}

/// A thread that the runtime does not track, because a library or unknown code of the module started it.
pub(super) fn untracked_thread_pin(thread: &UntrackedThread) -> Pin {
    let description = describe_thread(thread.tid);
    let (detail, fix) = match &thread.library {
        Some(library) => (
            format!("{description}, started by {library} or by this module"),
            "end the library's threads in the module's `Drop`",
        ),
        None => (
            format!("{description}, started by this module in a way that the runtime does not track"),
            "stop and join the module's threads in `Drop`",
        ),
    };
    Pin { kind: PinKind::Thread, detail, waits_for: format!("it to end: {fix}") }
}

fn thread_pin(thread: &ModuleThread) -> Pin {
    Pin {
        kind: PinKind::Thread,
        detail: format!(
            "{}, started by {} {} s ago",
            describe_thread(thread.tid),
            thread.owner,
            thread.since.elapsed().as_secs()
        ),
        waits_for: format!("it to end: {}", fix_for(&thread.name)),
    }
}

/// How to end a thread with this name. The threads of well-known pools need more than a `join`.
fn fix_for(name: &str) -> &'static str {
    const POOLS: [(&str, &str); 6] = [
        (
            "async-io",
            "async-io (used by smol and async-std) owns it; depend on `rustix` with the feature `use-libc`",
        ),
        ("smol-", "smol owns it; depend on `rustix` with the feature `use-libc`"),
        ("async-std/", "async-std owns it; depend on `rustix` with the feature `use-libc`"),
        (
            "blocking-",
            "the crate blocking (used by smol and async-std) owns it; await its tasks before `Drop` returns",
        ),
        (
            "tokio-",
            "tokio owns it; use `host.tokio()`, keep the runtime in your module's value, or call \
             `shutdown_timeout` in `Drop`",
        ),
        (
            "rayon",
            "rayon owns it; call `host.pool()` in `on_load`, or build a `ThreadPool` in your module's value",
        ),
    ];
    let pool = POOLS.iter().find(|(prefix, _)| name.starts_with(prefix));
    pool.map_or("stop and join the module's threads in `Drop`", |(_, fix)| fix)
}

fn obstacle_pin(obstacle: &Obstacle) -> Pin {
    match obstacle {
        Obstacle::Thread(thread) => thread_pin(thread),
        Obstacle::UntrackedThread(thread) => untracked_thread_pin(thread),
        Obstacle::NewThread => Pin {
            kind: PinKind::Thread,
            detail: "a thread that the module has just started".to_owned(),
            waits_for: "it to end".to_owned(),
        },
        Obstacle::ConstructorThreads(count) => Pin {
            kind: PinKind::Thread,
            detail: format!(
                "{count} threads that the module's constructors started, before the runtime could track them"
            ),
            waits_for: "nothing: it stays in memory until the process ends. Start threads in `on_load`".to_owned(),
        },
        Obstacle::Libraries(libraries) => Pin {
            kind: PinKind::Library,
            detail: format!("kept: links {}, which may still call it", libraries.join(", ")),
            waits_for: "nothing: it stays in memory until the process ends. Use rustls, a bundled or static build, \
                        or `cpp_link_stdlib_static`. If the library keeps no reference to the module, promise it: \
                        `unload = \"promised\"` in `[package.metadata.segue]`"
                .to_owned(),
        },
        Obstacle::Signal { name, .. } => Pin {
            kind: PinKind::Signal,
            detail: format!("the handler of {name} is in it"),
            waits_for: "the signal to get another handler or none: restore it in the module's `Drop`".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_names_the_pool_of_a_thread_and_how_to_end_it() {
        assert!(fix_for("async-io").contains("use-libc"));
        assert!(fix_for("tokio-rt-worker").contains("host.tokio()"));
        assert!(fix_for("rayon-0").contains("host.pool()"));
        assert!(fix_for("greeter.g7").contains("in `Drop`"));
    }
}
