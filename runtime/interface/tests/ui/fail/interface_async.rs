//! A future is code of the module, and would outlive the call.

extern crate segue_interface as segue;

#[segue::interface]
pub trait Pricing {
    async fn price(&self, quantity: u32) -> u64;
}

fn main() {}
