//! Of what a module may write to, it could leave something of its own behind.

extern crate segue_interface as segue;

#[segue::interface]
pub trait Naming {
    fn rename(&self, name: &mut u32);
}

fn main() {}
