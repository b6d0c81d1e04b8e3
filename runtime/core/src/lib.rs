//! The two-version cell of segue. It lets the runtime replace a module while threads are inside it.
//!
//! A [`Cell`] holds at most two occupants, **current** and **old**. New calls enter current. Calls that are
//! already inside old finish there. Old can be taken out of the cell once the last call has left it, and not
//! before. (An old occupant that does not drain can be quarantined: it gives up its place as old and is taken
//! out later.) The cell counts calls exactly. It knows which threads are inside. It also knows which threads
//! have ever been inside, since those may still hold something that belongs to the occupant.
//!
//! # Trade-offs
//! - Entering costs plain loads and stores: no lock, no atomic read-modify-write, no fence instruction, and
//!   no write to a cache line that another thread writes. The check for callers inside pays instead. It walks
//!   over the counters of all threads. The first check after a replacement also makes a system call, which
//!   interrupts the processors that run threads of this process (0.25 µs if there are none, a few µs
//!   otherwise).
//! - A thread's first entry into a cell takes a mutex and allocates 384 bytes of counters. A later thread
//!   reuses them. The thread's table of counters has one pointer for each id up to the highest cell that it
//!   has entered. Ids are never reused.
//! - Entering from a **signal handler** is not supported. A handler that interrupts an entry of its own
//!   thread loses a count.
//! - After a **fork**, the child's cells still count the parent's other threads. Whatever those threads were
//!   inside never drains.
//! - A thread-local that existed before the thread's first entry is destroyed after ours, and its destructor
//!   can still enter. Each thread that does this leaks a stripe and a table, and stays in the list of
//!   visitors.
//! - The holder of a `&T` from a guard can lend it to another thread for the guard's lifetime. That is sound,
//!   but the other thread is not in the list of visitors. A thread that dereferences an [`OwnedCallGuard`]
//!   itself is in the list.
//!
//! # How it works
//! Each generation owns one of eight **lanes**. Each thread has one **stripe** per cell. A stripe has two
//! counters per lane, `entered` and `left`. `current` names the lane that new calls enter.
//!
//! A caller reads `current`, adds one to its `entered` of that lane (no other thread writes this counter),
//! and reads `current` again. If `current` still names the lane, the caller is inside. If not, it cancels the
//! entry and tries again. It leaves by adding one to `left`.
//!
//! To publish, a writer stores `current`, and nothing else. To learn who is still inside the previous lane,
//! it then executes a *heavy* fence. After this fence, a caller that is not counted yet finds at its recheck
//! that the lane is not current. The writer sums `left` over all stripes, and then `entered`. If the sums are
//! equal, no caller is inside. A guard that moves to another thread is counted out on that thread's stripe.
//! This is why there are two counters, and why only their sums mean anything.
//!
//! A writer that wants to be woken instead of polling raises a flag and executes a heavy fence before it
//! sums. A leaving caller checks the flag after it has counted itself out.
//!
//! The caller's half of each pair of fences is free if the kernel has `membarrier` ([`Fences`]). The design
//! (two counters per thread, whose sums are compared) is that of Linux SRCU. The asymmetric fences come from
//! liburcu and, in Rust, from seize. `enter`, `publish` and the style of documentation come from left-right.
//!
//! # How to use it
//! ```
//! use segue_core::{Cell, Occupant, Role, VacateOutcome};
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
//! // A caller that leaves a watched occupant calls this.
//! let (wake, woken) = mpsc::channel();
//! let cell = Cell::new(Box::new(move || wake.send(()).unwrap_or(())));
//!
//! assert!(cell.enter().is_none());
//! cell.reserve(Arc::new(Version(1)))?.publish();
//!
//! // A slow call on another thread.
//! let guard = cell.enter_owned().expect("version 1 is current");
//! let (finish, finished) = mpsc::channel::<()>();
//! let call = std::thread::spawn(move || {
//!     finished.recv().ok();
//!     guard.0
//! });
//!
//! // Meanwhile, publish the next version. Dropping the reservation instead would change nothing.
//! let reservation = cell.reserve(Arc::new(Version(2)))?;
//! let old = reservation.publish().expect("version 1 was current");
//! assert_eq!(old.0, 1);
//! drop(old);
//! assert_eq!(cell.enter().expect("version 2 is current").0, 2);
//!
//! // Version 1 is old, and one caller is inside.
//! assert_eq!(cell.count(Role::Old).map(|count| count.inside), Some(1));
//! cell.watch(Role::Old);
//! finish.send(())?;
//! let removed = loop {
//!     match cell.vacate(Role::Old) {
//!         VacateOutcome::Vacated(version) => break version,
//!         VacateOutcome::Busy { .. } => woken.recv()?,
//!         VacateOutcome::Absent => unreachable!("no other thread takes it out"),
//!     }
//! };
//! assert_eq!(Arc::into_inner(removed).expect("the cell keeps no reference").0, 1);
//! assert_eq!(call.join().expect("the call returns"), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Files, in reading order
//! - `fence`: the pair of fences.
//! - `current`: the word that names the current lane.
//! - `stripe`: one thread's counters in one cell.
//! - `registry`: all stripes of a cell, and the sums over them.
//! - `lane`: the part of a lane that callers read.
//! - `cell_state`: everything that the cell's mutex guards.
//! - `occupant`, `cell`: what a cell holds, and the cell. The writer's operations are in `reservation`
//!   (reserve, publish), `transition` (roll back, withdraw, quarantine) and `drain` (count, watch, vacate).
//!   Their plain data types are in `api`.
//! - `entry`: the caller's side, with the central ordering argument. `guard`: the guards made from it.
//! - `view`, `projection_slots`, `projection`, `projection_guard`: a second way to enter a cell, through a
//!   value made from the occupant.
//! - `thread`: how a thread finds its stripe. `thread_exit`: what happens when it exits. `cell_exit`: the
//!   cell's part in it.
//! - `sync` and `mutation`: the switch between the real primitives and loom, and the mutations that loom
//!   models apply.

mod api;
mod cell;
mod cell_exit;
mod cell_state;
mod current;
mod drain;
mod entry;
mod fence;
mod guard;
mod lane;
#[cfg(loom)]
#[doc(hidden)]
pub mod model;
mod mutation;
mod occupant;
mod projection;
mod projection_guard;
mod projection_slots;
mod registry;
mod reservation;
mod stripe;
mod sync;
mod thread;
mod thread_exit;
mod transition;
mod view;

pub use api::{
    Count, NothingToRollBack, Quarantine, ReserveError, Role, ThreadCalls, VacateOutcome, WakeRequest,
    WithdrawError,
};
pub use cell::Cell;
pub use fence::Fences;
pub use guard::{CallGuard, OwnedCallGuard};
pub use occupant::Occupant;
pub use projection::Projection;
pub use projection_guard::{ProjectionError, ProjectionGuard};
pub use reservation::Reservation;
pub use thread::ThreadId;
pub use view::View;
