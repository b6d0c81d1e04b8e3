//! Why something did not happen: the step, the reason and what to try next.

mod cause;
mod code;
mod describe;
mod kind;
mod object;
mod text;

pub(crate) use cause::Cause;
pub use code::{Code, Step};
pub(crate) use describe::NO_EXECUTABLE_STACK;
pub use kind::Error;
pub use object::ErrorObject;
pub use text::OldState;
