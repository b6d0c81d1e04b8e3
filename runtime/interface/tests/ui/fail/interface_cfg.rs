//! All who are compiled with an interface must see the same.

extern crate segue_interface as segue;

#[segue::interface]
pub trait Pricing {
    #[cfg(unix)]
    fn price(&self, quantity: u32) -> u64;
}

fn main() {}
