//! The attribute sets the representation.

extern crate segue_interface as segue;

#[segue::data]
#[derive(Clone)]
#[repr(transparent)]
pub struct Cents(pub i64);

fn main() {}
