//! Threads that exit: which occupants they notify, and what remains of the threads.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
#![allow(dead_code, reason = "each test binary uses a part of `support`")]

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
fn each_visited_occupant_is_notified_once() {
    for fences in both_fences() {
        let log = Arc::new(Log::default());
        let cell = empty_cell(fences);
        let first = publish(&cell, 1, &log);
        let (go, wait) = mpsc::channel();
        let (ready, until_ready) = mpsc::channel();
        let visitor = {
            let cell = Arc::clone(&cell);
            thread::spawn(move || {
                (0..10).for_each(|_| drop(cell.enter()));
                ready.send(ThreadId::current()).unwrap();
                wait.recv().unwrap();
                (0..10).for_each(|_| drop(cell.enter()));
            })
        };
        let id = until_ready.recv().unwrap();
        let second = publish(&cell, 2, &log);
        assert_eq!(cell.visitors(Role::Old), [id]);
        go.send(()).unwrap();
        visitor.join().unwrap();
        assert_eq!(first.exit_notices.load(SeqCst), 1);
        assert_eq!(second.exit_notices.load(SeqCst), 1);
        assert_eq!(cell.visitors(Role::Old), []);
        assert_eq!(cell.visitors(Role::Current), []);
        assert_eq!(cell.count(Role::Old).unwrap().calls, 10, "an exit notice is not a call");
        assert_eq!(cell.count(Role::Current).unwrap().calls, 10);
        drop(first);
        let VacateOutcome::Vacated(first) = cell.vacate(Role::Old) else { panic!("the occupant is drained") };
        assert!(Arc::into_inner(first).is_some());
    }
}

#[test]
fn an_occupant_that_was_taken_out_is_not_notified() {
    let log = Arc::new(Log::default());
    let cell = empty_cell(both_fences()[0]);
    let first = publish(&cell, 1, &log);
    let (go, wait) = mpsc::channel();
    let (ready, until_ready) = mpsc::channel();
    let visitor = {
        let cell = Arc::clone(&cell);
        thread::spawn(move || {
            drop(cell.enter());
            ready.send(()).unwrap();
            wait.recv().unwrap();
        })
    };
    until_ready.recv().unwrap();
    let second = publish(&cell, 2, &log);
    assert!(matches!(cell.vacate(Role::Old), VacateOutcome::Vacated(_)));
    // It gets the same lane, so a stale record of the visit would be attributed to it.
    let third = publish(&cell, 3, &log);
    assert_eq!(cell.visitors(Role::Current), []);
    go.send(()).unwrap();
    visitor.join().unwrap();
    for occupant in [first, second, third] {
        assert_eq!(occupant.exit_notices.load(SeqCst), 0);
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
                    VacateOutcome::Absent => panic!("no other thread vacates"),
                }
            }
            let notices_at_vacate = current.exit_notices.load(SeqCst);
            for caller in callers {
                let called = caller.join().unwrap();
                assert!(called + 1 >= generation);
                visits += 1;
            }
            assert_eq!(
                current.exit_notices.load(SeqCst),
                notices_at_vacate,
                "an occupant that was taken out is not notified"
            );
            current = next;
        }
        assert!(log.exit_notices.load(SeqCst) <= visits);
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
    assert_eq!(first.exit_notices.load(SeqCst), 1);
    assert_eq!(cell.visitors(Role::Current), []);
    guard.call();
    assert_eq!(
        cell.visitors(Role::Current),
        [ThreadId::current()],
        "a thread that uses a guard is a visitor"
    );
    publish(&cell, 2, &log);
    assert!(matches!(cell.vacate(Role::Old), VacateOutcome::Busy { inside: 1 }));
    drop(guard);
    assert!(matches!(cell.vacate(Role::Old), VacateOutcome::Vacated(_)));
}

#[test]
fn a_cell_can_be_dropped_before_its_threads_exit() {
    let log = Arc::new(Log::default());
    let cell = empty_cell(both_fences()[0]);
    publish(&cell, 1, &log);
    let (go, wait) = mpsc::channel::<()>();
    let (ready, until_ready) = mpsc::channel();
    let visitor = thread::spawn(move || {
        drop(cell.enter());
        drop(cell);
        ready.send(()).unwrap();
        wait.recv().unwrap();
    });
    until_ready.recv().unwrap();
    assert_eq!(log.drops.load(SeqCst), 1, "dropping the cell drops its occupant");
    go.send(()).unwrap();
    visitor.join().unwrap();
    assert_eq!(log.exit_notices.load(SeqCst), 0);
}

/// An occupant that enters another cell when it is notified, and then panics with a payload whose drop
/// panics.
struct Panics(Arc<Cell<Tracked>>);

struct PanicsOnDrop;

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        panic!("the payload panics too");
    }
}

impl Occupant for Panics {
    fn on_thread_exit(&self) {
        self.0.enter().unwrap().call();
        std::panic::panic_any(PanicsOnDrop);
    }
}

#[test]
fn a_panic_in_an_exit_notice_is_contained() {
    let log = Arc::new(Log::default());
    let other = empty_cell(both_fences()[0]);
    let entered = publish(&other, 1, &log);
    let cell = Cell::new(Box::new(|| {}));
    cell.reserve(Arc::new(Panics(Arc::clone(&other)))).unwrap().publish();
    let visitor = {
        let cell = Arc::clone(&cell);
        thread::spawn(move || drop(cell.enter()))
    };
    visitor.join().unwrap();
    assert_eq!(cell.count(Role::Current).unwrap().inside, 0);
    assert_eq!(
        entered.exit_notices.load(SeqCst),
        1,
        "an occupant that was entered during a notice is notified too"
    );
    assert_eq!(other.visitors(Role::Current), []);
}

/// A thread-local that enters in its destructor. It existed before the first entry, so the exit hooks have
/// already run.
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
fn a_thread_can_enter_after_its_exit_hooks() {
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
        "the trade-off in the crate documentation: the thread stays in the list"
    );
    publish(&cell, 2, &log);
    assert!(matches!(cell.vacate(Role::Old), VacateOutcome::Vacated(_)));
}

#[test]
fn a_guard_can_outlive_the_exit_hooks() {
    static CELL: OnceLock<Arc<Cell<Tracked>>> = OnceLock::new();
    let log = Arc::new(Log::default());
    let cell = CELL.get_or_init(|| empty_cell(both_fences()[0]));
    publish(cell, 1, &log);
    let (go, wait) = mpsc::channel::<()>();
    let visitor = thread::spawn(move || {
        // Initialized before the first entry, so destroyed after the exit hooks.
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
    // A new thread must not get the stripe on which the guard has counted out.
    thread::spawn(|| drop(cell.enter())).join().unwrap();
    assert!(matches!(cell.vacate(Role::Old), VacateOutcome::Vacated(_)));
}
