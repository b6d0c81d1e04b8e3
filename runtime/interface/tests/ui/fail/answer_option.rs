//! An `Option` contains its value.

extern crate segue_interface as segue;

#[segue::interface]
pub trait Naming {
    fn name(&self) -> Option<String>;
}

fn main() {}
