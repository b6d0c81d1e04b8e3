//! What one kind of caller needs of each occupant.

use crate::occupant::Occupant;

/// Makes the value that one kind of caller needs of each occupant of a cell.
///
/// # Example
/// ```
/// use segue_core::{Cell, Occupant, View};
/// use std::sync::Arc;
///
/// struct Version {
///     text: String,
/// }
///
/// impl Occupant for Version {
///     fn on_thread_exit(&self) {}
/// }
///
/// /// For callers that need the first word. It is searched for once per version, not once per call.
/// struct FirstWord;
///
/// impl View<Version> for FirstWord {
///     type Value<'a> = &'a str;
///
///     fn make<'a>(&self, version: &'a Version) -> Option<&'a str> {
///         version.text.split(' ').next()
///     }
///
///     fn shorten<'short, 'long: 'short>(value: &'short &'long str) -> &'short &'short str {
///         value
///     }
/// }
///
/// let cell = Cell::new(Box::new(|| {}));
/// let first_word = cell.projection(FirstWord);
/// cell.reserve(Arc::new(Version { text: "hello world".to_owned() }))?.publish();
/// assert_eq!(*first_word.enter().expect("the version has a first word").get(), "hello");
/// # Ok::<(), segue_core::ReserveError>(())
/// ```
pub trait View<T: Occupant>: Send + Sync + 'static {
    /// The value for one occupant. It may borrow from the occupant.
    type Value<'a>: Send + Sync;

    /// Makes the value. `None` if there is none for this occupant.
    ///
    /// It is called once per occupant, never by a caller, and while none of the cell's locks is held.
    fn make<'a>(&self, occupant: &'a T) -> Option<Self::Value<'a>>;

    /// Proves that [`Value`](View::Value) is covariant in its lifetime. The body is just `value`, which
    /// compiles only in that case.
    fn shorten<'short, 'long: 'short>(value: &'short Self::Value<'long>) -> &'short Self::Value<'short>;
}
