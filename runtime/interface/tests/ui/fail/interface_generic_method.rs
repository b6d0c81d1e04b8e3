//! A table of functions has one function for each method.

extern crate segue_interface as segue;

#[segue::interface]
pub trait Pricing {
    fn price<T>(&self, quantity: T) -> u64;
}

fn main() {}
