//! Each form of a generic type would be another type.

extern crate segue_interface as segue;

#[segue::data]
#[derive(Clone)]
pub struct Pair<T>(pub T, pub T);

fn main() {}
