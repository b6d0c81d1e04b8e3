//! All crates that are compiled with an interface must see the same methods.

extern crate segue_interface as segue;

#[segue::interface]
pub trait Pricing {
    #[cfg(unix)]
    fn price(&self, quantity: u32) -> u64;
}

fn main() {}
