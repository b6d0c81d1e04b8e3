//! The cell under all interleavings, and with all values that the memory model allows a load to return.
//!
//! ```sh
//! RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR=target/loom cargo test -p segue-core --release --test loom
//! ```
//! The models run production code with the symmetric pair of fences (`src/sync.rs` explains why this is the
//! right model of the other pair). Each model also runs with mutations, deliberate defects in the protocol
//! (`src/mutation.rs`), and must then fail. A model that passes with its mutations proves nothing.
//!
//! All models but one are complete: they do not limit how often a thread is preempted.
//! `a_drained_lane_can_be_reused` is too large for this. It allows eight preemptions and takes about 20 s.
//! Four, set with `LOOM_MAX_PREEMPTIONS=4`, is the smallest limit that detects all mutations.
#![cfg(loom)]
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod count;
mod enter;
mod exit;
mod moved_guard;
mod projection;
mod reuse;
mod roles;
mod support;
mod watch;
