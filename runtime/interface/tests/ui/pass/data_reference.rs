//! Compiles: data reference, as it should be.

extern crate segue_interface as segue;

#[segue::data]
#[derive(Clone)]
pub enum Name {
    Known(segue::Str<'static>),
}

fn main() {}
