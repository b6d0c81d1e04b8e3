//! A `Result` is what is in it.

extern crate segue_interface as segue;

#[segue::interface]
pub trait Naming {
    fn name(&self) -> Result<String, segue::Fault>;
}

fn main() {}
