//! A `Result` contains its values.

extern crate segue_interface as segue;

#[segue::interface]
pub trait Naming {
    fn name(&self) -> Result<String, segue::Fault>;
}

fn main() {}
