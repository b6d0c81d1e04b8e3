//! The ways to call something replaceable, and the references without replacement.

use std::{
    cell::Cell as Plain,
    hint::black_box,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering, compiler_fence},
    },
    thread::LocalKey,
};

use arc_swap::ArcSwap;
use segue::{InterfaceHandle, ModuleHandle, Request};
use segue_core::{Cell, Occupant};

use super::{
    step::Step as TypedStep,
    way::{Call, Way},
};

/// The measured code, the same in all ways.
trait Step: Send + Sync {
    fn step(&self, input: u64) -> u64;
}

/// The only [`Step`], which the compiler must not find out.
struct Triple;

/// A version that can be replaced.
pub(super) struct Version {
    step: Box<dyn Step>,
}

struct Bare {
    step: fn(u64) -> u64,
}

struct Dyn {
    version: Version,
}

/// The least that counting a call in and out takes: two reads of `current` and two counters.
struct Floor {
    current: AtomicUsize,
    version: Version,
}

thread_local! {
    /// The counters of [`Floor`]. Their address is known at link time, unlike that of a cell's counters.
    static ENTERED: Plain<u64> = const { Plain::new(0) };
    static LEFT: Plain<u64> = const { Plain::new(0) };
}

struct InCell {
    cell: Arc<Cell<Version>>,
}

/// Calls a module.
struct Bytes {
    module: ModuleHandle,
}

/// Calls the same module through a typed interface.
struct Typed {
    step: InterfaceHandle<TypedStep>,
}

/// Whether a call failed. It is checked at the end, so a measured call does no more than a user's would.
static HAS_FAILED: AtomicBool = AtomicBool::new(false);

struct ArcSwapLoad {
    version: ArcSwap<Version>,
}

struct ArcSwapLoadFull {
    version: ArcSwap<Version>,
}

struct EpochPin {
    /// Null: it is loaded and not used.
    pointer: crossbeam_epoch::Atomic<Version>,
    version: Version,
}

struct ParkingLotRwLock {
    version: parking_lot::RwLock<Version>,
}

struct StdRwLockArc {
    version: std::sync::RwLock<Arc<Version>>,
}

/// All ways, in the order of the output.
pub(super) fn all(step: InterfaceHandle<TypedStep>, module: ModuleHandle) -> Vec<Box<dyn Way>> {
    vec![
        Box::new(Bare { step: black_box(triple) }),
        Box::new(Dyn { version: Version::new() }),
        Box::new(Floor { current: AtomicUsize::new(0), version: Version::new() }),
        Box::new(InCell { cell: cell() }),
        Box::new(Typed { step }),
        Box::new(Bytes { module }),
        Box::new(ArcSwapLoad { version: ArcSwap::from_pointee(Version::new()) }),
        Box::new(ArcSwapLoadFull { version: ArcSwap::from_pointee(Version::new()) }),
        Box::new(EpochPin { pointer: crossbeam_epoch::Atomic::null(), version: Version::new() }),
        Box::new(ParkingLotRwLock { version: parking_lot::RwLock::new(Version::new()) }),
        Box::new(StdRwLockArc { version: std::sync::RwLock::new(Arc::new(Version::new())) }),
    ]
}

/// Returns a cell with a current version.
pub(super) fn cell() -> Arc<Cell<Version>> {
    let cell = Cell::new(Box::new(|| {}));
    cell.reserve(Arc::new(Version::new())).expect("the cell is new").publish();
    cell
}

/// One call of a cell's occupant. All figures of a cell use this function.
#[inline(always)]
pub(super) fn call_in(cell: &Cell<Version>, input: u64) -> u64 {
    cell.enter()
        .expect("a version was published before the first call and is never withdrawn")
        .step
        .step(input)
}

#[inline(never)]
fn triple(input: u64) -> u64 {
    input.wrapping_mul(3)
}

impl Step for Triple {
    #[inline(never)]
    fn step(&self, input: u64) -> u64 {
        input.wrapping_mul(3)
    }
}

// === impl Version ===

impl Version {
    pub(super) fn new() -> Self {
        Version { step: black_box(Box::new(Triple)) }
    }
}

impl Occupant for Version {
    fn on_thread_exit(&self) {}
}

// === impl Call ===

impl Call for Bare {
    const NAME: &'static str = "bare";

    #[inline(always)]
    fn call(&self, input: u64) -> u64 {
        (self.step)(input)
    }
}

impl Call for Dyn {
    const NAME: &'static str = "dyn";

    #[inline(always)]
    fn call(&self, input: u64) -> u64 {
        self.version.step.step(input)
    }
}

impl Call for Floor {
    const NAME: &'static str = "floor";

    #[inline(always)]
    fn call(&self, input: u64) -> u64 {
        // As in a cell. Acquire and Release are plain loads and stores on x86_64.
        let guess = self.current.load(Ordering::Relaxed);
        count(&ENTERED);
        compiler_fence(Ordering::SeqCst);
        if self.current.load(Ordering::Acquire) != guess {
            return note_failure();
        }
        let output = self.version.step.step(input);
        compiler_fence(Ordering::Release);
        count(&LEFT);
        output
    }
}

#[inline(always)]
fn count(counter: &'static LocalKey<Plain<u64>>) {
    counter.set(counter.get().wrapping_add(1));
}

impl Call for InCell {
    const NAME: &'static str = "cell";

    #[inline(always)]
    fn call(&self, input: u64) -> u64 {
        call_in(&self.cell, input)
    }
}

impl Call for Typed {
    const NAME: &'static str = "typed";

    #[inline(always)]
    fn call(&self, input: u64) -> u64 {
        match self.step.enter().and_then(|version| version.step(input)) {
            Ok(output) => output,
            Err(_) => note_failure(),
        }
    }
}

/// Records that a call failed, and returns a result for it.
#[cold]
fn note_failure() -> u64 {
    // Relaxed: it is read after the writing threads were joined.
    HAS_FAILED.store(true, Ordering::Relaxed);
    0
}

/// Whether any call failed.
pub(super) fn has_failed() -> bool {
    HAS_FAILED.load(Ordering::Relaxed)
}

impl Call for Bytes {
    const NAME: &'static str = "bytes";

    #[inline(always)]
    fn call(&self, _: u64) -> u64 {
        match self.module.call(&Request::get("/")) {
            Ok(reply) => u64::from(reply.status),
            Err(_) => note_failure(),
        }
    }
}

impl Call for ArcSwapLoad {
    const NAME: &'static str = "arc_swap_load";

    #[inline(always)]
    fn call(&self, input: u64) -> u64 {
        self.version.load().step.step(input)
    }
}

impl Call for ArcSwapLoadFull {
    const NAME: &'static str = "arc_swap_load_full";

    #[inline(always)]
    fn call(&self, input: u64) -> u64 {
        self.version.load_full().step.step(input)
    }
}

impl Call for EpochPin {
    const NAME: &'static str = "epoch_pin";

    #[inline(always)]
    fn call(&self, input: u64) -> u64 {
        let guard = crossbeam_epoch::pin();
        black_box(self.pointer.load(Ordering::Acquire, &guard));
        self.version.step.step(input)
    }
}

impl Call for ParkingLotRwLock {
    const NAME: &'static str = "parking_lot_rwlock";

    #[inline(always)]
    fn call(&self, input: u64) -> u64 {
        self.version.read().step.step(input)
    }
}

impl Call for StdRwLockArc {
    const NAME: &'static str = "std_rwlock_arc";

    #[inline(always)]
    fn call(&self, input: u64) -> u64 {
        let version = Arc::clone(&self.version.read().unwrap_or_else(PoisonError::into_inner));
        version.step.step(input)
    }
}
