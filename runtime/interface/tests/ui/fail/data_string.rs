//! The memory of a `String` belongs to the allocator of whoever made it.

extern crate segue_interface as segue;

#[segue::data]
#[derive(Clone)]
pub struct Article {
    pub name: String,
    pub price: u32,
}

fn main() {}
