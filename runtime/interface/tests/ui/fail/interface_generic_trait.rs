//! An interface has a single table of functions.

extern crate segue_interface as segue;

#[segue::interface]
pub trait Pricing<T> {
    fn price(&self, quantity: u32) -> u64;
}

fn main() {}
