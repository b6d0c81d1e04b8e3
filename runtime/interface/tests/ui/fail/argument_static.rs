//! A module could keep what it was handed for ever, though its owner may go.

extern crate segue_interface as segue;

type Name = segue::Str<'static>;

#[segue::interface]
pub trait Naming {
    fn rename(&self, name: Name);
}

fn main() {}
