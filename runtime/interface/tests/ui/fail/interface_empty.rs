//! An interface without methods has nothing to call.

extern crate segue_interface as segue;

#[segue::interface]
pub trait Pricing {

}

fn main() {}
