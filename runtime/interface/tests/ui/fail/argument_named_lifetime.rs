//! An argument is borrowed for the call, not for longer.

extern crate segue_interface as segue;

#[segue::interface]
pub trait Naming {
    fn rename(&self, name: &'static u32);
}

fn main() {}
