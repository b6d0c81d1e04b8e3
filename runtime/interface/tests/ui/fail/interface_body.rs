//! Modules implement the methods.

extern crate segue_interface as segue;

#[segue::interface]
pub trait Pricing {
    fn price(&self, quantity: u32) -> u64 {
        u64::from(quantity)
    }
}

fn main() {}
