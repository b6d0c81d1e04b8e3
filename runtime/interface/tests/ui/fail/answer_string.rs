//! The memory of a `String` belongs to the module's allocator.

extern crate segue_interface as segue;

#[segue::interface]
pub trait Naming {
    fn name(&self) -> String;
}

fn main() {}
