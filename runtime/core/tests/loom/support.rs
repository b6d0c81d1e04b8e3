//! The image, the cell and the checks that all models use.

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use loom::thread;
use segue_core::model::{Mutation, mutate};
use segue_core::{Cell, Occupant, Role, VacateOutcome};
use std::sync::Arc;

/// An image that records whether it is mapped. loom fails a model in which a call and the unmapping are not
/// ordered.
pub(crate) struct Image {
    pub(crate) generation: usize,
    mapped: UnsafeCell<bool>,
    pub(crate) exit_notices: AtomicUsize,
}

// SAFETY: loom checks each access to `mapped`. This is the purpose of the models.
unsafe impl Send for Image {}
// SAFETY: as above.
unsafe impl Sync for Image {}

impl Image {
    pub(crate) fn new(generation: usize) -> Arc<Self> {
        Arc::new(Self { generation, mapped: UnsafeCell::new(true), exit_notices: AtomicUsize::new(0) })
    }

    pub(crate) fn call(&self) -> usize {
        // SAFETY: loom fails the model if another thread accesses it at the same time.
        self.mapped.with(|mapped| assert!(unsafe { *mapped }, "a call into an unmapped image"));
        self.generation
    }

    pub(crate) fn unmap(&self) {
        // SAFETY: loom fails the model if another thread accesses it at the same time.
        self.mapped.with_mut(|mapped| unsafe { *mapped = false });
    }
}

impl Occupant for Image {
    fn on_thread_exit(&self) {
        self.call();
        self.exit_notices.fetch_add(1, SeqCst);
    }
}

/// A cell with generation 1 current, and four images. The model keeps the images so that a mutated model
/// frees no memory.
pub(crate) fn cell(wake: impl Fn() + Send + Sync + 'static) -> (Arc<Cell<Image>>, [Arc<Image>; 4]) {
    let cell = Cell::new(Box::new(wake));
    let images = [0, 1, 2, 3].map(Image::new);
    publish(&cell, &images[1]);
    (cell, images)
}

pub(crate) fn publish(cell: &Cell<Image>, image: &Arc<Image>) {
    cell.reserve(Arc::clone(image)).expect("a lane is free").publish();
}

/// A thread that makes one call and returns the generation that it entered.
pub(crate) fn caller_of(cell: &Arc<Cell<Image>>) -> thread::JoinHandle<usize> {
    let cell = Arc::clone(cell);
    thread::spawn(move || cell.enter().expect("an image is always current").call())
}

/// Takes old out if it is drained, and unmaps it. Returns whether it did.
pub(crate) fn vacate(cell: &Cell<Image>) -> bool {
    vacate_role(cell, Role::Old)
}

pub(crate) fn vacate_role(cell: &Cell<Image>, role: Role) -> bool {
    match cell.vacate(role) {
        VacateOutcome::Vacated(image) => {
            image.unmap();
            true
        }
        VacateOutcome::Busy { inside } => {
            assert_ne!(inside, 0);
            false
        }
        VacateOutcome::Absent => panic!("the image was already taken out"),
    }
}

/// The preemptions that a model allows if it is too large without a limit: twice what detects all its
/// mutations.
pub(crate) const PREEMPTIONS_MAX: usize = 8;

pub(crate) fn check(model: fn()) {
    loom::model(model);
}

/// Like [`check`], for a model that is too large without a limit.
pub(crate) fn check_bounded(model: fn()) {
    let mut builder = loom::model::Builder::new();
    // The environment variable takes precedence.
    builder.preemption_bound = builder.preemption_bound.or(Some(PREEMPTIONS_MAX));
    builder.check(model);
}

/// The model must fail with `mutation`.
pub(crate) fn detects(mutation: Mutation, model: fn()) {
    let mutated = move || {
        mutate(Some(mutation));
        check_bounded(model);
    };
    assert!(fails(mutated), "the model passes with {mutation:?}");
}

pub(crate) fn fails(model: impl FnOnce() + Send + 'static) -> bool {
    std::thread::spawn(model).join().is_err()
}
