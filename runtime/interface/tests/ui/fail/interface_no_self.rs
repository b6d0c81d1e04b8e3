//! A method runs on the value that `on_load` returned.

extern crate segue_interface as segue;

#[segue::interface]
pub trait Pricing {
    fn price(quantity: u32) -> u64;
}

fn main() {}
