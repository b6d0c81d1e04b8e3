//! Threads that exit: whom they say goodbye to, and what stays of them.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "a test says what it means by failing")]
#![allow(dead_code, reason = "each test binary uses its own part of `support`")]

mod support;

use segue_core::{CallGuard, Cell, Occupant, OwnedCallGuard, Role, ThreadId, VacateOutcome};
use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, OnceLock, mpsc};
use std::thread;
use support::{Log, Tracked, both_fences, empty_cell};

fn publish(cell: &Cell<Tracked>, generation: u64, log: &Arc<Log>) -> Arc<Tracked> {
    let occupant = Tracked::new(generation, log);
    cell.reserve(Arc::clone(&occupant)).unwrap().publish();
    occupant
}

#[test]
fn each_visited_occupant_is_told_once() {
    for fences in both_fences() {
        let log = Arc::new(Log::default());
        let cell = empty_cell(fences);
        let first = publish(&cell, 1, &log);
        let (go, wait) = mpsc::channel();
        let (ready, ask) = mpsc::channel();
        let visitor = {
            let cell = Arc::clone(&cell);
            thread::spawn(move || {
                (0..10).for_each(|_| drop(cell.enter()));
                ready.send(ThreadId::current()).unwrap();
                wait.recv().unwrap();
                (0..10).for_each(|_| drop(cell.enter()));
            })
        };
        let id = ask.recv().unwrap();
        let second = publish(&cell, 2, &log);
        assert_eq!(cell.visitors(Role::Old), [id]);
        go.send(()).unwrap();
        visitor.join().unwrap();
        assert_eq!(first.departures.load(SeqCst), 1);
        assert_eq!(second.departures.load(SeqCst), 1);
        assert_eq!(cell.visitors(Role::Old), []);
        assert_eq!(cell.visitors(Role::Current), []);
        assert_eq!(cell.count(Role::Old).unwrap().calls, 10, "a departure is no call");
        assert_eq!(cell.count(Role::Current).unwrap().calls, 10);
        drop(first);
        let VacateOutcome::Vacated(first) = cell.vacate(Role::Old) else { panic!("nobody is inside") };
        assert!(Arc::into_inner(first).is_some());
    }
}

#[test]
fn who_visited_what_is_gone_tells_nobody() {
    let log = Arc::new(Log::default());
    let cell = empty_cell(both_fences()[0]);
    let first = publish(&cell, 1, &log);
    let (go, wait) = mpsc::channel();
    let (ready, ask) = mpsc::channel();
    let visitor = {
        let cell = Arc::clone(&cell);
        thread::spawn(move || {
            drop(cell.enter());
            ready.send(()).unwrap();
            wait.recv().unwrap();
        })
    };
    ask.recv().unwrap();
    let second = publish(&cell, 2, &log);
    assert!(matches!(cell.vacate(Role::Old), VacateOutcome::Vacated(_)));
    // The same lane, so that a stale note of the visit would be taken for one of the newcomer.
    let third = publish(&cell, 3, &log);
    assert_eq!(cell.visitors(Role::Current), []);
    go.send(()).unwrap();
    visitor.join().unwrap();
    for occupant in [first, second, third] {
        assert_eq!(occupant.departures.load(SeqCst), 0);
    }
}

#[test]
fn threads_exit_during_drains() {
    const GENERATIONS: u64 = if cfg!(miri) { 10 } else { 300 };
    for fences in both_fences() {
        let log = Arc::new(Log::default());
        let cell = empty_cell(fences);
        let mut current = publish(&cell, 0, &log);
        let mut visits = 0;
        for generation in 1..GENERATIONS {
            let callers: Vec<_> = (0..3)
                .map(|_| {
                    let cell = Arc::clone(&cell);
                    thread::spawn(move || cell.enter().unwrap().call())
                })
                .collect();
            let next = publish(&cell, generation, &log);
            let mut old = None;
            while old.is_none() {
                match cell.vacate(Role::Old) {
                    VacateOutcome::Vacated(occupant) => old = Some(occupant),
                    VacateOutcome::Busy { .. } => thread::yield_now(),
                    VacateOutcome::Absent => panic!("there was an old one"),
                }
            }
            let told_at_vacate = current.departures.load(SeqCst);
            for caller in callers {
                let called = caller.join().unwrap();
                assert!(called + 1 >= generation);
                visits += 1;
            }
            assert_eq!(
                current.departures.load(SeqCst),
                told_at_vacate,
                "who is out of the cell is told nothing"
            );
            current = next;
        }
        assert!(log.departures.load(SeqCst) <= visits);
        assert!(!log.broken.load(SeqCst));
    }
}

#[test]
fn an_owned_guard_outlives_its_thread() {
    let log = Arc::new(Log::default());
    let cell = empty_cell(both_fences()[0]);
    let first = publish(&cell, 1, &log);
    let guard = {
        let cell = Arc::clone(&cell);
        thread::spawn(move || cell.enter_owned().unwrap()).join().unwrap()
    };
    assert_eq!(first.departures.load(SeqCst), 1);
    assert_eq!(cell.visitors(Role::Current), []);
    guard.call();
    assert_eq!(cell.visitors(Role::Current), [ThreadId::current()], "who uses a guard is a visitor");
    publish(&cell, 2, &log);
    assert!(matches!(cell.vacate(Role::Old), VacateOutcome::Busy { inside: 1 }));
    drop(guard);
    assert!(matches!(cell.vacate(Role::Old), VacateOutcome::Vacated(_)));
}

#[test]
fn a_cell_may_go_before_its_threads() {
    let log = Arc::new(Log::default());
    let cell = empty_cell(both_fences()[0]);
    publish(&cell, 1, &log);
    let (go, wait) = mpsc::channel::<()>();
    let (ready, ask) = mpsc::channel();
    let visitor = thread::spawn(move || {
        drop(cell.enter());
        drop(cell);
        ready.send(()).unwrap();
        wait.recv().unwrap();
    });
    ask.recv().unwrap();
    assert_eq!(log.drops.load(SeqCst), 1, "the cell took its occupant with it");
    go.send(()).unwrap();
    visitor.join().unwrap();
    assert_eq!(log.departures.load(SeqCst), 0);
}

/// An occupant whose goodbye panics, with a payload whose drop panics, after entering another cell.
struct Rude(Arc<Cell<Tracked>>);

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("and the payload too");
    }
}

impl Occupant for Rude {
    fn on_thread_exit(&self) {
        self.0.enter().unwrap().call();
        std::panic::panic_any(Bomb);
    }
}

#[test]
fn a_rude_goodbye_ends_there() {
    let log = Arc::new(Log::default());
    let other = empty_cell(both_fences()[0]);
    let neighbour = publish(&other, 1, &log);
    let cell = Cell::new(Box::new(|| {}));
    cell.reserve(Arc::new(Rude(Arc::clone(&other)))).unwrap().publish();
    let visitor = {
        let cell = Arc::clone(&cell);
        thread::spawn(move || drop(cell.enter()))
    };
    visitor.join().unwrap();
    assert_eq!(cell.count(Role::Current).unwrap().inside, 0);
    assert_eq!(neighbour.departures.load(SeqCst), 1, "who was entered during a goodbye is told as well");
    assert_eq!(other.visitors(Role::Current), []);
}

/// A thread-local that enters when it is destroyed, after our hook has run: it was there before the first entry.
struct Late(RefCell<Option<Arc<Cell<Tracked>>>>);

static LATE_CALLS: AtomicUsize = AtomicUsize::new(0);

impl Drop for Late {
    fn drop(&mut self) {
        let cell = self.0.take().unwrap();
        cell.enter().unwrap().call();
        drop(cell.enter_owned());
        cell.enter().unwrap().call();
        LATE_CALLS.fetch_add(3, SeqCst);
    }
}

thread_local! {
    static LATE: Late = const { Late(RefCell::new(None)) };
    static KEPT: RefCell<Option<CallGuard<'static, Tracked>>> = const { RefCell::new(None) };
    static KEPT_OWNED: RefCell<Option<OwnedCallGuard<Tracked>>> = const { RefCell::new(None) };
}

#[test]
fn entering_after_the_exit_hook_is_sound() {
    let log = Arc::new(Log::default());
    let cell = empty_cell(both_fences()[0]);
    publish(&cell, 1, &log);
    let visitor = {
        let cell = Arc::clone(&cell);
        thread::spawn(move || {
            LATE.with(|late| late.0.replace(Some(Arc::clone(&cell))));
            cell.enter().unwrap().call();
        })
    };
    visitor.join().unwrap();
    assert_eq!(LATE_CALLS.load(SeqCst), 3);
    assert_eq!(cell.count(Role::Current).unwrap().calls, 4);
    assert_eq!(
        cell.visitors(Role::Current).len(),
        1,
        "this is what the documentation of `visitors` warns of"
    );
    publish(&cell, 2, &log);
    assert!(matches!(cell.vacate(Role::Old), VacateOutcome::Vacated(_)));
}

#[test]
fn a_guard_may_outlive_the_exit_hook() {
    static CELL: OnceLock<Arc<Cell<Tracked>>> = OnceLock::new();
    let log = Arc::new(Log::default());
    let cell = CELL.get_or_init(|| empty_cell(both_fences()[0]));
    publish(cell, 1, &log);
    let (go, wait) = mpsc::channel::<()>();
    let visitor = thread::spawn(move || {
        // Touched before the first entry, so destroyed after our hook.
        KEPT.with(|_| ());
        KEPT_OWNED.with(|_| ());
        KEPT.with(|kept| kept.replace(cell.enter()));
        KEPT_OWNED.with(|kept| kept.replace(cell.enter_owned()));
        wait.recv().unwrap();
    });
    while cell.count(Role::Current).unwrap().inside < 2 {
        thread::yield_now();
    }
    publish(cell, 2, &log);
    assert!(matches!(cell.vacate(Role::Old), VacateOutcome::Busy { inside: 2 }));
    go.send(()).unwrap();
    visitor.join().unwrap();
    // A newcomer must not be given the stripe that the guard has counted out on.
    thread::spawn(|| drop(cell.enter())).join().unwrap();
    assert!(matches!(cell.vacate(Role::Old), VacateOutcome::Vacated(_)));
}
