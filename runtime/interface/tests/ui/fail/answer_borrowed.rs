//! What is borrowed from the module goes with it.

extern crate segue_interface as segue;

#[segue::interface]
pub trait Naming {
    fn name(&self) -> segue::Str<'_>;
}

fn main() {}
