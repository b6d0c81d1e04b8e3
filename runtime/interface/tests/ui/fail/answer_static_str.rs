//! A literal lies in the module's image.

extern crate segue_interface as segue;

#[segue::interface]
pub trait Naming {
    fn name(&self) -> &'static str;
}

fn main() {}
