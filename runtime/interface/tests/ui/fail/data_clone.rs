//! What is borrowed for a call and kept is copied.

extern crate segue_interface as segue;

#[segue::data]
pub struct Cents(pub i64);

fn main() {}
