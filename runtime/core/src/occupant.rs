//! The trait of a cell's occupants.

/// A value that can occupy a cell.
pub trait Occupant: Send + Sync + 'static {
    /// The calling thread has been inside this occupant and is about to exit. The call is counted in, so the
    /// occupant stays.
    ///
    /// It is called once per thread and occupant, while none of the cell's locks is held. If the thread
    /// enters the occupant again while another occupant is notified, it is called again, at most four times
    /// in all. Panics are caught and ignored. It is not called if the occupant was taken out of the cell
    /// before the thread exits.
    fn on_thread_exit(&self);
}
