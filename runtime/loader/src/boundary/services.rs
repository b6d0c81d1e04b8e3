//! What the embedding host does for a module.

use segue_abi::{FieldRef, Level, RecordRef, SpanRef};

use crate::boundary::{interface::Expected, links::LinkTarget};

/// What the embedding host does for a module. Everything is borrowed for the call: keep copies only.
///
/// The functions are called from any thread. A panic in one of them stays in it.
pub trait Services: Log + Send + Sync + 'static {
    /// Makes a link to another module, which need not be loaded yet: to an interface of it, or to what answers requests.
    ///
    /// # Errors
    ///
    /// Why not, in words.
    fn link(&self, module: &str, interface: Option<Expected>) -> Result<Box<dyn LinkTarget>, String>;

    /// Whether what runs in the image is asked to come to its end.
    fn is_cancelled(&self) -> bool;
}

/// What the embedding host does with what a module says, as [`Services`] do.
pub trait Log {
    /// Whether anybody listens to records of this level.
    fn enabled(&self, level: Level) -> bool;
    /// Takes a log record.
    fn event(&self, record: &RecordRef<'_>);
    /// Begins a span and gives it an id, never 0 and never used before for this image.
    fn span_new(&self, span: &SpanRef<'_>) -> u64;
    /// Adds fields to a span.
    fn span_record(&self, span: u64, fields: &[FieldRef<'_>]);
    /// The calling thread enters a span.
    fn span_enter(&self, span: u64);
    /// The calling thread leaves a span.
    fn span_exit(&self, span: u64);
    /// A span ends.
    fn span_close(&self, span: u64);
    /// The calling thread panicked inside the module.
    fn panicked(&self, message: &str, file: &str, line: u32);
}
