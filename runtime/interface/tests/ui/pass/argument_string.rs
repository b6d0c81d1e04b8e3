//! The twin of `fail/argument_string.rs`.

extern crate segue_interface as segue;

#[segue::interface]
pub trait Naming {
    fn rename(&self, name: segue::Str<'_>);
}

fn main() {}
