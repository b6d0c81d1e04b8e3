//! The memory of a `String` belongs to the caller's allocator.

extern crate segue_interface as segue;

#[segue::interface]
pub trait Naming {
    fn rename(&self, name: String);
}

fn main() {}
