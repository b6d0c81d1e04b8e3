//! Checks of the source tree.
//!
//! | check | finds |
//! | --- | --- |
//! | [`rooms`] | a file that imports from a room above its own, and import cycles |
//! | [`widths`] | comment lines that are too long, and source files that are too long without a reason |
//! | [`links`] | links in Markdown that lead nowhere |
//! | [`commands`] | commands in Markdown that fail |
//! | [`api_page`] | a page of the control API that differs from `openapi.json` |
//! | [`error_page`] | an event or an error code that the guide does not explain |
//!
//! `cargo test -p segue-checks` runs all of them except the commands, which need the built program: `.ci/run`
//! runs those.

#![forbid(unsafe_code)]

pub mod api_page;
pub mod commands;
pub mod error_page;
pub mod imports;
pub mod links;
pub mod markdown;
pub mod rooms;
pub mod tree;
pub mod widths;
