//! An enum without variants has no values.

extern crate segue_interface as segue;

#[segue::data]
#[derive(Clone)]
pub enum Nothing {}

fn main() {}
