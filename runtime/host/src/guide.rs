//! The guide for authors of modules, for operators, and for programs that embed the runtime. The pages are
//! Markdown files in `runtime/host/guide/`.

/// The README, compiled here to test its code.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
pub mod readme {}

#[doc = include_str!("../guide/concepts.md")]
pub mod concepts {}

#[doc = include_str!("../guide/authors.md")]
pub mod authors {}

#[doc = include_str!("../guide/crates.md")]
pub mod crates {}

#[doc = include_str!("../guide/operators.md")]
pub mod operators {}

#[doc = include_str!("../guide/errors.md")]
pub mod errors {}

#[doc = include_str!("../guide/control-api.md")]
pub mod control_api {}

#[doc = include_str!("../guide/guarantees.md")]
pub mod guarantees {}

#[doc = include_str!("../guide/figures.md")]
pub mod figures {}

#[doc = include_str!("../guide/recipes.md")]
pub mod recipes {}
