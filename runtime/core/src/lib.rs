//! The two-version cell of segue: what lets a module be replaced while threads are inside it.
//!
//! A [`Cell`] holds at most two occupants, **current** and **old**. A new call enters current; a call that is inside old
//! finishes there; and old comes out of the cell when the last call has left it, and not before. (One that will not empty can
//! give up the place of old, and comes out later.) The cell knows who is
//! inside, counts calls exactly, and says which threads have ever been inside, since those may keep something of it.
//!
//! # Trade-offs
//! - Entering costs plain loads and stores, without a lock, an atomic read-modify-write, a fence instruction or a write to a
//!   line that another thread writes. Whoever asks who is inside pays for that: with a system call the first time after a
//!   replacement, which interrupts the processors that run threads of this process (0.25 µs where there are none, some µs
//!   where there are), and with a walk over the counters of all threads each time.
//! - A thread's first entry into a cell takes a mutex and allocates: 384 bytes of counters, which a later thread takes over.
//!   Its table of counters has a pointer for each id up to the highest cell that it has entered, and ids are not used again.
//! - Entering from a **signal handler** is not supported: a handler that interrupts an entry of its own thread loses a count.
//! - After a **fork** the child's cells count the parent's other threads as they were: what they were inside is never drained.
//! - A thread-local that was there before the thread's first entry is destroyed after our own, and can still enter; each
//!   thread that does costs a stripe and a table for good, and stays in the list of visitors.
//! - Whoever has a `&T` from a guard can lend it to another thread for the guard's lifetime. That is sound, but that thread
//!   is not in the list of visitors. It is, if it dereferences an [`OwnedCallGuard`] itself.
//!
//! # How it works
//! Each generation owns one of eight **lanes**. Per thread and cell there is a **stripe**, which has two counters per lane:
//! `entered` and `left`. `current` names the lane that new calls enter.
//!
//! A caller reads `current`, adds one to `entered` of that lane (nobody else writes it), reads `current` again, and if it
//! still names the lane, is inside; if not, it takes the entry back and tries again. It leaves by adding one to `left`.
//!
//! A writer stores `current`, and that is all of a publish. Whoever then wants to know who is inside what was current before
//! executes a *heavy* fence. From there on a caller who has not been counted yet will find, when it looks again, that the lane
//! is not current. Then `left` is summed over all stripes, and after that `entered`: if they are equal, nobody is inside. A
//! guard that moves to another thread is counted out on that thread's stripe, which is why there are two counters, and why
//! only their sums mean anything.
//!
//! To be woken instead of asking again, the writer raises a flag and executes a heavy fence before it sums; a leaver looks at
//! the flag after it has counted itself out.
//!
//! The caller's half of each pair of fences is free where the kernel has `membarrier` ([`Fences`]). The shape, two counters per
//! thread whose sums are compared, is that of Linux SRCU; the asymmetric fences are liburcu's and, in Rust, seize's; `enter`,
//! `publish` and the way this is written down are from left-right.
//!
//! # How to use it
//! ```
//! use segue_core::{Cell, Occupant, VacateOutcome, Role};
//! use std::sync::{Arc, mpsc};
//!
//! struct Version(u32);
//!
//! impl Occupant for Version {
//!     fn on_thread_exit(&self) {
//!         println!("{:?} exits and has been in version {}", std::thread::current().id(), self.0);
//!     }
//! }
//!
//! // Whoever empties an old version that is waited for calls this.
//! let (wake, woken) = mpsc::channel();
//! let cell = Cell::new(Box::new(move || wake.send(()).unwrap_or(())));
//!
//! assert!(cell.enter().is_none());
//! cell.reserve(Arc::new(Version(1)))?.publish();
//!
//! // A call that takes its time, on another thread.
//! let guard = cell.enter_owned().expect("version 1 is current");
//! let (finish, finished) = mpsc::channel::<()>();
//! let call = std::thread::spawn(move || {
//!     finished.recv().ok();
//!     guard.0
//! });
//!
//! // Meanwhile the next version. A reservation that is dropped instead would have changed nothing.
//! let reservation = cell.reserve(Arc::new(Version(2)))?;
//! let old = reservation.publish().expect("version 1 was current");
//! assert_eq!(old.0, 1);
//! drop(old);
//! assert_eq!(cell.enter().expect("version 2 is current").0, 2);
//!
//! // Version 1 is old, and somebody is inside.
//! assert_eq!(cell.count(Role::Old).map(|count| count.inside), Some(1));
//! cell.watch(Role::Old);
//! finish.send(())?;
//! let gone = loop {
//!     match cell.vacate(Role::Old) {
//!         VacateOutcome::Vacated(version) => break version,
//!         VacateOutcome::Busy { .. } => woken.recv()?,
//!         VacateOutcome::Absent => unreachable!("nobody else takes it out"),
//!     }
//! };
//! assert_eq!(Arc::into_inner(gone).expect("the cell kept nothing of it").0, 1);
//! assert_eq!(call.join().expect("the call returns"), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where things are
//! In the order in which to read them: `fence` is the pair of fences, `current` what the word that callers read says, `stripe` one thread's counters, `registry` all stripes of
//! a cell and the sums over them, `lane` one generation's place, `cell` the writer's side with what it answers in `answer`,
//! `reservation` a candidate before it is published, `guard` the caller's side with the central argument, `projection` a second way in, `thread` how a thread finds
//! its stripe, `exit` what happens when it exits, and `depart` the cell's part in that. `sync` is where loom comes in.

mod api;
mod cell;
mod cell_exit;
mod current;
mod fence;
mod guard;
mod lane;
mod projection;
mod registry;
mod reservation;
mod stripe;
mod sync;
mod thread;
mod thread_exit;

pub use api::{
    Count, NothingToRollBack, Quarantine, Role, ThreadCalls, VacateOutcome, WakeRequest, WithdrawError,
};
pub use cell::{Cell, Occupant};
pub use fence::Fences;
pub use guard::{CallGuard, OwnedCallGuard};
pub use projection::{Projection, ProjectionError, ProjectionGuard, View};
pub use reservation::{Reservation, ReserveError};
#[cfg(loom)]
#[doc(hidden)]
pub use sync::modelled as model;
pub use thread::ThreadId;
