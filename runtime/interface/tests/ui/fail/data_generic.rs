//! Each instance of a generic type has its own layout.

extern crate segue_interface as segue;

#[segue::data]
#[derive(Clone)]
pub struct Pair<T>(pub T, pub T);

fn main() {}
