//! The cell under all interleavings, and under all that the memory model allows to be read.
//!
//! ```sh
//! RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR=target/loom cargo test -p segue-core --release --test loom
//! ```
//! The models run the code that production runs, with the symmetric pair of fences (`src/sync.rs` says why that is the right
//! model of the other pair). Each model has broken twins: the same model, with one piece of the protocol taken out, must
//! fail. A model whose twin passes proves nothing.
//!
//! The models are complete, but for one: no bound on how often a thread is interrupted. `a_lane_can_be_used_again` is too large for
//! that, and has threads interrupted eight times at most, which takes some 20 s. Four, as by `LOOM_MAX_PREEMPTIONS=4`, is the least that
//! finds all the twins out.
#![cfg(loom)]
#![allow(clippy::unwrap_used, reason = "a test says what it means by failing")]

use loom::cell::UnsafeCell;
use loom::sync::atomic::{
    AtomicBool, AtomicUsize,
    Ordering::{Acquire, Release, SeqCst},
};
use loom::thread;
use segue_core::model::{Mutation, exit_thread, mutate};
use segue_core::{Cell, Occupant, Role, ThreadId, VacateOutcome, View};
use std::sync::Arc;

/// An image that knows whether it is mapped. loom fails a model in which a call and the unmapping are not ordered.
struct Image {
    generation: usize,
    mapped: UnsafeCell<bool>,
    departures: AtomicUsize,
}

// SAFETY: loom checks each access to `mapped`; that is what these models are for.
unsafe impl Send for Image {}
// SAFETY: as above.
unsafe impl Sync for Image {}

impl Image {
    fn new(generation: usize) -> Arc<Self> {
        Arc::new(Self { generation, mapped: UnsafeCell::new(true), departures: AtomicUsize::new(0) })
    }

    fn call(&self) -> usize {
        // SAFETY: loom fails the model where this is not so.
        self.mapped.with(|mapped| assert!(unsafe { *mapped }, "a call into an unmapped image"));
        self.generation
    }

    fn unmap(&self) {
        // SAFETY: loom fails the model where this is not so.
        self.mapped.with_mut(|mapped| unsafe { *mapped = false });
    }
}

impl Occupant for Image {
    fn on_thread_exit(&self) {
        self.call();
        self.departures.fetch_add(1, SeqCst);
    }
}

/// A cell with generation 1 current, and the generations, which the model keeps so that a broken twin frees no memory.
fn cell(wake: impl Fn() + Send + Sync + 'static) -> (Arc<Cell<Image>>, [Arc<Image>; 4]) {
    let cell = Cell::new(Box::new(wake));
    let images = [0, 1, 2, 3].map(Image::new);
    publish(&cell, &images[1]);
    (cell, images)
}

fn publish(cell: &Cell<Image>, image: &Arc<Image>) {
    cell.reserve(Arc::clone(image)).expect("a reservation").publish();
}

/// A thread that makes one call. It answers the generation that was current.
fn caller_of(cell: &Arc<Cell<Image>>) -> thread::JoinHandle<usize> {
    let cell = Arc::clone(cell);
    thread::spawn(move || cell.enter().expect("there is always a current one").call())
}

/// Takes old out if it is drained, and unmaps it. Whether it did.
fn vacate(cell: &Cell<Image>) -> bool {
    vacate_which(cell, Role::Old)
}

fn vacate_which(cell: &Cell<Image>, which: Role) -> bool {
    match cell.vacate(which) {
        VacateOutcome::Vacated(image) => {
            image.unmap();
            true
        }
        VacateOutcome::Busy { inside } => {
            assert_ne!(inside, 0);
            false
        }
        VacateOutcome::Absent => panic!("there was one"),
    }
}

/// How often threads are interrupted in a model that is too large to be looked through without a bound: twice what its twins need.
const PREEMPTIONS_MAX: usize = 8;

fn check(model: fn()) {
    loom::model(model);
}

/// As [`check`], of a model that is too large to be looked through without a bound.
fn check_bounded(model: fn()) {
    let mut builder = loom::model::Builder::new();
    // The variable that sets a smaller one counts.
    builder.preemption_bound = builder.preemption_bound.or(Some(PREEMPTIONS_MAX));
    builder.check(model);
}

/// The model must fail without `piece`.
fn breaks(piece: Mutation, model: fn()) {
    let broken = move || {
        mutate(Some(piece));
        check_bounded(model);
    };
    assert!(fails(broken), "the model does not miss {piece:?}");
}

fn fails(model: impl FnOnce() + Send + 'static) -> bool {
    std::thread::spawn(model).join().is_err()
}

/// A caller who enters after it was told of a publish, which nobody has executed the heavy fence of.
fn enter_after(order: [fn(&Cell<Image>, &Arc<Image>, &AtomicBool); 2]) {
    let (cell, images) = cell(|| {});
    let is_published = Arc::new(AtomicBool::new(false));
    let caller = {
        let (cell, is_published) = (Arc::clone(&cell), Arc::clone(&is_published));
        thread::spawn(move || {
            let was_told = is_published.load(Acquire);
            let generation = cell.enter().expect("there is always a current one").call();
            assert!(
                !was_told || generation == 2,
                "a call that began after the publish has entered what it replaced"
            );
        })
    };
    for step in order {
        step(&cell, &images[2], &is_published);
    }
    caller.join().unwrap();
    assert!(vacate(&cell), "nobody is inside any more");
}

fn do_publish(cell: &Cell<Image>, image: &Arc<Image>, _: &AtomicBool) {
    publish(cell, image);
}

fn tell(_: &Cell<Image>, _: &Arc<Image>, is_published: &AtomicBool) {
    is_published.store(true, Release);
}

#[test]
fn who_was_told_of_a_publish_enters_what_was_published() {
    check(|| enter_after([do_publish, tell]));
}

#[test]
fn a_publish_must_be_done_before_it_is_told() {
    assert!(
        fails(|| check(|| enter_after([tell, do_publish]))),
        "the model does not miss the order of the two"
    );
}

/// A caller against a publish and a drain.
fn enter_against_drain() {
    let (cell, images) = cell(|| {});
    let caller = caller_of(&cell);
    publish(&cell, &images[2]);
    let drained = vacate(&cell);
    let generation = caller.join().unwrap();
    assert!(drained || vacate(&cell), "nobody is inside any more");
    let calls = cell.count(Role::Current).unwrap().calls;
    assert_eq!(calls, u64::from(generation == 2), "retries are no calls");
}

#[test]
fn a_caller_is_never_in_a_drained_image() {
    check(enter_against_drain);
}

#[test]
fn a_caller_needs_its_fence() {
    breaks(Mutation::DropEnterFence, enter_against_drain);
}

#[test]
fn a_switch_needs_its_fence() {
    breaks(Mutation::DropSwitchFence, enter_against_drain);
}

#[test]
fn a_caller_needs_its_second_look() {
    breaks(Mutation::SkipRecheck, enter_against_drain);
}

#[test]
fn a_leaver_needs_its_release() {
    breaks(Mutation::RelaxLeave, enter_against_drain);
}

/// A caller that is taking its entry back, while another is inside.
fn retry_beside_a_caller() {
    let (cell, images) = cell(|| {});
    let inside = cell.enter().expect("there is a current one");
    let caller = {
        let cell = Arc::clone(&cell);
        thread::spawn(move || drop(cell.enter()))
    };
    publish(&cell, &images[2]);
    assert!(!vacate(&cell), "somebody is inside");
    inside.call();
    drop(inside);
    caller.join().unwrap();
    assert!(vacate(&cell));
}

#[test]
fn a_retry_does_not_hide_a_caller() {
    check(retry_beside_a_caller);
}

#[test]
fn left_must_be_summed_first() {
    breaks(Mutation::SumEnteredFirst, retry_beside_a_caller);
}

/// A caller against a lane that is drained, given to generation 3 and published again.
fn enter_against_reuse() {
    let (cell, images) = cell(|| {});
    let caller = {
        let cell = Arc::clone(&cell);
        thread::spawn(move || {
            (ThreadId::current(), cell.enter().expect("there is always a current one").call())
        })
    };
    publish(&cell, &images[2]);
    let reused = vacate(&cell);
    if reused {
        publish(&cell, &images[3]);
        vacate(&cell);
    }
    let (thread, generation) = caller.join().unwrap();
    if reused {
        let current = cell.count(Role::Current).unwrap();
        assert_eq!(current.inside, 0);
        assert_eq!(current.calls, u64::from(generation == 3), "each call is counted where it was");
        if generation == 3 {
            assert!(cell.visitors(Role::Current).contains(&thread), "who was inside is a visitor");
        }
    }
}

#[test]
fn a_lane_can_be_used_again() {
    check_bounded(enter_against_reuse);
}

#[test]
fn a_lane_must_be_quiet_to_be_used_again() {
    breaks(Mutation::ReuseBusyLane, enter_against_reuse);
}

#[test]
fn a_reused_lane_needs_the_second_look() {
    breaks(Mutation::SkipRecheck, enter_against_reuse);
}

/// A guard that is made on one thread and dropped on another, against a drain on a third.
fn moved_against_drain() {
    let (cell, images) = cell(|| {});
    let guard = cell.enter_owned().expect("there is a current one");
    let leaver = thread::spawn(move || {
        guard.call();
        drop(guard);
    });
    publish(&cell, &images[2]);
    let drained = vacate(&cell);
    leaver.join().unwrap();
    assert!(drained || vacate(&cell));
}

/// As before, with the guard made beside the writer too.
fn moved_twice_against_drain() {
    let (cell, images) = cell(|| {});
    let caller = {
        let cell = Arc::clone(&cell);
        thread::spawn(move || {
            let guard = cell.enter_owned().expect("there is always a current one");
            thread::spawn(move || drop(guard)).join().unwrap();
        })
    };
    publish(&cell, &images[2]);
    let drained = vacate(&cell);
    caller.join().unwrap();
    assert!(drained || vacate(&cell));
}

#[test]
fn a_guard_may_be_dropped_elsewhere() {
    check(moved_against_drain);
    check(moved_twice_against_drain);
}

#[test]
fn a_leaver_elsewhere_needs_its_release() {
    breaks(Mutation::RelaxLeave, moved_against_drain);
}

/// A caller against a publish, a rollback, and the drain of the one that was current in between.
fn enter_against_rollback() {
    let (cell, images) = cell(|| {});
    let caller = caller_of(&cell);
    publish(&cell, &images[2]);
    cell.rollback().expect("there is an old one");
    let drained = vacate(&cell);
    let generation = caller.join().unwrap();
    assert!(drained || vacate(&cell));
    assert_eq!(cell.count(Role::Current).unwrap().calls, u64::from(generation == 1));
}

#[test]
fn a_rollback_is_a_publish() {
    check(enter_against_rollback);
}

#[test]
fn a_rollback_needs_its_fence() {
    breaks(Mutation::DropSwitchFence, enter_against_rollback);
}

/// A caller against a withdrawal and a drain.
fn enter_against_withdrawal() {
    let (cell, _images) = cell(|| {});
    let caller = {
        let cell = Arc::clone(&cell);
        thread::spawn(move || cell.enter().map(|guard| guard.call()))
    };
    cell.withdraw().expect("there is a current one");
    let drained = vacate(&cell);
    caller.join().unwrap();
    assert!(drained || vacate(&cell));
    assert!(cell.enter().is_none());
}

#[test]
fn a_withdrawal_is_a_publish_of_nothing() {
    check(enter_against_withdrawal);
}

#[test]
fn a_withdrawal_needs_its_fence() {
    breaks(Mutation::DropSwitchFence, enter_against_withdrawal);
}

/// A writer that waits for a caller to leave (or to take its entry back).
fn leave_against_watch() {
    leave_against_watch_after(|cell| {
        // The switch's fence is executed here, and does nothing for the watch.
        assert!(cell.count(Role::Old).is_some());
    });
}

/// The same, where the fence of the watch is that of the switch too.
fn leave_against_watch_at_once() {
    leave_against_watch_after(|_| {});
}

fn leave_against_watch_after(look: fn(&Cell<Image>)) {
    let woken = Arc::new(AtomicBool::new(false));
    let (cell, images) = cell({
        let woken = Arc::clone(&woken);
        move || woken.store(true, SeqCst)
    });
    let caller = {
        let cell = Arc::clone(&cell);
        thread::spawn(move || cell.enter().expect("there is always a current one").call())
    };
    publish(&cell, &images[2]);
    look(&cell);
    cell.watch(Role::Old);
    let drained = vacate(&cell);
    caller.join().unwrap();
    assert!(drained || woken.load(SeqCst), "a wake is lost");
    assert!(drained || vacate(&cell));
}

#[test]
fn no_wake_is_lost() {
    check(leave_against_watch);
}

#[test]
fn a_leaver_needs_its_fence() {
    breaks(Mutation::DropLeaveFence, leave_against_watch);
}

#[test]
fn a_watch_needs_its_fence() {
    breaks(Mutation::DropWatchFence, leave_against_watch);
}

#[test]
fn a_watch_may_be_the_first_look() {
    check(leave_against_watch_at_once);
}

#[test]
fn a_watch_that_is_the_first_look_needs_its_fence() {
    breaks(Mutation::DropWatchFence, leave_against_watch_at_once);
}

#[test]
fn a_retry_wakes_too() {
    breaks(Mutation::SkipCancelWake, leave_against_watch);
}

/// A thread that calls and exits, against a publish and a drain.
fn exit_against_drain() {
    let (cell, images) = cell(|| {});
    let caller = {
        let cell = Arc::clone(&cell);
        thread::spawn(move || {
            let generation = cell.enter().expect("there is always a current one").call();
            exit_thread();
            generation
        })
    };
    publish(&cell, &images[2]);
    let drained = vacate(&cell);
    let generation = caller.join().unwrap();
    assert!(drained || vacate(&cell));
    let told = |which: usize| images[which].departures.load(SeqCst);
    assert!(told(generation) <= 1);
    assert!(told(generation) == 1 || generation == 1, "who was inside what is still here says goodbye");
    assert_eq!(cell.visitors(Role::Current), [], "who has exited is no visitor");
    assert_eq!(
        cell.count(Role::Current).unwrap().calls,
        u64::from(generation == 2),
        "a departure is no call"
    );
}

#[test]
fn a_thread_may_exit_during_a_drain() {
    check(exit_against_drain);
}

#[test]
fn an_exit_during_a_drain_needs_the_switchs_fence() {
    breaks(Mutation::DropSwitchFence, exit_against_drain);
}

#[test]
fn an_exit_during_a_drain_needs_the_leavers_release() {
    breaks(Mutation::RelaxLeave, exit_against_drain);
}

/// A caller that is inside a version, perhaps, when that is put in quarantine, and stays while newer ones come and go.
fn quarantine_beside_newer_ones() {
    let (cell, images) = cell(|| {});
    let caller = caller_of(&cell);
    publish(&cell, &images[2]);
    let first = Role::Quarantined(cell.quarantine_old().expect("there is an old one"));
    publish(&cell, &images[3]);
    let second_gone = vacate(&cell);
    let first_gone = vacate_which(&cell, first);
    caller.join().unwrap();
    assert!(first_gone || vacate_which(&cell, first));
    assert!(second_gone || vacate(&cell));
    assert!(matches!(cell.vacate(first), VacateOutcome::Absent), "its name means nobody now");
}

#[test]
fn a_quarantined_version_keeps_its_lane() {
    check(quarantine_beside_newer_ones);
}

#[test]
fn a_quarantined_version_needs_the_switchs_fence() {
    breaks(Mutation::DropSwitchFence, quarantine_beside_newer_ones);
}

#[test]
fn a_quarantined_version_needs_the_callers_fence() {
    breaks(Mutation::DropEnterFence, quarantine_beside_newer_ones);
}

/// Two that publish and take out what is old, of which one was a caller just now.
fn two_publishers() {
    let (cell, images) = cell(|| {});
    let other = {
        let (cell, image) = (Arc::clone(&cell), Arc::clone(&images[2]));
        thread::spawn(move || publish_if_there_is_room(&cell, &image))
    };
    let generation = cell.enter().expect("there is always a current one").call();
    let mine = publish_if_there_is_room(&cell, &images[3]);
    let others = other.join().unwrap();
    assert!(mine || others, "one of them has found room");
    if cell.occupant(Role::Old).is_some() {
        assert!(vacate(&cell), "nobody is inside any more");
    }
    let current = cell.occupant(Role::Current).unwrap().generation;
    assert!(current == 3 && mine || current == 2 && others);
    assert_eq!(cell.count(Role::Current).unwrap().calls, u64::from(generation == current));
}

/// Whether it was published: the other may be at it, or have left an old one that somebody is inside.
fn publish_if_there_is_room(cell: &Cell<Image>, image: &Arc<Image>) -> bool {
    let Ok(reservation) = cell.reserve(Arc::clone(image)) else { return false };
    reservation.publish();
    if let VacateOutcome::Vacated(image) = cell.vacate(Role::Old) {
        image.unmap();
    }
    true
}

#[test]
fn two_may_publish() {
    check(two_publishers);
}

#[test]
fn two_that_publish_need_the_switchs_fence() {
    breaks(Mutation::DropSwitchFence, two_publishers);
}

/// What callers see through a projection: the image, by way of a value that was made of it.
struct Through;

impl View<Image> for Through {
    type Value<'a> = &'a Image;

    fn make<'a>(&self, image: &'a Image) -> Option<&'a Image> {
        Some(image)
    }

    fn shorten<'short, 'long: 'short>(of: &'short &'long Image) -> &'short &'short Image {
        of
    }
}

/// A caller through a projection against a lane that is drained, given to generation 3 and published again.
fn projection_against_reuse() {
    let (cell, images) = cell(|| {});
    let projection = cell.projection(Through);
    let caller = {
        let projection = Arc::clone(&projection);
        thread::spawn(move || {
            let guard = projection.enter().expect("there is always a current one");
            assert_eq!(guard.get().call(), guard.occupant().generation);
        })
    };
    publish(&cell, &images[2]);
    let reused = vacate(&cell);
    if reused {
        publish(&cell, &images[3]);
    }
    caller.join().unwrap();
    assert!(vacate(&cell) || !reused);
}

#[test]
fn a_projection_shows_the_version_that_was_entered() {
    check(projection_against_reuse);
}

#[test]
fn a_projection_needs_the_second_look() {
    breaks(Mutation::SkipRecheck, projection_against_reuse);
}

#[test]
fn a_projection_needs_the_leavers_release() {
    breaks(Mutation::RelaxLeave, projection_against_reuse);
}
