//! A gate that holds a load or a purge between two of its phases, so that a test can look at that moment.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};
use segue::{Phase, PhaseReached};

/// How long a test waits for a version to reach a closed gate.
const PATIENCE: Duration = Duration::from_secs(30);

/// Holds the first version that completes the phase it is closed at.
#[derive(Clone, Default)]
pub struct Gate(Arc<Shared>);

#[derive(Default)]
struct Shared {
    closed: Mutex<Option<Closed>>,
    changed: Condvar,
}

struct Closed {
    module: String,
    phase: Phase,
    /// The generation that is held.
    held: Option<u64>,
}

impl Gate {
    /// Closes the gate: the next version of this module that completes this phase is held there.
    pub fn close(&self, module: &str, phase: Phase) {
        *self.0.closed.lock() = Some(Closed { module: module.to_owned(), phase, held: None });
    }

    /// Waits until a version is held, and returns its generation.
    ///
    /// # Panics
    ///
    /// If the gate is not closed, or no version reaches it.
    pub fn wait_for_version(&self) -> u64 {
        let deadline = Instant::now() + PATIENCE;
        let mut closed = self.0.closed.lock();
        loop {
            let gate = closed.as_ref().expect("the gate is closed");
            if let Some(generation) = gate.held {
                return generation;
            }
            let (module, phase) = (gate.module.clone(), gate.phase);
            let timed_out = self.0.changed.wait_until(&mut closed, deadline).timed_out();
            assert!(!timed_out, "no version of {module} completed {phase:?}");
        }
    }

    /// Opens the gate: the version that is held goes on.
    pub fn open(&self) {
        *self.0.closed.lock() = None;
        self.0.changed.notify_all();
    }

    /// Holds the caller while the gate is closed at what it has reached. The runtime calls this.
    pub(crate) fn pass(&self, reached: &PhaseReached<'_>) {
        // A failed test opens no gate; its threads must still end.
        let deadline = Instant::now() + 2 * PATIENCE;
        let mut closed = self.0.closed.lock();
        while let Some(gate) =
            closed.as_mut().filter(|gate| gate.module == reached.module && gate.phase == reached.phase)
        {
            if gate.held.is_none() {
                gate.held = Some(reached.generation);
                self.0.changed.notify_all();
            }
            if gate.held != Some(reached.generation)
                || self.0.changed.wait_until(&mut closed, deadline).timed_out()
            {
                return;
            }
        }
    }
}
