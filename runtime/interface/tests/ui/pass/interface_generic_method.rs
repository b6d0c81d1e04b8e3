//! The twin of `fail/interface_generic_method.rs`.

extern crate segue_interface as segue;

#[segue::interface]
pub trait Pricing {
    fn price(&self, quantity: u32) -> u64;
}

fn main() {}
