//! A method is called on what `on_load` made.

extern crate segue_interface as segue;

#[segue::interface]
pub trait Pricing {
    fn price(quantity: u32) -> u64;
}

fn main() {}
