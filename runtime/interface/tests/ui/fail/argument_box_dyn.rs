//! A module that kept a closure could call it when its owner is gone.

extern crate segue_interface as segue;

#[segue::interface]
pub trait Naming {
    fn rename(&self, name: Box<dyn Fn()>);
}

fn main() {}
