//! Another interface is exported separately.

extern crate segue_interface as segue;

#[segue::interface]
pub trait Pricing: std::fmt::Debug {
    fn price(&self, quantity: u32) -> u64;
}

fn main() {}
