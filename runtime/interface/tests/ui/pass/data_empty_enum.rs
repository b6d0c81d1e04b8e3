//! Compiles: data empty enum, as it should be.

extern crate segue_interface as segue;

#[segue::data]
#[derive(Clone)]
pub enum Nothing {
    AtAll,
}

fn main() {}
