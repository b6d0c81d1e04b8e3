//! Compiles: argument named, as it should be.

extern crate segue_interface as segue;

#[segue::interface]
pub trait Naming {
    fn rename(&self, name: &u32);
}

fn main() {}
