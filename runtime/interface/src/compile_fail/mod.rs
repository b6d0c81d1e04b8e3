//! Programs that must not compile, because they would not be safe. After each one comes its twin, which
//! differs only in the unsafe part, and compiles. So no program fails to compile for another reason.
//!
//! `tests/ui` has the programs that test the text of an error of ours.

mod answers;
mod arguments;
mod data;
