//! Compiles: argument static, as it should be.

extern crate segue_interface as segue;

type Name<'a> = segue::Str<'a>;

#[segue::interface]
pub trait Naming {
    fn rename(&self, name: Name<'_>);
}

fn main() {}
