//! Compiles: answer function, as it should be.

extern crate segue_interface as segue;

#[segue::interface]
pub trait Naming {
    fn name(&self) -> u32;
}

fn main() {}
