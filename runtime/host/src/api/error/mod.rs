//! The error of the runtime: what failed, why, and what to do next.

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
