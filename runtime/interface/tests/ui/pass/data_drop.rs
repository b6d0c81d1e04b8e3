//! Compiles: data drop, as it should be.

extern crate segue_interface as segue;

#[segue::data]
#[derive(Clone)]
pub struct Receipt {
    pub text: segue::Str<'static>,
}

fn main() {}
