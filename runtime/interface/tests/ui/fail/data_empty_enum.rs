//! There is no value to hand over.

extern crate segue_interface as segue;

#[segue::data]
#[derive(Clone)]
pub enum Nothing {}

fn main() {}
