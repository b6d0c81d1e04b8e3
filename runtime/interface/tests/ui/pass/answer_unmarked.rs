//! Compiles: answer unmarked, as it should be.

extern crate segue_interface as segue;

#[segue::data]
#[derive(Clone)]
pub struct Cents(pub i64);

#[segue::interface]
pub trait Pricing {
    fn price(&self) -> Cents;
}

fn main() {}
