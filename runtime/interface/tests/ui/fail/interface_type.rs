//! An associated type would differ from module to module.

extern crate segue_interface as segue;

#[segue::interface]
pub trait Pricing {
    type Money;
}

fn main() {}
