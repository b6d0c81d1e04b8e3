//! What is borrowed is borrowed for the call, and not for as long as somebody likes.

extern crate segue_interface as segue;

#[segue::interface]
pub trait Naming {
    fn rename(&self, name: &'static u32);
}

fn main() {}
