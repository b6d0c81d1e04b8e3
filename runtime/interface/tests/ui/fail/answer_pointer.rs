//! A pointer says nothing of whose memory it is.

extern crate segue_interface as segue;

#[segue::interface]
pub trait Naming {
    fn name(&self) -> *const u8;
}

fn main() {}
