//! An argument needs a name, for errors.

extern crate segue_interface as segue;

#[segue::interface]
pub trait Pricing {
    fn price(&self, (quantity, per): (u32, u32)) -> u64;
}

fn main() {}
