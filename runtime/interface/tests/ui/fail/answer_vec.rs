//! The memory of a `Vec` belongs to the module's allocator.

extern crate segue_interface as segue;

#[segue::interface]
pub trait Naming {
    fn name(&self) -> Vec<u8>;
}

fn main() {}
