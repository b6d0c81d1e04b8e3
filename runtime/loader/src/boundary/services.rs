//! The services that the embedding host implements for a module.

use segue_abi::{FieldRef, Level, RecordRef, SpanRef};

use crate::boundary::{interface::Expected, links::LinkTarget};

/// The services that the embedding host implements for a module. All arguments are borrowed for the call, so
/// keep only copies.
///
/// The functions are called from any thread. A panic in one of them does not reach the module.
pub trait Services: Log + Send + Sync + 'static {
    /// Creates a link to another module, which need not be loaded yet: to one of its interfaces, or to its
    /// request handler.
    ///
    /// # Errors
    ///
    /// The reason as text.
    fn link(&self, module: &str, interface: Option<Expected>) -> Result<Box<dyn LinkTarget>, String>;

    /// Whether the code that runs in the image is asked to end.
    fn is_cancelled(&self) -> bool;
}

/// The logging services, under the same conditions as [`Services`].
pub trait Log {
    /// Whether records of this level are used.
    fn enabled(&self, level: Level) -> bool;
    /// Logs a record.
    fn event(&self, record: &RecordRef<'_>);
    /// Starts a span and returns its id, which is not 0 and was never used for this image.
    fn span_new(&self, span: &SpanRef<'_>) -> u64;
    /// Adds fields to a span.
    fn span_record(&self, span: u64, fields: &[FieldRef<'_>]);
    /// The calling thread enters a span.
    fn span_enter(&self, span: u64);
    /// The calling thread leaves a span.
    fn span_exit(&self, span: u64);
    /// Ends a span.
    fn span_close(&self, span: u64);
    /// The calling thread panicked inside the module.
    fn panicked(&self, message: &str, file: &str, line: u32);
}
