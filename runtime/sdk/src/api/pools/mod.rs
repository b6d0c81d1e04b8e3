//! Thread pools that end with the module's value: rayon's global pool, and a tokio runtime. Each is behind a
//! feature, so a module that needs neither stays small.
//!
//! A pool registers how it ends ([`end_hooks::on_end`]) only when the module starts it. So a module that uses
//! neither pool contains no code of them, even if another module of the same build enables the feature.

pub(crate) mod end_hooks;
#[cfg(feature = "rayon")]
mod global_pool;
#[cfg(feature = "tokio")]
mod tokio_runtime;

#[cfg(feature = "rayon")]
pub use global_pool::Pool;
