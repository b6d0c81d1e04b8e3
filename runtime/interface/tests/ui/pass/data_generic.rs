//! The twin of `fail/data_generic.rs`.

extern crate segue_interface as segue;

#[segue::data]
#[derive(Clone)]
pub struct Pair(pub u32, pub u32);

fn main() {}
