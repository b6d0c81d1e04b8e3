//! The memory of a `String` belongs to the allocator of the image that created it.

extern crate segue_interface as segue;

#[segue::data]
#[derive(Clone)]
pub struct Article {
    pub name: String,
    pub price: u32,
}

fn main() {}
