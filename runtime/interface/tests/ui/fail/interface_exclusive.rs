//! Many callers run a method at the same time.

extern crate segue_interface as segue;

#[segue::interface]
pub trait Pricing {
    fn price(&mut self, quantity: u32) -> u64;
}

fn main() {}
