//! A reference is an address in whatever it was made in.

extern crate segue_interface as segue;

#[segue::data]
#[derive(Clone)]
pub enum Name {
    Known(&'static str),
}

fn main() {}
