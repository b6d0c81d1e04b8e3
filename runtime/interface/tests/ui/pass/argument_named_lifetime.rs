//! The twin of `fail/argument_named_lifetime.rs`.

extern crate segue_interface as segue;

#[segue::interface]
pub trait Naming {
    fn rename(&self, name: &u32);
}

fn main() {}
