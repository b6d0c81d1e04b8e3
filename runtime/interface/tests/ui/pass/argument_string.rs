//! Compiles: argument string, as it should be.

extern crate segue_interface as segue;

#[segue::interface]
pub trait Naming {
    fn rename(&self, name: segue::Str<'_>);
}

fn main() {}
