//! A `String` belongs to the allocator of whoever calls.

extern crate segue_interface as segue;

#[segue::interface]
pub trait Naming {
    fn rename(&self, name: String);
}

fn main() {}
