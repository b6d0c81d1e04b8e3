//! A function is an address in the module's image.

extern crate segue_interface as segue;

#[segue::interface]
pub trait Naming {
    fn name(&self) -> fn() -> u32;
}

fn main() {}
