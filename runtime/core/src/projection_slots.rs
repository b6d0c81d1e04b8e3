//! A projection as its cell sees it, without the type of its view.

use std::sync::Arc;

/// A projection's slots: one per lane, each with the value for that lane's occupant.
pub(crate) trait ProjectionSlots<T>: Send + Sync {
    /// Makes the value for an occupant.
    fn make(self: Arc<Self>, occupant: &Arc<T>) -> Box<dyn PendingView>;
    /// Empties the slot of a lane. The caller drops the value after it has released the cell's mutex.
    fn clear(&self, lane: usize) -> Option<Box<dyn RemovedValue>>;
}

/// A value that was made and is not in its slot yet.
pub(crate) trait PendingView {
    /// Puts the value into the slot of its occupant's lane. The caller drops `self` after it has released the
    /// cell's mutex: it may be the projection's last owner.
    fn store(&mut self, lane: usize);
}

/// A value that was taken out of its slot. It is only dropped.
pub(crate) trait RemovedValue {}

/// The value that was in a slot, and the projection, which may have no other owner any more. It is only
/// dropped.
pub(crate) struct ClearedSlot<T> {
    _value: Option<Box<dyn RemovedValue>>,
    _projection: Arc<dyn ProjectionSlots<T>>,
}

impl<T> ClearedSlot<T> {
    /// Empties the slot of a lane.
    pub(crate) fn of(projection: Arc<dyn ProjectionSlots<T>>, lane: usize) -> Self {
        Self { _value: projection.clear(lane), _projection: projection }
    }
}
