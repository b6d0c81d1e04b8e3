//! Versions are replaced while threads call as fast as they can. Every answer is complete, and from one
//! version.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use segue::{LoadOptions, Policy, Request, Source};
use segue_tests::{TestHost, V1, V2, fixture};

#[test]
fn every_call_has_one_correct_answer_while_versions_are_replaced() {
    const LOADS: usize = 60;
    let host = TestHost::new();
    host.load("greeter", V1).unwrap();
    let module = host.module("greeter");
    let stop = Arc::new(AtomicBool::new(false));
    let newest = Arc::new(AtomicU64::new(0));
    let callers: Vec<_> = (0..4)
        .map(|caller| {
            let (module, stop, newest) = (module.clone(), stop.clone(), newest.clone());
            thread::spawn(move || {
                let mut calls = 0u64;
                while !stop.load(Ordering::Relaxed) {
                    // Read before the call. A version that was acknowledged by then is the earliest that may
                    // answer.
                    let least = newest.load(Ordering::Acquire);
                    let path = format!("/{caller}-{calls}");
                    let guard = module.enter().unwrap();
                    let answer = guard.call(&Request::get(&path)).unwrap();
                    let expected =
                        format!("Hello, {caller}-{calls}! This is greeter {}.\n", guard.version().version);
                    assert_eq!(String::from_utf8(answer.body).unwrap(), expected);
                    assert!(guard.version().generation >= least, "a version that was replaced has answered");
                    calls += 1;
                }
                calls
            })
        })
        .collect();
    let patient = LoadOptions { policy: Policy::Wait, ..LoadOptions::default() };
    for round in 1..=LOADS {
        let source = Source::File(fixture("greeter", if round % 2 == 0 { V1 } else { V2 }));
        let loaded = host.runtime.load_with(&source, &patient).unwrap();
        newest.store(loaded.generation, Ordering::Release);
        let status = host.runtime.status("greeter").unwrap();
        assert!(status.quarantined.is_empty());
        assert!(host.runtime.images_mapped() <= 2, "only current and old are mapped");
    }
    stop.store(true, Ordering::Relaxed);
    let calls: u64 = callers.into_iter().map(|caller| caller.join().unwrap()).sum();
    assert!(calls > 0);
    host.wait_until_old_is_gone("greeter");
    assert_eq!(host.runtime.images_mapped(), 1);
    assert_eq!(host.staged(), 1);
}
