//! The twin of `fail/data_repr.rs`.

extern crate segue_interface as segue;

#[segue::data]
#[derive(Clone)]
pub struct Cents(pub i64);

fn main() {}
