//! An associated type would be another one in each module.

extern crate segue_interface as segue;

#[segue::interface]
pub trait Pricing {
    type Money;
}

fn main() {}
