//! A value that is borrowed from the module is gone when the module is unloaded.

extern crate segue_interface as segue;

#[segue::interface]
pub trait Naming {
    fn name(&self) -> segue::Str<'_>;
}

fn main() {}
