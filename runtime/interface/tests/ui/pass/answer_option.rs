//! Compiles: answer option, as it should be.

extern crate segue_interface as segue;

#[segue::interface]
pub trait Naming {
    fn name(&self) -> Option<segue::Str<'static>>;
}

fn main() {}
