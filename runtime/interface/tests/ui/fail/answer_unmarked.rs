//! Of a type that is not marked, nobody knows what is in it.

extern crate segue_interface as segue;

pub struct Cents(pub i64);

#[segue::interface]
pub trait Pricing {
    fn price(&self) -> Cents;
}

fn main() {}
