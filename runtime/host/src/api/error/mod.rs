//! Why something did not happen: the step, the reason and what to try next.

mod cause;
mod code;
mod kind;
mod object;
mod text;
mod told;

pub(crate) use cause::Cause;
pub use code::{Code, Step};
pub use kind::Error;
pub use object::ErrorObject;
pub use text::OldState;
pub(crate) use told::NO_EXECUTABLE_STACK;
